import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "../load/resolve-stages.js";
import { PlanSchema } from "../plan/schema.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import { leadRun, terminalState } from "./leader-machine.js";
import { recoverZeroUs, resumeLeading } from "./leader-resume.js";
import type { LeaderState, Transition } from "./leader-state.js";
import type { RunRecord, ShardAssignment } from "./run-record.js";
import { longestRunUs } from "./stage-progress.js";

const shards = ["a1", "a2", "a3"].map(
  (agent, index): ShardAssignment => ({
    agent,
    instance: `${agent}-1`,
    epoch: 1,
    index,
    host: "h",
    version: "0",
    clockOffsetUs: 0,
    clockErrorUs: 0,
  }),
);
/** How an agent's clock stands to the new leader's. */
const offset = (offsetUs: number) => ({ offsetUs, errorUs: 10, rttUs: 20 });

test("time zero on a new leader's clock is the median of what the agents' own clocks say", () => {
  const localUs = { a1: 1_000_000, a2: 900_000_020, a3: 5_000_100 };
  const offsets = new Map([
    ["a1", offset(-6_000_000)],
    ["a2", offset(893_000_000)],
    ["a3", offset(-2_000_000)],
  ]);
  assert.equal(recoverZeroUs(localUs, shards, offsets), 7_000_020);
  offsets.delete("a3");
  assert.equal(recoverZeroUs(localUs, shards, offsets), 7_000_010);
  assert.equal(recoverZeroUs(localUs, shards, new Map()), null, "nobody answered");
});

const S = 1_000_000;
const plan = PlanSchema.parse({
  version: 1,
  target: { urls: ["http://127.0.0.1:8000"], model: "m" },
  load: { kind: "users", stages: [{ users: 3, rampUpMs: 0, settleMs: 0, durationMs: 20_000 }] },
  warmUp: { requests: 0 },
  gracePeriodMs: 1000,
});
/** As the leader before left it; time zero was at 5 s by the agents' own clocks. */
const left: RunRecord = {
  v: 1,
  id: "r1",
  name: "run",
  createdAtMs: 1,
  plan,
  planDigest: "d",
  salt: "s",
  state: "running",
  term: 2,
  leader: "c2",
  revision: 9,
  shards,
  start: {
    attempt: 1,
    committed: true,
    leaderUs: 77 * S,
    epochUs: 1_000 * S,
    localUs: { a1: 5 * S, a2: 5 * S, a3: 5 * S },
  },
  stageStartsUs: [0],
  stop: { level: "none", reason: "" },
  problem: null,
  result: null,
};
/** The new leader's wall clock is behind by ten minutes. */
const config = {
  term: 2,
  leader: "c2",
  epoch: 2,
  epochOffsetUs: 1_000 * S - 77 * S - 600 * S,
  listeningSinceUs: 0,
};
const NOW_US = 30 * S;

/** Taken over, with results up to run time 7 s; then asked for the clocks. */
function takenOver(change: Partial<RunRecord>, reachedUs = 7 * S): LeaderState {
  const { state } = resumeLeading({ ...left, ...change }, config, NOW_US - S);
  const event = { kind: "restored", nowUs: NOW_US, endUs: 0, reachedUs, isScraped: true } as const;
  return leadRun(state, event).state;
}

function answer(state: LeaderState, who: readonly string[] = ["a1", "a2", "a3"]): Transition {
  const offsets = new Map(who.map((agent) => [agent, offset(-15 * S)]));
  return leadRun(state, { kind: "probed", nowUs: NOW_US, offsets });
}

test("clocks that do not answer a new leader are asked again: no wall clock says what run time it is", () => {
  let step = answer(takenOver({}), []);
  assert.deepEqual(
    step.effects.map(({ kind }) => kind),
    ["note", "probe"],
  );
  step = answer(step.state, ["a2"]);
  assert.equal(step.state.step.kind, "running");
  assert.equal(step.state.record.start?.leaderUs, 20 * S);
  assert.equal(step.state.isTimeKnown, true);
});

test("where nobody's clock ever answers, run time is that of the results, and is not taken for known", () => {
  let step = answer(takenOver({}), []);
  for (let attempt = 2; attempt <= LEADER_LIMITS.resumeAttempts; attempt += 1) step = answer(step.state, []);
  assert.equal(step.state.step.kind, "running");
  assert.equal(step.state.record.start?.leaderUs, NOW_US - 7 * S);
  assert.equal(step.state.isTimeKnown, false);
});

test("a leader that died before it could note the end of a run's time leaves that of its results", () => {
  const { state, effects } = answer(takenOver({ state: "delivering" }));
  assert.equal(state.endUs, 7 * S);
  assert.ok(effects.some((effect) => effect.kind === "drained" && effect.endUs === 7 * S));
});

test("a run that was cut because it failed still delivers after a takeover; one that somebody cut ends", () => {
  const stop = { level: "cut", reason: "agent a1 was lost" } as const;
  const failed = { code: "AGENT_LOST", message: "agent a1 was lost" } as const;
  const waiting = answer(takenOver({ state: "delivering", stop, problem: failed }));
  assert.equal(waiting.state.step.kind, "delivering");
  const ended = answer(takenOver({ state: "delivering", stop }));
  assert.equal(ended.state.step.kind, "finishing");
});

for (const state of ["draining", "delivering"] as const) {
  test(`a cut that was written while nobody led a run that was ${state} aborts it`, () => {
    const stop = { level: "cut", reason: "stopped by a test" } as const;
    const { record } = answer(takenOver({ state, stop })).state;
    assert.equal(terminalState(record.problem), "aborted");
  });
}

test("no run lasts longer than its plan can", () => {
  const ofPlan = (load: Parameters<typeof PlanSchema.parse>[0]) => {
    const parsed = PlanSchema.parse({ ...plan, load });
    return longestRunUs(parsed, resolveStages(parsed));
  };
  assert.ok(longestRunUs(plan, resolveStages(plan)) > 21 * S);
  assert.ok(
    ofPlan({ kind: "users", stages: [{ users: 3, requests: 10, maxDurationMs: 7_200_000 }] }) > 7200 * S,
  );
});
