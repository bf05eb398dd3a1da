import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "./virtual-clock.js";

test("calls run in the order of their time, equal ones as they were made", () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name}@${clock.nowUs()}`);
  clock.at(30, note("late"));
  clock.at(10, note("first"));
  clock.at(10, note("second"));
  clock.at(99, note("never"));
  clock.advanceTo(50);
  assert.deepEqual(seen, ["first@10", "second@10", "late@30"]);
  assert.equal(clock.nowUs(), 50);
  assert.equal(clock.pending, 1);
});

test("a call made on the way runs in the same advance, and a cancelled one does not run", () => {
  const clock = new VirtualClock({ nowUs: 1000, wallMs: 5 });
  const seen: number[] = [];
  clock.at(1010, () => {
    clock.at(1020, () => seen.push(clock.nowUs()));
    cancel();
  });
  const cancel = clock.at(1015, () => seen.push(-1));
  clock.advanceBy(5000);
  assert.deepEqual(seen, [1020]);
  cancel();
  assert.equal(clock.wallMs(), 10);
});

test("a call that was due already does not turn time back", () => {
  const clock = new VirtualClock({ nowUs: 100 });
  const seen: number[] = [];
  clock.at(40, () => seen.push(clock.nowUs()));
  clock.advanceTo(100);
  assert.deepEqual(seen, [100]);
});

test("the asynchronous advance lets promises settle, so that what they start is due too", async () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  clock.at(10, () => {
    void Promise.resolve().then(async () => {
      await null;
      clock.at(20, () => seen.push(clock.nowUs()));
    });
  });
  await clock.advanceToAsync(30);
  assert.deepEqual(seen, [20]);
});
