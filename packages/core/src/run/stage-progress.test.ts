import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "../load/resolve-stages.js";
import { initialStageStarts } from "../load/timeline.js";
import { PlanSchema } from "../plan/schema.js";
import type { AgentView } from "./agent-view.js";
import { leadRun } from "./leader-machine.js";
import { initialLeaderState, type LeaderState } from "./leader-state.js";
import type { RunRecord } from "./run-record.js";

const S = 1_000_000;
const HOUR = 3600 * S;
/** Time zero on the leader's clock. */
const ZERO = 1000 * S;

const shards = ["a1", "a2"].map((agent, index) => ({
  ...{ agent, instance: `${agent}-1`, epoch: 1, index, host: "h", version: "1" },
  ...{ clockOffsetUs: 0, clockErrorUs: 0 },
}));

/** Two agents in a run of one level that lasts so long. */
function running(durationMs: number): LeaderState {
  const plan = PlanSchema.parse({
    version: 1,
    target: { urls: ["http://h:8000"] },
    load: { kind: "users", stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs }] },
    warmUp: { requests: 0 },
  });
  const record: RunRecord = {
    ...{ v: 1, id: "r1", name: "r", createdAtMs: 0, plan, planDigest: "", salt: "s", state: "running" },
    ...{ term: 1, leader: "l", revision: 5, shards, problem: null, result: null },
    start: { attempt: 1, committed: true, leaderUs: ZERO, epochUs: 0, localUs: {} },
    stageStartsUs: initialStageStarts(resolveStages(plan)),
    stop: { level: "none", reason: "" },
  };
  const config = { term: 1, leader: "l", epoch: 1, epochOffsetUs: 0, listeningSinceUs: 0 };
  return {
    ...initialLeaderState(record, config, ZERO),
    shards,
    step: { kind: "running", earlySinceUs: null },
  };
}

/** What becomes of a run of this length whose agent a2 ends its load so much before its leader thinks it over. */
function endedEarlyBy(earlyUs: number, durationUs: number): string {
  let state = running(durationUs / 1000);
  for (let atUs = durationUs - earlyUs; atUs <= durationUs; atUs += 100_000) {
    const views = shards.map(
      ({ agent, instance }): AgentView => ({
        ...{ agent, instance, host: "h", version: "1", labels: {}, run: "r1", epoch: 1, ready: null },
        ...{ armedAttempt: 1, startErrorUs: 0, stage: 0, stageDone: -1, lastCut: 0, lastAcked: 0 },
        ...{ ledger: null, vitals: null, problem: null, isContested: false, silentUs: 0 },
        state: agent === "a2" ? "delivering" : "running",
        heardAtUs: ZERO + atUs,
      }),
    );
    const agents = new Map(views.map((view) => [view.agent, view]));
    ({ state } = leadRun(state, { kind: "look", nowUs: ZERO + atUs, agents, delivered: new Set() }));
    if (state.record.problem !== null) return state.record.problem.message;
  }
  return state.record.state;
}

test("an agent that ends its load seconds before the others fails the run by its name", () => {
  assert.match(endedEarlyBy(4 * S, 60 * S), /^ended its load while that of the others went on: a2 on h/);
  assert.match(endedEarlyBy(60 * S, 2 * HOUR), /^ended its load while that of the others went on: a2 on h/);
});

test("an agent whose clock is fast ends a run of hours seconds before its leader, and that is no failure", () => {
  // 200 ppm of eight hours.
  assert.equal(endedEarlyBy(5.8 * S, 8 * HOUR), "draining");
});
