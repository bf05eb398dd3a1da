import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createAggregate,
  createRecorder,
  type RunReport,
  requirePlan,
  resolveStages,
  summariseRun,
} from "@tokenstorm/core";
import { aRunRecord, runFacts, someVitals } from "@tokenstorm/testkit";
import { reportFromJson } from "./report-message.js";

const plan = requirePlan({
  version: 1,
  target: { urls: ["http://127.0.0.1:8000"] },
  load: { kind: "arrival-rate", spacing: "even", stages: [{ fromRps: 1, durationMs: 3000 }] },
  warmUp: { requests: 0 },
});

const facts = runFacts(aRunRecord(plan), { model: "m", endUs: 3_000_000 });

/** An open level in which nothing was sent. */
function aReport(): RunReport {
  const stages = resolveStages(plan);
  const aggregate = createAggregate({ stages, shards: facts.record.shards });
  const recorder = createRecorder({
    run: "r1",
    agent: "a",
    epoch: 1,
    stages,
    stageStartsUs: [0],
    intervalUs: 1_000_000,
    gracePeriodUs: 0,
    slos: undefined,
    vitals: () => someVitals,
    onSnapshot: (snapshot) => aggregate.fold(snapshot),
  });
  aggregate.foldFinal(recorder.finish(3_000_000, { startErrorUs: 7, evicted: 0, reader: "undici" }));
  return summariseRun({ facts, stages, aggregate, serverSamples: [] });
}

test("a report comes back from JSON as it was, the stimulus with it", () => {
  const report = aReport();
  assert.equal(report.stages[0]?.stimulus?.open?.planned, 3);
  assert.deepEqual(report.start, { agents: 1, errorMaxUs: 7, skewUs: 0, skewAtMostUs: 0 });
  assert.deepEqual(reportFromJson(JSON.stringify(report)), report);
});

test("a report that is older than the stimulus is read, and has none", () => {
  const { start: _start, stages, ...report } = aReport();
  const older = { ...report, stages: stages.map(({ stimulus: _stimulus, ...stage }) => stage) };
  assert.deepEqual(reportFromJson(JSON.stringify(older)), older);
});

test("a stimulus that is none is refused by its field", () => {
  const report = aReport();
  const broken = { ...report, stages: [{ ...report.stages[0], stimulus: { open: {}, closed: null } }] };
  assert.throws(() => reportFromJson(JSON.stringify(broken)), {
    code: "RESULTS_UNREADABLE",
    message: /stages\.0\.stimulus\.open\.planned/,
  });
});

test("what a ladder's saturation is comes back whole, of whatever kind", () => {
  const found = { inFlight: 256, low: 240, high: 271, by: "service", throughput: 9200 } as const;
  for (const saturation of [
    { kind: "found", ...found, sentence: "About 256." },
    { kind: "at-most", atMost: 100, throughput: 5, sentence: "At most 100." },
    { kind: "none", upTo: 1000, from: 750, to: 1000, growth: 0.05, sentence: "None found." },
    { kind: "unknown", because: "too noisy" },
  ] as const) {
    const report: RunReport = { ...aReport(), saturation };
    assert.deepEqual(reportFromJson(JSON.stringify(report)).saturation, saturation);
  }
  const { saturation: _, ...without } = aReport();
  assert.ok(!("saturation" in reportFromJson(JSON.stringify(without))));
});
