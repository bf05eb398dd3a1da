import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createRecorder,
  type Final,
  requirePlan,
  resolveStages,
  type Snapshot,
  type Vitals,
} from "@tokenstorm/core";
import { aRunRecord, CALM_FIGURES, runFacts } from "@tokenstorm/testkit";
import { type RunResult, rebuildReport } from "./rebuild.js";

const plan = requirePlan({
  version: 1,
  target: { urls: ["http://127.0.0.1:8000"] },
  load: { kind: "users", stages: [{ users: 1, rampUpMs: 0, settleMs: 0, durationMs: 3000 }] },
  warmUp: { requests: 0 },
});

const facts = runFacts(aRunRecord(plan), { model: "m", endUs: 3_000_000 });

const vitals: Omit<Vitals, "scheduleLagP99Us" | "coalescedShare"> = {
  ...CALM_FIGURES,
  openSockets: 1,
  descriptors: 1,
  descriptorLimit: 100,
};

/** One user whose requests take 0.5 s, two tokens each, for 3 s. */
function recordedLines(): RunResult[] {
  const snapshots: Snapshot[] = [];
  const recorder = createRecorder({
    run: "r1",
    agent: "a",
    epoch: 1,
    stages: resolveStages(plan),
    stageStartsUs: [0],
    intervalUs: 1_000_000,
    gracePeriodUs: 1_000_000,
    slos: undefined,
    vitals: () => vitals,
    onSnapshot: (snapshot) => snapshots.push(snapshot),
  });
  for (let tUs = 0; tUs < 3_000_000; tUs += 500_000) {
    const sample = recorder.offer({
      stage: 0,
      dueUs: tUs,
      user: 0,
      askedPromptTokens: 10,
      askedOutputTokens: 2,
    });
    recorder.begin(sample, tUs);
    recorder.sent(sample, tUs);
    recorder.headers(sample, tUs + 1000);
    recorder.event(sample, tUs + 100_000, 1, true, false);
    recorder.event(sample, tUs + 400_000, 1, true, false);
    const usage = { prompt: 10, cachedPrompt: 0, output: 2 };
    recorder.end(sample, tUs + 450_000, {
      outcome: { kind: "completed" },
      usage,
      tokenSource: "usage",
      finish: "length",
    });
  }
  recorder.advance(3_000_000);
  const final: Final = recorder.finish(3_000_000, { startErrorUs: 3, evicted: 0, reader: "test" });
  return [
    ...snapshots.map((snapshot) => ({ kind: "snapshot", snapshot }) as const),
    { kind: "final", final },
  ];
}

test("a report is rebuilt from the lines of a run, in any order, each counted once", async () => {
  const lines = recordedLines();
  const report = await rebuildReport({ facts, results: lines, events: [] });
  assert.equal(report.totals.requests.completed, 6);
  assert.equal(report.stages[0]?.tokens.output, 12);
  assert.equal(report.stages[0]?.rates.outputTokensPerS, 4);
  assert.equal(report.completeness.intervalsReceived, report.completeness.intervalsExpected);
  assert.equal(report.completeness.samplesMerged, report.completeness.samplesRecorded);
  const shuffled = [...lines.toReversed(), ...lines];
  assert.deepEqual(await rebuildReport({ facts, results: shuffled, events: [] }), report);
});

test("a line that is missing is missed in the report", async () => {
  const report = await rebuildReport({ facts, results: recordedLines().slice(1), events: [] });
  assert.deepEqual(report.completeness.missing, [{ agent: "a", from: 1, to: 1 }]);
  assert.notEqual(report.verdict.status, "valid");
});

test("what the target's gauges said is averaged over the window", async () => {
  const counters = {
    promptTokens: 0,
    generationTokens: 0,
    successes: 0,
    preemptions: 0,
    prefixHits: 0,
    prefixQueries: 0,
  };
  const events = [1, 2].map((second) => ({
    kind: "server" as const,
    sample: { ...counters, tUs: second * 1_000_000, running: second, waiting: 0, kvUsage: second / 10 },
  }));
  const report = await rebuildReport({ facts, results: recordedLines(), events });
  assert.equal(report.stages[0]?.server.runningMean, 1.5);
  assert.equal(report.stages[0]?.server.kvUsageMax, 0.2);
});
