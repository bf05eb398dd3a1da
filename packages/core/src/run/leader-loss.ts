import { orphanMsOf } from "../plan/defaults.js";
import { type AgentTrouble, isHeardSince } from "./agent-checks.js";
import { nameAgent } from "./agent-view.js";
import { keptLosses } from "./kept-losses.js";
import type { LeaderEffect, LeaderEvent, LeaderState, Transition } from "./leader-state.js";
import { write } from "./leader-transition.js";
import type { Loss, Problem, ShardAssignment } from "./run-record.js";
import { movesOf, openLosses, stoppedByUs } from "./shard-map.js";

type Look = Extract<LeaderEvent, { kind: "look" }>;

/** Whether the run goes on without agents that it loses now. Before its start is committed, nothing would be lost by a new one. */
export function goesOnWithout({ record, step }: LeaderState): boolean {
  if (record.plan.lossPolicy === "fail") return false;
  return step.kind === "running" || step.kind === "draining" || step.kind === "delivering";
}

/** Names of agents that must stop, for the beacon: under `continue` whoever comes back goes on. */
export function givenUpAgents({ givenUp, record }: LeaderState): readonly string[] {
  if (record.plan.lossPolicy !== "reshard") return givenUp;
  return [...givenUp, ...openLosses(record).map(({ agent }) => agent)];
}

/**
 * What changes of the record because agents were lost, or are there again; null where nothing does. Losses stand in the
 * record, so that whoever takes over knows them, and whoever folds the results knows what could not come.
 */
export function noteLosses(
  state: LeaderState,
  look: Look,
  troubles: readonly AgentTrouble[],
): Transition | null {
  const { record } = state;
  const found = foundAgents(state, look);
  if (troubles.length === 0 && found.length === 0) return null;
  const nowUs = runUs(state, look.nowUs);
  const known = (record.losses ?? []).map((loss) =>
    loss.foundUs === null && found.some(({ agent }) => agent === loss.agent)
      ? { ...loss, foundUs: nowUs }
      : loss,
  );
  const losses = keptLosses([...known, ...troubles.map((trouble) => lossOf(state, look, trouble))]);
  const changed = { ...record, losses };
  const moves =
    record.plan.lossPolicy === "reshard" ? movesOf(changed, record.stageStartsUs) : (record.moves ?? []);
  const fields = { losses, ...(moves.length > 0 ? { moves } : {}) };
  const notes = [
    ...found.map((shard) => `agent ${nameAgent(shard)} is heard again, and goes on with its shard`),
    ...troubles.map(
      ({ problem }) => `${problem.message}; the run goes on (lossPolicy: ${record.plan.lossPolicy})`,
    ),
    ...moves.slice(record.moves?.length ?? 0).map((move) => moveNote(state, move)),
  ];
  return write(state, { name: "lose", fields }, notes.map(noteOf));
}

/** `the shard of a2 goes to a1, a3 from stage u10 on`. */
export function moveNote({ stages }: LeaderState, move: ReturnType<typeof movesOf>[number]): string {
  const takers = [...new Set(move.to.map(({ agent }) => agent))].join(", ");
  return `the shard of ${move.lost} goes to ${takers} from stage ${stages[move.fromStage]?.name} on`;
}

export function noteOf(text: string): LeaderEffect {
  return { kind: "note", text };
}

/** Agents that still belong to the run: not lost, or there again. */
export function presentShards({ record, shards }: LeaderState): readonly ShardAssignment[] {
  const lost = openLosses(record);
  return lost.length === 0
    ? shards
    : shards.filter(({ agent }) => lost.every((loss) => loss.agent !== agent));
}

/**
 * Nobody is left who could go on. Under `continue` whoever is silent may come back, as long as it would still be sending.
 */
export function nobodyLeft(state: LeaderState, nowUs: number): Problem | null {
  const { record, shards } = state;
  const losses = openLosses(record);
  if (losses.length < shards.length || shards.length === 0) return null;
  const isAwaited =
    record.plan.lossPolicy === "continue" &&
    losses.some((loss) => runUs(state, nowUs) < loss.lastHeardUs + orphanMsOf(record.plan) * 1000);
  if (isAwaited) return null;
  const last = losses.at(-1);
  return {
    code: "AGENT_LOST",
    message: `every agent was lost, the last one at ${((last?.lostUs ?? 0) / 1e6).toFixed(1)} s: ${last?.reason ?? ""}`,
    hint: "look at their logs and hosts; what they had delivered is in the result",
  };
}

/** Lost agents whose results may come although nothing is heard of them: each may be back before it would have stopped. */
export function maySpeakAgain(state: LeaderState, look: Look): readonly ShardAssignment[] {
  const { record, shards } = state;
  const nowUs = runUs(state, look.nowUs);
  return openLosses(record).flatMap((loss) => {
    const shard = shards.find(({ agent }) => agent === loss.agent);
    if (shard === undefined || look.delivered.has(loss.agent) || nowUs >= stoppedByUs(loss, record.plan))
      return [];
    const view = look.agents.get(loss.agent);
    // Another process has its id: it is gone for good.
    return view === undefined || view.instance === shard.instance ? [shard] : [];
  });
}

function foundAgents(state: LeaderState, look: Look): ShardAssignment[] {
  const { record } = state;
  if (record.plan.lossPolicy !== "continue") return [];
  return openLosses(record).flatMap((loss) => {
    const shard = isHeardSince(state, loss, look.agents);
    return shard !== null && look.agents.get(loss.agent)?.problem === null ? [shard] : [];
  });
}

function lossOf(state: LeaderState, look: Look, { agent, problem }: AgentTrouble): Loss {
  const view = look.agents.get(agent);
  const epoch = state.shards.find((shard) => shard.agent === agent)?.epoch ?? 0;
  // Who has not been heard by this leader was heard, if at all, before it began to listen.
  const heardAtUs = view === undefined ? state.config.listeningSinceUs : view.heardAtUs;
  const lostUs = runUs(state, look.nowUs);
  return {
    agent,
    epoch,
    lastHeardUs: Math.min(lostUs, runUs(state, heardAtUs)),
    lostUs,
    reason: problem.message.slice(0, LONGEST_REASON),
    foundUs: null,
  };
}

const LONGEST_REASON = 200;

function runUs({ record }: LeaderState, leaderNowUs: number): number {
  return Math.max(0, leaderNowUs - (record.start?.leaderUs ?? leaderNowUs));
}
