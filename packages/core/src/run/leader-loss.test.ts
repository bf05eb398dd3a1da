import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "../load/resolve-stages.js";
import { initialStageStarts } from "../load/timeline.js";
import { type PlanInput, PlanSchema } from "../plan/schema.js";
import type { AgentView } from "./agent-view.js";
import { givenUpAgents } from "./leader-loss.js";
import { leadRun } from "./leader-machine.js";
import { initialLeaderState, type LeaderState, type Transition } from "./leader-state.js";
import type { RunRecord } from "./run-record.js";

const S = 1_000_000;
/** Time zero on the leader's clock. */
const ZERO = 1000 * S;
const EPOCH = 3;

const ladder: PlanInput["load"] = {
  kind: "users",
  stages: [1, 2, 6].map((users) => ({ users, rampUpMs: 0, settleMs: 0, durationMs: 20_000 })),
};
const bounded: PlanInput["load"] = {
  kind: "users",
  stages: [
    { users: 4, rampUpMs: 0, requests: 40 },
    { users: 4, rampUpMs: 0, settleMs: 0, durationMs: 20_000 },
  ],
};

/** Three agents, running. */
function running(change: Partial<PlanInput>): LeaderState {
  const plan = PlanSchema.parse({
    version: 1,
    target: { urls: ["http://h:8000"] },
    load: ladder,
    warmUp: { requests: 0 },
    ...change,
  });
  const shards = [0, 1, 2].map((index) => ({
    agent: `a${index}`,
    instance: `i${index}`,
    epoch: EPOCH,
    index,
    host: "h",
    version: "1",
    clockOffsetUs: 0,
    clockErrorUs: 0,
  }));
  const record: RunRecord = {
    v: 1,
    id: "r1",
    name: "r",
    createdAtMs: 0,
    plan,
    planDigest: "",
    salt: "s",
    state: "running",
    term: 1,
    leader: "l",
    revision: 5,
    shards,
    start: { attempt: 1, committed: true, leaderUs: ZERO, epochUs: 0, localUs: {} },
    stageStartsUs: initialStageStarts(resolveStages(plan)),
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
  };
  const config = { term: 1, leader: "l", epoch: EPOCH, epochOffsetUs: 0, listeningSinceUs: 0 };
  const state = initialLeaderState(record, config, ZERO);
  return { ...state, shards, step: { kind: "running", earlySinceUs: null } };
}

const view = (index: number, atUs: number, change: Partial<AgentView> = {}): AgentView => ({
  agent: `a${index}`,
  instance: `i${index}`,
  host: "h",
  version: "1",
  labels: {},
  state: "running",
  run: "r1",
  epoch: EPOCH,
  ready: null,
  armedAttempt: 1,
  startErrorUs: 0,
  stage: 0,
  stageDone: -1,
  lastCut: 0,
  lastAcked: 0,
  ledger: null,
  vitals: null,
  problem: null,
  heardAtUs: ZERO + atUs,
  isContested: false,
  silentUs: 0,
  ...change,
});

/** A look at this run time, with what differs from three healthy agents; null: never heard. */
function look(
  state: LeaderState,
  atUs: number,
  others: Readonly<Record<string, Partial<AgentView> | null>> = {},
  delivered: readonly string[] = [],
): Transition {
  const agents = new Map<string, AgentView>();
  for (const index of [0, 1, 2]) {
    const change = others[`a${index}`];
    if (change !== null) agents.set(`a${index}`, view(index, atUs, change));
  }
  return leadRun(state, { kind: "look", nowUs: ZERO + atUs, agents, delivered: new Set(delivered) });
}

/** Silent since a run time. */
const silentSince = (sinceUs: number, nowUs: number): Partial<AgentView> => ({
  heardAtUs: ZERO + sinceUs,
  silentUs: nowUs - sinceUs,
});

const writes = ({ effects }: Transition): string[] =>
  effects.flatMap((effect) => (effect.kind === "write" ? [effect.change.name] : []));

