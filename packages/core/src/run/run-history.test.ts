import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeptEvent, RunEvent } from "./facts.js";
import { RunHistory } from "./run-history.js";

const clocks = (runUs: number): RunEvent => ({
  kind: "clocks",
  clocks: [{ agent: "a1", runUs, offsetUs: 0, errorUs: 10 }],
});

function historyOf(...events: readonly (readonly [term: number, seq: number, event: RunEvent])[]) {
  const history = new RunHistory();
  for (const [term, seq, event] of events) history.add({ term, seq, event } satisfies KeptEvent);
  return history;
}

test("a comparison of clocks that a leader before has noted, and that comes after the verdict, is in nobody's report", () => {
  const known = historyOf([1, 4, clocks(0)], [2, 3, clocks(5)]);
  const verdict: RunEvent = { kind: "verdict", refusals: 0, expected: [], clocks: known.clockEvents() };
  known.add({ term: 2, seq: 4, event: verdict });
  const before = known.findings().clocks;
  assert.deepEqual(
    before.map(({ term, comparisons }) => [term, comparisons]),
    [
      [1, 1],
      [2, 1],
    ],
  );
  known.add({ term: 1, seq: 5, event: clocks(30) });
  assert.deepEqual(known.findings().clocks, before);
});

test("of a verdict by an older version all comparisons count", () => {
  const history = historyOf([1, 2, { kind: "verdict", refusals: 0, expected: [] }], [1, 1, clocks(0)]);
  assert.equal(history.findings().clocks.length, 1);
});
