import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createEngine } from "./engine/engine.js";
import { StepLoop } from "./step-loop.js";

/** A loop of steps of `stepMs` on mocked timers; each look at its clock takes so long. */
function loopOf(t: TestContext, stepMs: number, lookUs = 0) {
  t.mock.timers.enable({ apis: ["setTimeout", "setImmediate"] });
  const engine = createEngine({
    decodeStepMs: [[1, stepMs]],
    prefillTokensPerS: 1e9,
    timeScale: 1,
    maxNumSeqs: 10,
    maxNumBatchedTokens: 8192,
    blockSize: 16,
    kvBlocks: 1000,
    prefixCache: false,
    vocabulary: [1],
    eosToken: 0,
  });
  const clock = { nowUs: 1_000_000 };
  const dues: number[] = [];
  const lagsUs: number[] = [];
  const loop = new StepLoop({
    engine,
    nowUs: () => {
      clock.nowUs += lookUs;
      return clock.nowUs;
    },
    onBegin: () => {},
    onEnd: (_, times) => {
      assert.ok(times.nowUs >= times.dueUs, "a token came early");
      dues.push(times.dueUs);
      lagsUs.push(times.nowUs - times.dueUs);
    },
  });
  engine.add({ id: 1, promptTokens: [1], maxTokens: 1000 });
  loop.wake();
  return { loop, dues, lagsUs, clock };
}

/** Its clock stands `lateUs` later than its timers each time they fire. */
function loopOnMockedTime(t: TestContext, lateUs: (firing: number) => number) {
  const { loop, dues, clock } = loopOf(t, 10);
  const runFor = (ms: number): void => {
    for (let i = 0; i < ms; i++) {
      const releases = dues.length;
      clock.nowUs += 1000;
      const extra = lateUs(releases);
      clock.nowUs += extra;
      t.mock.timers.tick(1);
      clock.nowUs -= dues.length === releases ? extra : 0;
    }
  };
  return { loop, dues, runFor };
}

test("late timers do not add up: steps are due on an absolute grid", (t) => {
  const { loop, dues, runFor } = loopOnMockedTime(t, () => 700);
  runFor(1000);
  assert.ok(dues.length > 90, `${dues.length} steps`);
  // The single prompt token costs a nanosecond.
  dues.forEach((dueUs, i) => {
    assert.equal(Math.round(dueUs), 1_000_000 + (i + 1) * 10_000);
  });
  assert.equal(loop.slippedUs, 0);
  loop.close();
});

test("steps of little more than a millisecond are released within half of one", (t) => {
  const { loop, dues, lagsUs, clock } = loopOf(t, 1.24, 10);
  for (let i = 1; i <= 500; i += 1) {
    clock.nowUs = Math.max(clock.nowUs, 1_000_000 + i * 1000);
    t.mock.timers.tick(1);
  }
  assert.ok(dues.length > 390, `${dues.length} steps of 1.24 ms in 500 ms`);
  // Half a millisecond by rounding, and a look at the clock.
  assert.ok(Math.max(...lagsUs) <= 520, `one was released ${Math.max(...lagsUs)} us late`);
  loop.close();
});

test("a process that falls behind by more than a step loses that time instead of bursting", (t) => {
  const { loop, dues, runFor } = loopOnMockedTime(t, (releases) => (releases === 20 ? 500_000 : 0));
  runFor(600);
  const gaps = dues.map((dueUs, i) => dueUs - (dues[i - 1] ?? dueUs - 10_000)).map(Math.round);
  const long = gaps.filter((gapUs) => gapUs > 10_000);
  assert.equal(long.length, 1, `gaps: ${gaps}`);
  assert.ok(loop.slippedUs > 450_000 && loop.slippedUs <= 500_000, `slipped ${loop.slippedUs}`);
  assert.ok(
    gaps.every((gapUs) => gapUs >= 9_999),
    "steps came in a burst",
  );
  loop.close();
});
