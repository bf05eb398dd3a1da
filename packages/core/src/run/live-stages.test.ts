import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "../load/resolve-stages.js";
import type { Aggregate, FoldedBlock } from "../measure/aggregate.js";
import { emptyDue, emptyFlow } from "../measure/counts.js";
import { createAggregate } from "../measure/fold.js";
import { createHistogram } from "../measure/hdr-histogram.js";
import { PlanSchema } from "../plan/schema.js";
import { liveStages } from "./live-stages.js";

const stages = resolveStages(
  PlanSchema.parse({
    version: 1,
    target: { urls: ["http://h:1"] },
    warmUp: { requests: 0 },
    load: { kind: "users", stages: Array.from({ length: 300 }, () => ({ users: 2, durationMs: 1000 })) },
  }),
);

function block(stage: number, phase: FoldedBlock["phase"], change: Partial<FoldedBlock> = {}): FoldedBlock {
  const empty = {
    histograms: new Map(),
    agents: new Map(),
    targets: new Map(),
    work: new Map(),
    workLatencies: new Map(),
    lastEnd: null,
  };
  const none = { unsettled: 0, unoffered: 0, ...empty };
  return { stage, phase, flow: emptyFlow(), due: emptyDue(), ...none, ...change };
}

function aggregateOf(blocks: readonly FoldedBlock[]): Aggregate {
  return Object.assign(createAggregate({ stages: [], shards: [] }), { blocks: () => blocks });
}

test("a stage so far is the sum of its phases, and each stage stands for itself", () => {
  const ttft = createHistogram();
  ttft.record(1000, 3);
  ttft.record(5001);
  const ramp = block(0, "ramp", {
    due: { ...emptyDue(), offered: 5, completed: 4, failed: { dns: 1 } },
    flow: { ...emptyFlow(), outputTokens: 40, promptTokens: 9 },
    histograms: new Map([["ttft", ttft]]),
  });
  const measured = block(0, "measured", {
    due: {
      ...emptyDue(),
      offered: 10,
      completed: 4,
      failed: { dns: 1, empty: 2 },
      cancelled: 1,
      unknown: 1,
      censored: 1,
    },
    flow: { ...emptyFlow(), outputTokens: 2 },
    histograms: new Map([["ttft", ttft]]),
  });
  const [first, second, ...more] = liveStages(stages, aggregateOf([block(1, "ramp"), ramp, measured]));
  assert.deepEqual(first, {
    index: 0,
    name: stages[0]?.name,
    offered: 15,
    completed: 8,
    failed: 4,
    cancelled: 1,
    dropped: 0,
    unknown: 1,
    censored: 1,
    outputTokens: 42,
    promptTokens: 9,
    latencyUs: {
      ttft: { count: 8, sum: 16_002 },
      itl: { count: 0, sum: 0 },
      e2e: { count: 0, sum: 0 },
    },
  });
  assert.deepEqual([second?.index, second?.offered, more.length], [1, 0, 0]);
});

test("of very many stages the last ones are told", () => {
  const told = liveStages(stages, aggregateOf(stages.map((_, index) => block(index, "measured"))));
  assert.equal(told.length, 200);
  assert.deepEqual([told[0]?.index, told.at(-1)?.index], [100, 299]);
});
