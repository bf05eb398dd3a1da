import assert from "node:assert/strict";
import { test } from "node:test";
import { type PlanInput, PlanSchema } from "../plan/schema.js";
import { resolveStages } from "./resolve-stages.js";
import {
  initialStageStarts,
  measuredWindow,
  nextStageStarts,
  stageLengthUs,
  stagePhaseAt,
} from "./timeline.js";

function resolved(load: PlanInput["load"], requests = 0) {
  const plan = { version: 1, target: { urls: ["http://h:8000"] }, load, warmUp: { requests } };
  return resolveStages(PlanSchema.parse(plan));
}

const S = 1_000_000;
const held = { users: 10, rampUpMs: 2000, settleMs: 1000, durationMs: 7000 };
const counted = { users: 10, rampUpMs: 2000, requests: 5 };

test("stages bounded by duration follow one another without a word", () => {
  const stages = resolved({ kind: "users", stages: [held, { ...held, durationMs: 5000 }, held] });
  assert.deepEqual(initialStageStarts(stages), [0, 10 * S, 18 * S]);
  assert.deepEqual(stages.map(stageLengthUs), [10 * S, 8 * S, 10 * S]);
});

test("what follows a stage bounded by requests waits for its commit", () => {
  const stages = resolved({ kind: "users", stages: [held, counted, held, held, counted, held] }, 8);
  const first = initialStageStarts(stages);
  assert.deepEqual(first, [0, null, null, null, null, null, null]);
  const afterWarmUp = nextStageStarts(stages, first, 1, 3 * S);
  assert.deepEqual(afterWarmUp, [0, 3 * S, 13 * S, null, null, null, null]);
  assert.deepEqual(nextStageStarts(stages, afterWarmUp, 3, 20 * S), [
    0,
    3 * S,
    13 * S,
    20 * S,
    30 * S,
    40 * S,
    null,
  ]);
  assert.deepEqual(first, [0, null, null, null, null, null, null], "the starts handed in are not changed");
  assert.deepEqual(initialStageStarts([]), []);
  assert.throws(() => nextStageStarts(stages, first, 7, 0), /no stage 7/);
});

test("a stage of users ramps and settles, then it is measured", () => {
  const [stage] = resolved({ kind: "users", stages: [held] });
  assert.ok(stage !== undefined);
  assert.deepEqual(measuredWindow(stage), { fromUs: 3 * S, toUs: 10 * S });
  const phases = [0, 3 * S - 1, 3 * S, 10 * S - 1].map((t) => stagePhaseAt(stage, t));
  assert.deepEqual(phases, ["ramp", "ramp", "measured", "measured"]);
});

test("a stage bounded by requests is measured whole, and its length is not known", () => {
  const [stage] = resolved({ kind: "users", stages: [counted] });
  assert.ok(stage !== undefined);
  assert.deepEqual(measuredWindow(stage), { fromUs: 0, toUs: null });
  assert.equal(stagePhaseAt(stage, 0), "measured");
  assert.equal(stageLengthUs(stage), null);
});

test("the warm-up is never measured", () => {
  const [stage] = resolved({ kind: "users", stages: [held] }, 8);
  assert.ok(stage !== undefined);
  assert.equal(measuredWindow(stage), null);
  assert.equal(stagePhaseAt(stage, 5 * S), "warm-up");
});

test("equal rates are measured whole, a slope is a ramp", () => {
  const [flat, slope] = resolved({
    kind: "arrival-rate",
    stages: [
      { durationMs: 4000, fromRps: 5 },
      { durationMs: 3000, fromRps: 5, toRps: 9 },
    ],
  });
  assert.ok(flat !== undefined && slope !== undefined);
  assert.deepEqual(measuredWindow(flat), { fromUs: 0, toUs: 4 * S });
  assert.equal(stagePhaseAt(flat, 0), "measured");
  assert.equal(measuredWindow(slope), null);
  assert.equal(stagePhaseAt(slope, 2 * S), "ramp");
});
