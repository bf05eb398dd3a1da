import assert from "node:assert/strict";
import { test } from "node:test";
import type { IntervalVitals } from "./aggregate.js";
import { summariseProbes } from "./probe-delays.js";
import { ProbeFold } from "./probe-fold.js";
import { stampUncertainty } from "./stamp-uncertainty.js";
import { IDLE_VITALS } from "./testing/scripted-run.js";
import { VitalsFold } from "./vitals-fold.js";

const HEALTHY = { ...IDLE_VITALS, scheduleLagP99Us: 0, coalescedShare: 0 };

function interval(
  agent: string,
  stage: number,
  delaysUs: readonly number[] | null,
  loopDelayP99Us = 900,
): IntervalVitals {
  const selfProbe = delaysUs === null ? undefined : summariseProbes(delaysUs);
  return {
    agent,
    seq: 1,
    fromUs: 0,
    toUs: 1_000_000,
    measuredStages: [stage],
    vitals: { ...HEALTHY, loopDelayP99Us, selfProbe },
  };
}

function uncertainty(stage: number, intervals: readonly IntervalVitals[]) {
  const probes = new ProbeFold();
  const vitals = new VitalsFold();
  for (const one of intervals) {
    probes.add(one);
    vitals.add(one);
  }
  return stampUncertainty(vitals.loopDelays(stage), probes.ofStage(stage));
}

const many = (delayUs: number, times = 200) => Array.from({ length: times }, () => delayUs);

test("stamps are as good as the p99 of all probes of the level x 1.6", () => {
  const found = uncertainty(1, [
    interval("a", 1, many(200)),
    interval("a", 1, [...many(200, 199), 9000]),
    interval("a", 2, many(50_000)),
  ]);
  assert.equal(found?.source, "self-probe");
  assert.ok(found !== null && found.p99Us >= 320 && found.p99Us < 352, JSON.stringify(found));
  assert.equal(found?.worst, null);
});

test("of several agents one that is more than twice as bad as all together is named with its own figure", () => {
  const found = uncertainty(1, [interval("a", 1, many(200)), interval("b", 1, many(4000, 2))]);
  assert.equal(found?.worst?.agent, "b");
  assert.ok((found?.worst?.us ?? 0) >= 6400, JSON.stringify(found));
});

test("where an interval has no probe its loop delay stands in, the worst of them, and never less than the probes say", () => {
  const lateLoop = uncertainty(1, [interval("a", 1, many(200)), interval("a", 1, null, 7000)]);
  assert.deepEqual(lateLoop, { p99Us: 7000, source: "event-loop delay", worst: null });
  const lateProbe = uncertainty(1, [interval("a", 1, many(9000)), interval("a", 1, null, 700)]);
  assert.ok((lateProbe?.p99Us ?? 0) >= 14_400, JSON.stringify(lateProbe));
});

test("a level without a measured interval says nothing", () => {
  assert.equal(uncertainty(3, [interval("a", 1, many(200))]), null);
});
