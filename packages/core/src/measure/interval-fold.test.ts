import assert from "node:assert/strict";
import { test } from "node:test";
import { type FoldedInterval, IntervalFold } from "./interval-fold.js";
import { foldAll, playOn } from "./testing/cluster.js";
import { closedLoop, planOf, runOf } from "./testing/run-facts.js";
import { seeded } from "./testing/seeded.js";
import { shuffled } from "./testing/shuffled.js";

const S = 1_000_000;
const plan = planOf({});
const random = seeded(5);
const run = runOf(
  plan,
  closedLoop({
    ...{ stage: 0, fromUs: 0, toUs: 12 * S, users: 5 },
    e2eUs: () => Math.round(300_000 + 900_000 * random()),
  }),
);
const played = playOn(run, 3);
const snapshots = played.flatMap((one) => one.snapshots);

/** Every interval once, in the order of time, and together all that an aggregate has. */
function checkWhole(intervals: readonly FoldedInterval[]): void {
  const starts = intervals.map(({ fromUs }) => fromUs);
  assert.deepEqual(
    starts,
    starts.toSorted((a, b) => a - b),
  );
  const sum = (of: (interval: FoldedInterval) => number) => intervals.reduce((so, one) => so + of(one), 0);
  const blocks = foldAll(run, played).blocks();
  const all = (of: (block: (typeof blocks)[number]) => number) => blocks.reduce((so, one) => so + of(one), 0);
  assert.equal(
    sum(({ flow }) => flow.outputTokens),
    all(({ flow }) => flow.outputTokens),
  );
  assert.equal(
    sum(({ flow }) => flow.inFlightUs),
    all(({ flow }) => flow.inFlightUs),
  );
  assert.equal(
    sum(({ due }) => due.offered),
    all(({ due }) => due.offered),
  );
  for (const metric of ["ttft", "itl", "e2e"] as const) {
    const count = all(({ histograms }) => histograms.get(metric)?.count ?? 0);
    assert.equal(
      sum(({ histograms }) => histograms.get(metric)?.count ?? 0),
      count,
      metric,
    );
  }
  for (const { phase, agents, flow, fromUs, toUs } of intervals) {
    if (phase === "measured") assert.equal(agents, 3);
    assert.ok(flow.durationUs <= toUs - fromUs, "agents run side by side");
  }
}

test("in whatever order snapshots come, the intervals are whole and follow each other", () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const fold = new IntervalFold(3);
    const taken: FoldedInterval[] = [];
    for (const snapshot of shuffled(seeded(seed), snapshots)) {
      fold.add(snapshot);
      taken.push(...fold.takeComplete());
    }
    checkWhole([...taken, ...fold.takeRest()]);
  }
});

test("an interval ends with the last of its agents, whoever came first", () => {
  const [first, second] = snapshots.filter(({ seq }) => seq === 3);
  assert.ok(first !== undefined && second !== undefined && first.agent !== second.agent);
  // The one had nothing more to do in it.
  const short = { ...first, toUs: first.fromUs + 300_000 };
  for (const order of [
    [short, second],
    [second, short],
  ]) {
    const fold = new IntervalFold(2);
    for (const snapshot of order) fold.add(snapshot);
    const ends = new Set(fold.takeRest().map(({ toUs }) => toUs));
    assert.deepEqual([...ends], [second.toUs]);
  }
});

test("an interval waits for its last agent, and those behind it wait for it", () => {
  const fold = new IntervalFold(3);
  const [late, ...others] = snapshots;
  assert.ok(late !== undefined);
  for (const snapshot of others) fold.add(snapshot);
  assert.deepEqual(fold.takeComplete(), []);
  fold.add(late);
  assert.ok(fold.takeComplete().length > 10);
  fold.add(late);
  assert.deepEqual(fold.takeComplete(), []);
  assert.ok(fold.takeRest().length > 0, "what no other agent joins is there at the end");
});
