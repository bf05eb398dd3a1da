import { type AgentView, nameAgent, nameAgents } from "./agent-view.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import type { LeaderEvent, LeaderState } from "./leader-state.js";
import type { Loss, Problem, ShardAssignment } from "./run-record.js";
import { openLosses } from "./shard-map.js";

type Look = Extract<LeaderEvent, { kind: "look" }>;
type Agents = ReadonlyMap<string, AgentView>;

export interface AgentTrouble {
  readonly agent: string;
  /** As it is for the run. */
  readonly problem: Problem;
  /** It was asked to end: it finishes what it has begun, and delivers. */
  readonly isLeaving: boolean;
}

/** Admitted agents that are lost, have failed or are leaving; those that were given up are known. */
export function agentTroubles(state: LeaderState, look: Look): readonly AgentTrouble[] {
  if (!isWatched(state)) return [];
  const lost = openLosses(state.record);
  return state.shards.flatMap((shard) => {
    if (state.givenUp.includes(shard.agent) || lost.some(({ agent }) => agent === shard.agent)) return [];
    const view = look.agents.get(shard.agent);
    // A new leader waits until it can have heard of everyone.
    if (view === undefined && isListening(state, look.nowUs)) return [];
    const own = ownProblem(state, shard, view);
    const problem = look.delivered.has(shard.agent) ? own : (lossOf(state, shard, view) ?? own);
    if (problem === null) return [];
    const isLeaving = problem === own && view?.problem?.code === "RUN_ABORTED";
    return [{ agent: shard.agent, problem, isLeaving }];
  });
}

/** Until then silence says nothing: a leader that has just begun has not heard everyone yet. */
export function isListening({ config }: LeaderState, nowUs: number): boolean {
  return nowUs - config.listeningSinceUs < LEADER_LIMITS.lostUs;
}

function isWatched({ step }: LeaderState): boolean {
  // Before it goes on with a run that it has taken over, a leader judges nobody.
  if (step.kind === "probing" && step.then === "resume") return false;
  return IS_WATCHED[step.kind];
}

const IS_WATCHED: Readonly<Record<LeaderState["step"]["kind"], boolean>> = {
  gathering: false,
  restoring: false,
  probing: true,
  preparing: true,
  scraping: true,
  arming: true,
  running: true,
  draining: true,
  delivering: true,
  finishing: false,
  ended: false,
};

function lossOf(state: LeaderState, shard: ShardAssignment, view: AgentView | undefined): Problem | null {
  const lost = (what: string): Problem => ({
    code: "AGENT_LOST",
    message: `agent ${nameAgent(shard)} ${what}`,
    hint: "look at its log and its host; what it had delivered is in the result",
  });
  if (view === undefined) return lost("is not heard any more");
  if (view.instance !== shard.instance) return lost("was restarted: another process has taken its id");
  if (view.silentUs >= LEADER_LIMITS.lostUs) {
    return lost(`was lost: silent for ${(view.silentUs / 1e6).toFixed(1)} s`);
  }
  // What it says itself of its leaving says more.
  if (ownProblem(state, shard, view) !== null) return null;
  const isOurs = isInRun(state, shard, view);
  // Until all were ready an agent may still be on its way into the run.
  const hasJoined = state.step.kind !== "probing" && state.step.kind !== "preparing";
  return hasJoined && !isOurs ? lost(`has left the run: it is ${view.state}`) : null;
}

/** What the agent itself says went wrong in this run: it failed, ended its load early, or gave up delivering. */
function ownProblem(state: LeaderState, shard: ShardAssignment, view: AgentView | undefined): Problem | null {
  if (view === undefined || view.instance !== shard.instance || !isInRun(state, shard, view)) return null;
  // It waited in vain for somebody to confirm. Whether anything is missing is seen at the verdict.
  if ((view.undelivered ?? 0) > 0) return null;
  if (view.problem !== null) {
    // A run is aborted by whoever may stop it; an agent that was ended leaves it short of a shard.
    const code = view.problem.code === "RUN_ABORTED" ? "AGENT_LOST" : view.problem.code;
    return { ...view.problem, code, message: `agent ${nameAgent(shard)}: ${view.problem.message}` };
  }
  return view.state === "failed"
    ? { code: "AGENT_NOT_READY", message: `agent ${nameAgent(shard)} failed without saying why` }
    : null;
}