test("under fail a lost agent ends the run, and is told to stop", () => {
  const after = look(running({}), 10 * S, { a1: silentSince(4 * S, 10 * S) });
  assert.deepEqual(writes(after), ["drain"]);
  assert.equal(after.state.record.problem?.code, "AGENT_LOST");
  assert.deepEqual(givenUpAgents(after.state), ["a1"]);
  assert.equal(after.state.record.losses, undefined);
});

test("under continue a silent agent is noted once, is not told to stop, and the run goes on", () => {
  const after = look(running({ lossPolicy: "continue" }), 10 * S, { a1: silentSince(4 * S, 10 * S) });
  assert.deepEqual(writes(after), ["lose"]);
  assert.equal(after.state.step.kind, "running");
  assert.deepEqual(givenUpAgents(after.state), []);
  const [loss] = after.state.record.losses ?? [];
  assert.deepEqual(
    [loss?.agent, loss?.lastHeardUs, loss?.lostUs, loss?.foundUs],
    ["a1", 4 * S, 10 * S, null],
  );
  assert.deepEqual(writes(look(after.state, 11 * S, { a1: silentSince(4 * S, 11 * S) })), []);
});

test("under continue an agent that is heard again after 30 s is found, and can be lost once more", () => {
  let { state } = look(running({ lossPolicy: "continue" }), 10 * S, { a1: silentSince(4 * S, 10 * S) });
  state = look(state, 35 * S).state;
  assert.deepEqual(
    (state.record.losses ?? []).map(({ foundUs }) => foundUs),
    [35 * S],
  );
  state = look(state, 50 * S, { a1: silentSince(44 * S, 50 * S) }).state;
  assert.deepEqual(
    (state.record.losses ?? []).map(({ foundUs }) => foundUs),
    [35 * S, null],
  );
});

test("under continue an agent that is lost and found each minute for a day leaves a record of a few losses", () => {
  let state = running({ lossPolicy: "continue" });
  for (let minute = 1; minute <= 1440; minute += 1) {
    const atUs = minute * 60 * S;
    state = look(state, atUs, { a1: silentSince(atUs - 6 * S, atUs) }).state;
    state = look(state, atUs + 7 * S).state;
  }
  const losses = state.record.losses ?? [];
  assert.equal(losses.length, 4);
  assert.equal(
    losses.reduce((sum, { times = 1 }) => sum + times, 0),
    1440,
  );
});

test("that nothing counts against a lost agent, for the leader does not hear itself, is no sign of it", () => {
  const { state } = look(running({ lossPolicy: "continue" }), 10 * S, { a1: silentSince(4 * S, 10 * S) });
  const after = look(state, 20 * S, { a1: { heardAtUs: ZERO + 4 * S, silentUs: 0 } });
  assert.deepEqual(writes(after), []);
});

test("another process with a lost agent's id, or one of another epoch, is not it", () => {
  const { state } = look(running({ lossPolicy: "continue" }), 10 * S, { a1: silentSince(4 * S, 10 * S) });
  for (const change of [
    { instance: "i1-again" },
    { epoch: EPOCH + 1 },
    { run: null, epoch: 0, state: "idle" },
  ] as const)
    assert.deepEqual(writes(look(state, 20 * S, { a1: change })), [], JSON.stringify(change));
});

test("under reshard a lost agent is told to stop, and its shard is given away with the same change", () => {
  const after = look(running({ lossPolicy: "reshard" }), 10 * S, { a1: silentSince(4 * S, 10 * S) });
  assert.deepEqual(writes(after), ["lose"]);
  assert.deepEqual(givenUpAgents(after.state), ["a1"]);
  // 10 s + 15 s + 1 s is later than the edge at 20 s.
  assert.deepEqual(after.state.record.moves, [
    {
      lost: "a1",
      fromStage: 2,
      to: [
        { agent: "a0", index: 1, count: 6 },
        { agent: "a2", index: 4, count: 6 },
      ],
    },
  ]);
  // It is heard again, and has no part any more.
  assert.deepEqual(writes(look(after.state, 12 * S)), []);
});

