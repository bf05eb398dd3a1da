import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResolvedStage } from "../load/stages.js";
import { hasBegun, phaseOfDue, type StageTimes, segmentAt, segmentsOf, stageEdgeUs } from "./stage-clock.js";
import { userStage } from "./testing/random-run.js";

const slope: ResolvedStage = {
  kind: "rate",
  index: 1,
  name: "slope",
  isWarmUp: false,
  fromRps: 1,
  toRps: 9,
  durationUs: 50,
};
/** Ramp 0-20, settle 20-30, measured 30-100; a slope 100-150; measured without a ramp 150-200. */
const times: StageTimes = {
  stages: [
    userStage(0, { rampUpUs: 20, settleUs: 10, durationUs: 70 }),
    slope,
    userStage(2, { rampUpUs: 0, settleUs: 0, durationUs: 50 }),
  ],
  startsUs: [0, 100, 150],
  doneUs: [null, null, null],
  stopUs: null,
};

function phasesAt(of: StageTimes, moments: readonly number[]): string[] {
  const segments = segmentsOf(of);
  return moments.map((tUs) => segmentAt(segments, tUs)).map(({ stage, phase }) => `${stage} ${phase}`);
}

test("time is cut at the edges of ramp, window and stage", () => {
  assert.deepEqual(phasesAt(times, [-1, 0, 29, 30, 99, 100, 149, 150, 199, 200, 1e9]), [
    "0 between",
    "0 ramp",
    "0 ramp",
    "0 measured",
    "0 measured",
    "1 ramp",
    "1 ramp",
    "2 measured",
    "2 measured",
    "2 drain",
    "2 drain",
  ]);
});

for (const [name, stopUs, at, expected] of [
  ["in the ramp", 25, [24, 25, 99, 150], ["0 ramp", "0 drain", "0 drain", "0 drain"]],
  ["in the window", 60, [59, 60, 100], ["0 measured", "0 drain", "0 drain"]],
  ["exactly where the next stage begins", 100, [99, 100, 149], ["0 measured", "0 drain", "0 drain"]],
  ["after everything", 250, [199, 200, 250], ["2 measured", "2 drain", "2 drain"]],
] as const) {
  test(`a stop ${name} turns what follows into drain of the stage that ran`, () => {
    assert.deepEqual(phasesAt({ ...times, stopUs }, at), expected);
  });
}

test("a stop moves the edge of the stage that runs, and leaves the others without one", () => {
  const edges = (stopUs: number | null) => [0, 1, 2].map((stage) => stageEdgeUs({ ...times, stopUs }, stage));
  assert.deepEqual(edges(null), [100, 150, 200]);
  assert.deepEqual(edges(130), [100, 130, null]);
  assert.deepEqual(edges(150), [100, 150, null]);
  const begun = [0, 1, 2].map((stage) => hasBegun({ ...times, stopUs: 150 }, stage, 400));
  assert.deepEqual(begun, [true, true, false]);
  assert.deepEqual([hasBegun(times, 1, 99), hasBegun(times, 1, 100)], [false, true]);
});

test("a request belongs to the phase of its own stage in which it was due", () => {
  const due = (stage: number, dueUs: number, of: StageTimes = times) => phaseOfDue(of, stage, dueUs);
  assert.deepEqual(
    [-5, 0, 29, 30, 99, 100].map((dueUs) => due(0, dueUs)),
    ["ramp", "ramp", "ramp", "measured", "measured", "between"],
  );
  assert.deepEqual([due(1, 120), due(2, 199), due(2, 200)], ["ramp", "measured", "drain"]);
  assert.deepEqual(
    [due(0, 59, { ...times, stopUs: 60 }), due(0, 60, { ...times, stopUs: 60 })],
    ["measured", "drain"],
  );
  assert.equal(due(2, 160, { ...times, startsUs: [0, 100, null] }), "between");
});

test("everything of a warm-up is warm-up, until it is done; the next start may still be unknown", () => {
  const warmUp: ResolvedStage = {
    kind: "users",
    index: 0,
    name: "warm-up",
    isWarmUp: true,
    users: 1,
    staying: 0,
    rampUpUs: 0,
    settleUs: 0,
    thinkUs: 0,
    bound: { kind: "requests", requests: 1, maxDurationUs: 1 },
  };
  const stages = [warmUp, userStage(1, { rampUpUs: 0, settleUs: 0, durationUs: 50 })];
  const before: StageTimes = { stages, startsUs: [0, null], doneUs: [null, null], stopUs: null };
  assert.deepEqual(phasesAt(before, [0, 1e9]), ["0 warm-up", "0 warm-up"]);
  assert.equal(stageEdgeUs(before, 0), null);
  const done = { ...before, doneUs: [70, null] };
  assert.deepEqual(phasesAt(done, [69, 70, 1e9]), ["0 warm-up", "0 between", "0 between"]);
  assert.deepEqual(phasesAt({ ...done, startsUs: [0, 90] }, [89, 90, 140]), [
    "0 between",
    "1 measured",
    "1 drain",
  ]);
  assert.equal(phaseOfDue(done, 0, 500), "warm-up");
});
