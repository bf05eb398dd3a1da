import assert from "node:assert/strict";
import { test } from "node:test";
import { keptLosses, MOST_LOSSES_OF_ONE } from "./kept-losses.js";
import type { Loss } from "./run-record.js";

const S = 1_000_000;

/** Lost for the n-th time: a minute each, found again within it. */
const loss = (agent: string, n: number, isOpen = false): Loss => ({
  agent,
  epoch: 3,
  lastHeardUs: n * 60 * S,
  lostUs: (n * 60 + 5) * S,
  reason: "silent",
  foundUs: isOpen ? null : (n * 60 + 6) * S,
});

test("losses of an agent are kept as they are up to a bound, in the order in which they came", () => {
  const losses = [0, 1, 2, 3].flatMap((n) => [loss("a1", n), loss("a2", n, n === 3)]);
  assert.equal(MOST_LOSSES_OF_ONE, 4);
  assert.deepEqual(keptLosses(losses), losses);
});

test("beyond it the earliest are told as one, from the first silence to the last return, with their number", () => {
  let losses: readonly Loss[] = [loss("b", 0)];
  for (let n = 0; n < 100; n += 1) losses = keptLosses([...losses, loss("a", n, n === 99)]);
  assert.deepEqual(losses, [
    loss("b", 0),
    { ...loss("a", 0), foundUs: (96 * 60 + 6) * S, times: 97 },
    loss("a", 97),
    loss("a", 98),
    loss("a", 99, true),
  ]);
  const total = losses.reduce((sum, { times = 1 }) => sum + times, 0);
  assert.equal(total, 101, "none is forgotten");
});

test("many at once are told like one after the other", () => {
  const losses = Array.from({ length: 9 }, (_, n) => loss("a", n));
  const [first, ...others] = keptLosses(losses);
  assert.deepEqual([first?.times, others.length], [6, 3]);
});