test("under reshard the start of a stage that the leader chooses waits until the lost agent has stopped for sure", () => {
  let state = running({ lossPolicy: "reshard", load: bounded });
  state = look(state, 10 * S, { a1: silentSince(4 * S, 10 * S) }).state;
  assert.equal(state.record.moves, undefined);
  const done = { stageDone: 0 };
  const after = look(state, 12 * S, { a0: done, a1: silentSince(4 * S, 12 * S), a2: done });
  assert.deepEqual(writes(after), ["stages"]);
  assert.deepEqual(after.state.record.stageStartsUs, [0, 26 * S]);
  assert.deepEqual(
    (after.state.record.moves ?? []).map(({ lost, fromStage }) => [lost, fromStage]),
    [["a1", 1]],
  );
});

test("under continue a stage bounded by requests is done when those have done it that are there", () => {
  let state = running({ lossPolicy: "continue", load: bounded });
  state = look(state, 10 * S, { a1: silentSince(4 * S, 10 * S) }).state;
  const done = { stageDone: 0 };
  const after = look(state, 12 * S, { a0: done, a1: silentSince(4 * S, 12 * S), a2: done });
  assert.deepEqual(after.state.record.stageStartsUs, [0, 12 * S + 1_100_000]);
});

test("a run that has lost all its agents fails: under reshard at once, under continue when none would still be sending", () => {
  const all = (nowUs: number) => {
    const gone = silentSince(4 * S, nowUs);
    return { a0: gone, a1: gone, a2: gone };
  };
  const reshard = look(running({ lossPolicy: "reshard" }), 10 * S, all(10 * S));
  assert.match(reshard.state.record.problem?.message ?? "", /every agent was lost/);
  let { state } = look(running({ lossPolicy: "continue", orphanMs: 20_000 }), 10 * S, all(10 * S));
  assert.equal(state.step.kind, "running");
  state = look(state, 23 * S, all(23 * S)).state;
  assert.equal(state.step.kind, "running");
  state = look(state, 24 * S, all(24 * S)).state;
  assert.match(state.record.problem?.message ?? "", /every agent was lost/);
});

test("at the end a lost agent's results are waited for as long as it may come back, and no longer than deliverMs", () => {
  for (const [orphanMs, deliverMs, endsAtUs] of [
    [60_000, 30_000, 92 * S],
    [5_000, 30_000, 64 * S],
    [60_000, 1000, 63 * S],
  ] as const) {
    let state = running({ lossPolicy: "continue", orphanMs, deliverMs });
    state = look(state, 58 * S, { a1: silentSince(53 * S, 58 * S) }).state;
    state = { ...state, step: { kind: "delivering", sinceUs: ZERO + 62 * S, isScraped: true } };
    const at = (nowUs: number) =>
      look(state, nowUs, { a1: silentSince(53 * S, nowUs) }, ["a0", "a2"]).state.step.kind;
    assert.equal(at(endsAtUs - 1), "delivering");
    assert.equal(at(endsAtUs), "finishing", `${orphanMs} ${deliverMs}`);
  }
});

test("a lost agent that is heard while others deliver is waited for; one whose id another process has is not", () => {
  let state = running({ lossPolicy: "continue" });
  state = look(state, 58 * S, { a1: silentSince(53 * S, 58 * S) }).state;
  state = { ...state, step: { kind: "delivering", sinceUs: ZERO + 62 * S, isScraped: true } };
  const found = look(state, 70 * S, { a1: { state: "delivering" } }, ["a0", "a2"]);
  assert.deepEqual(writes(found), ["lose"]);
  assert.equal(
    look(found.state, 71 * S, { a1: { state: "delivering" } }, ["a0", "a2"]).state.step.kind,
    "delivering",
  );
  const replaced = look(state, 63 * S, { a1: { instance: "i1-again", run: null } }, ["a0", "a2"]);
  assert.equal(replaced.state.step.kind, "finishing");
});

test("an agent that is asked to end in mid-run drains and delivers, and the run goes on without it", () => {
  const problem = { code: "RUN_ABORTED", message: "the agent was stopped" } as const;
  const after = look(running({ lossPolicy: "continue" }), 10 * S, { a1: { state: "draining", problem } });
  assert.deepEqual(writes(after), ["lose"]);
  assert.deepEqual(writes(look(after.state, 11 * S, { a1: { state: "draining", problem } })), []);
});
