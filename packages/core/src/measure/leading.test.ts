import assert from "node:assert/strict";
import { test } from "node:test";
import { createAggregate } from "./fold.js";
import { leadingOf } from "./leading.js";
import { assignment, playOn } from "./testing/cluster.js";
import { planOf, runOf } from "./testing/run-facts.js";

const S = 1_000_000;

type Spans = readonly (readonly [number, number])[];

/** When nobody led, in s, by what each agent did not hear, in s; null for an agent without a last word. */
function unledBy(...silences: readonly (Spans | null)[]): Spans | undefined {
  const run = runOf(planOf({}), []);
  const shards = silences.map((_, index) => assignment(index));
  const aggregate = createAggregate({ stages: run.stages, shards });
  for (const [i, { final }] of playOn(run, silences.length).entries()) {
    const unled = silences[i]?.map(([from, to]) => ({ fromUs: from * S, toUs: to * S }));
    if (unled !== undefined) aggregate.foldFinal(unled.length === 0 ? final : { ...final, unled });
  }
  return leadingOf({ led: [] }, aggregate.agents())?.unled.map(({ fromMs, toMs }) => [
    fromMs / 1000,
    toMs / 1000,
  ]);
}

test("nobody led when no agent heard a leader", () => {
  assert.deepEqual(unledBy([[4, 16]]), [[4, 16]]);
  assert.deepEqual(unledBy([[4, 16]], [[5, 17]], [[4.5, 16.5]]), [[5, 16]]);
  assert.deepEqual(
    unledBy(
      [
        [4, 16],
        [40, 50],
      ],
      [[5, 45]],
    ),
    [
      [5, 16],
      [40, 45],
    ],
  );
});

test("what one agent alone did not hear is its own trouble", () => {
  assert.equal(unledBy([[4, 16]], []), undefined);
  assert.equal(unledBy([[4, 16]], [[20, 30]]), undefined);
  assert.equal(unledBy([[4, 16]], [[16, 30]]), undefined, "they meet, and share no time");
});

test("an agent that was lost, and said nothing at last, takes no part in it", () => {
  assert.deepEqual(unledBy([[4, 16]], null, [[5, 17]]), [[5, 16]]);
  assert.equal(unledBy(null, null), undefined);
});