function isInRun(state: LeaderState, shard: ShardAssignment, view: AgentView): boolean {
  return view.run === state.record.id && view.epoch === shard.epoch;
}

/**
 * The very process that was lost has spoken since, and says that it is in this run. That nothing counts against it is not
 * enough: nothing counts against anyone while the leader does not hear itself.
 */
export function isHeardSince(
  state: LeaderState,
  loss: Loss,
  agents: ReadonlyMap<string, AgentView>,
): ShardAssignment | null {
  const shard = state.shards.find(({ agent, epoch }) => agent === loss.agent && epoch === loss.epoch);
  const view = agents.get(loss.agent);
  if (shard === undefined || view === undefined || view.instance !== shard.instance) return null;
  const lostAtUs = (state.record.start?.leaderUs ?? 0) + loss.lostUs;
  const isFresh = view.heardAtUs > lostAtUs && view.silentUs < LEADER_LIMITS.freshUs;
  return isFresh && isInRun(state, shard, view) ? shard : null;
}

/** Those of whom something is still to come: of lost ones, those that are heard again. */
function expected(state: LeaderState, look: Look): ShardAssignment[] {
  const lost = openLosses(state.record);
  return state.shards.filter((shard) => {
    const { agent } = shard;
    if (state.givenUp.includes(agent) || look.delivered.has(agent)) return false;
    const loss = lost.find((one) => one.agent === agent);
    return loss === undefined || isHeardSince(state, loss, look.agents) !== null;
  });
}

export function notReady(state: LeaderState, agents: Agents): ShardAssignment[] {
  return state.shards.filter((shard) => {
    const view = agents.get(shard.agent);
    return (
      view === undefined || view.ready === null || view.state !== "ready" || !isInRun(state, shard, view)
    );
  });
}

export function notDrained(state: LeaderState, look: Look): ShardAssignment[] {
  return expected(state, look).filter((shard) => {
    const doing = look.agents.get(shard.agent)?.state;
    return doing !== "delivering" && doing !== "done";
  });
}

export function notDelivered(state: LeaderState, look: Look): ShardAssignment[] {
  return expected(state, look);
}

/** Agents that would not send the same plan, by name: versions first, for they explain the rest. */
export function unequalReady(state: LeaderState, agents: Agents): Problem | null {
  const found = state.shards.flatMap((shard) => {
    const ready = agents.get(shard.agent)?.ready;
    return ready == null ? [] : [{ shard, ready }];
  });
  const checks = [
    { what: "another version of tokenstorm", hint: "run one version everywhere", read: "version" },
    {
      what: "another model",
      hint: "name the model in the plan, or look at the target's URLs",
      read: "model",
    },
    {
      what: "other requests out of the same plan",
      hint: "do all agents see the same target and tokenizer?",
      read: "walkDigest",
    },
  ] as const;
  for (const { what, hint, read } of checks) {
    const usual = mostFrequent(found.map(({ ready }) => ready[read]));
    const others = found.filter(({ ready }) => ready[read] !== usual);
    if (usual === undefined || others.length === 0) continue;
    const values = [...new Set(others.map(({ ready }) => ready[read]))].slice(0, 3).join(", ");
    return {
      code: "AGENT_NOT_READY",
      message: `${nameAgents(others.map(({ shard }) => shard))} found ${what}: ${values} instead of ${usual}`,
      hint,
    };
  }
  return null;
}

/** Of equally frequent ones the first. */
function mostFrequent(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return values.find((value) => counts.get(value) === most);
}
