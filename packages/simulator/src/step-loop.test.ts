import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createEngine } from "./engine/engine.js";
import { StepLoop } from "./step-loop.js";

/** A loop of 10 ms steps on a clock that stands `lateUs` later than its timers each time they fire. */
function loopOnMockedTime(t: TestContext, lateUs: (firing: number) => number) {
  t.mock.timers.enable({ apis: ["setTimeout", "setImmediate"] });
  const engine = createEngine({
    decodeStepMs: [[1, 10]],
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
  let nowUs = 1_000_000;
  const dues: number[] = [];
  const loop = new StepLoop({
    engine,
    nowUs: () => nowUs,
    onBegin: () => {},
    onEnd: (_, times) => {
      assert.ok(times.nowUs >= times.dueUs, "a token came early");
      dues.push(times.dueUs);
    },
  });
  engine.add({ id: 1, promptTokens: [1], maxTokens: 1000 });
  loop.wake();
  const runFor = (ms: number): void => {
    for (let i = 0; i < ms; i++) {
      const releases = dues.length;
      nowUs += 1000;
      const extra = lateUs(releases);
      nowUs += extra;
      t.mock.timers.tick(1);
      nowUs -= dues.length === releases ? extra : 0;
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
