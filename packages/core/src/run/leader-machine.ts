import { initialStageStarts } from "../load/timeline.js";
import { agentTroubles, notDelivered, notDrained, notReady, unequalReady } from "./agent-checks.js";
import { nameAgents } from "./agent-view.js";
import { candidatesFor, insufficientProblem } from "./gathering.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import {
  initialLeaderState,
  type LeaderConfig,
  type LeaderEffect,
  type LeaderEvent,
  type LeaderState,
  type Transition,
} from "./leader-state.js";
import { applyChange, type RecordChange, stopProblem, strongerStop } from "./record-change.js";
import type { Problem, RunRecord, ShardAssignment } from "./run-record.js";
import { endedEarly, nextStages, runningProblem } from "./stage-progress.js";

type Event<Kind extends LeaderEvent["kind"]> = Extract<LeaderEvent, { kind: Kind }>;

/** Takes the lead of a submitted run. */
export function beginLeading(record: RunRecord, config: LeaderConfig, nowUs: number): Transition {
  const state = initialLeaderState(record, config, nowUs);
  if (record.stop.level !== "none") return endEarly(state, stopProblem(record.stop));
  const { term, leader } = config;
  return write(state, { name: "gather", fields: { state: "gathering", term, leader } });
}

/**
 * The leader of one run: what becomes of its state, and what is to be done, for everything that can happen. Pure; the
 * coordinator carries the effects out and looks again after each event.
 */
export function leadRun(state: LeaderState, event: LeaderEvent): Transition {
  switch (event.kind) {
    case "look":
      return look(state, event);
    case "probed":
      return probed(state, event);
    case "scraped":
      return scraped(state, event);
    case "written":
      return written(state, event);
    case "late":
      return state.step.kind === "arming" ? endEarly(state, lateProblem()) : keep(state);
    case "stopped":
      return stopped(state, event);
    case "troubled":
      return fail(
        { ...state, isKeepingNothing: state.isKeepingNothing || event.isKeepingNothing },
        event.problem,
        event.nowUs,
      );
    case "finished":
      return finished(state, event);
  }
}

function look(state: LeaderState, event: Event<"look">): Transition {
  const troubles = agentTroubles(state, event);
  const [first] = troubles;
  if (first !== undefined) {
    const givenUp = [...state.givenUp, ...troubles.map((trouble) => trouble.agent)];
    return fail({ ...state, givenUp }, first.problem, event.nowUs);
  }
  switch (state.step.kind) {
    case "gathering":
      return gather(state, event);
    case "preparing":
      return prepare(state, event);
    case "arming":
      return arm(state, event);
    case "running":
      return run(state, event);
    case "draining":
      return drain(state, event);
    case "delivering":
      return deliver(state, event);
    default:
      return keep(state);
  }
}

/** Admits all that are there once enough have been there for a moment and no further one comes. */
function gather(state: LeaderState, { nowUs, agents }: Event<"look">): Transition {
  const { step, record } = state;
  if (step.kind !== "gathering") return keep(state);
  const present = candidatesFor(record, agents);
  const seen = new Set(present.map((agent) => agent.instance));
  const isNew = [...seen].some((instance) => !step.seen.has(instance));
  const isEnough = present.length >= record.plan.agents.min;
  const enoughSinceUs = isEnough ? (step.enoughSinceUs ?? nowUs) : null;
  const newestUs = isNew ? nowUs : step.newestUs;
  const gathering = { ...state, step: { ...step, enoughSinceUs, newestUs, seen } };
  if (nowUs - state.config.listeningSinceUs < LEADER_LIMITS.listenUs) return keep(gathering);
  if (enoughSinceUs === null) {
    const isOver = nowUs - step.sinceUs >= record.plan.agents.waitMs * 1000;
    return isOver ? endEarly(gathering, insufficientProblem(record, agents)) : keep(gathering);
  }
  const isSettled = nowUs - Math.max(enoughSinceUs, newestUs) >= LEADER_LIMITS.settleUs;
  if (!isSettled && nowUs - enoughSinceUs < LEADER_LIMITS.settleMostUs) return keep(gathering);
  const shards = present.map(
    (agent, index): ShardAssignment => ({
      agent: agent.agent,
      instance: agent.instance,
      epoch: state.config.epoch,
      index,
      host: agent.host,
      version: agent.version,
      clockOffsetUs: 0,
      clockErrorUs: 0,
    }),
  );
  return probe({ ...gathering, shards }, "prepare", 1);
}

function probe(state: LeaderState, then: "prepare" | "arm", attempt: number): Transition {
  const agents = state.shards.map(({ agent, instance }) => ({ agent, instance }));
  return {
    state: { ...state, step: { kind: "probing", then, attempt } },
    effects: [{ kind: "probe", agents }],
  };
}

function probed(state: LeaderState, { nowUs, offsets }: Event<"probed">): Transition {
  const { step } = state;
  if (step.kind !== "probing") return keep(state);
  const silent = state.shards.filter((shard) => !offsets.has(shard.agent));
  if (silent.length > 0) {
    const message = `no answer to clock probes from ${nameAgents(silent)}`;
    return endEarly(state, {
      code: "AGENT_NOT_READY",
      message,
      hint: "may they subscribe to <prefix>.v1.time.*?",
    });
  }
  const shards = state.shards.map((shard) => {
    const { offsetUs = 0, errorUs = 0 } = offsets.get(shard.agent) ?? {};
    return { ...shard, clockOffsetUs: offsetUs, clockErrorUs: errorUs };
  });
  if (step.then === "prepare") {
    const preparing: LeaderState = { ...state, shards, step: { kind: "preparing", sinceUs: nowUs } };
    const names = `admitted ${shards.length}: ${nameAgents(shards)}`;
    return write(preparing, { name: "prepare", fields: { state: "preparing", shards } }, [
      { kind: "note", text: names },
      { kind: "open" },
    ]);
  }
  const worstRttUs = Math.max(...[...offsets.values()].map((offset) => offset.rttUs));
  return proposeStart({ ...state, shards }, { attempt: step.attempt, nowUs, worstRttUs });
}

function prepare(state: LeaderState, { nowUs, agents }: Event<"look">): Transition {
  if (state.step.kind !== "preparing") return keep(state);
  const waiting = notReady(state, agents);
  if (waiting.length === 0) {
    const problem = unequalReady(state, agents);
    if (problem !== null) return endEarly(state, problem);
    return { state: { ...state, step: { kind: "scraping" } }, effects: [{ kind: "scrape", when: "before" }] };
  }
  if (nowUs - state.step.sinceUs < LEADER_LIMITS.prepareUs) return keep(state);
  const message = `not ready after ${LEADER_LIMITS.prepareUs / 1e6} s: ${nameAgents(waiting)}`;
  return endEarly(state, { code: "AGENT_NOT_READY", message, hint: "their own logs say what they wait for" });
}

function scraped(state: LeaderState, event: Event<"scraped">): Transition {
  const { step } = state;
  if (event.when === "before" && step.kind === "scraping") return probe(state, "arm", 1);
  if (event.when === "after" && step.kind === "delivering") {
    return keep({ ...state, step: { ...step, isScraped: true } });
  }
  return keep(state);
}

function proposeStart(
  state: LeaderState,
  options: { readonly attempt: number; readonly nowUs: number; readonly worstRttUs: number },
): Transition {
  const { attempt, nowUs, worstRttUs } = options;
  const leaderUs = nowUs + LEADER_LIMITS.startAheadUs + 5 * worstRttUs;
  const localUs = Object.fromEntries(
    state.shards.map((shard) => [shard.agent, leaderUs + shard.clockOffsetUs]),
  );
  const epochUs = leaderUs + state.config.epochOffsetUs;
  const start = { attempt, committed: false, leaderUs, epochUs, localUs };
  const arming: LeaderState = { ...state, step: { kind: "arming", attempt, leaderUs, isCommitting: false } };
  return write(arming, { name: "arm", fields: { state: "arming", shards: state.shards, start } });
}

function arm(state: LeaderState, { nowUs, agents }: Event<"look">): Transition {
  const { step, record } = state;
  if (step.kind !== "arming" || step.isCommitting || record.start === null) return keep(state);
  const late = state.shards.filter((shard) => {
    const view = agents.get(shard.agent);
    return view?.state !== "armed" || view.armedAttempt !== step.attempt;
  });
  const commitByUs = step.leaderUs - LEADER_LIMITS.commitBeforeUs;
  if (nowUs > commitByUs) {
    if (step.attempt < LEADER_LIMITS.startAttempts) {
      const again = probe(state, "arm", step.attempt + 1);
      const text = `start ${step.attempt} given up: not armed in time: ${nameAgents(late)}`;
      return { ...again, effects: [{ kind: "note", text }, ...again.effects] };
    }
    const message = `not armed in ${step.attempt} attempts: ${nameAgents(late)}`;
    return endEarly(state, { code: "AGENT_NOT_READY", message, hint: "is the connection to NATS slow?" });
  }
  if (late.length > 0) return keep(state);
  const fields: RecordChange["fields"] = {
    state: "running",
    start: { ...record.start, committed: true },
    stageStartsUs: initialStageStarts(state.stages),
  };
  const committing: LeaderState = { ...state, step: { ...step, isCommitting: true } };
  // Not taken for done before the store has it: only the commit starts anyone.
  return {
    state: committing,
    effects: [{ kind: "write", change: { name: "commit", fields }, notAfterUs: commitByUs }],
  };
}

function written(state: LeaderState, { name }: Event<"written">): Transition {
  const { step, record } = state;
  if (name === "end") return { state: { ...state, step: { kind: "ended" } }, effects: [{ kind: "close" }] };
  if (name !== "commit" || step.kind !== "arming" || record.start === null) return keep(state);
  const change: RecordChange = {
    name: "commit",
    fields: {
      state: "running",
      start: { ...record.start, committed: true },
      stageStartsUs: initialStageStarts(state.stages),
    },
  };
  const running = applyChange(record, change) ?? record;
  return {
    state: { ...state, record: running, step: { kind: "running", earlySinceUs: null } },
    effects: [{ kind: "watch-server" }],
  };
}

function run(state: LeaderState, event: Event<"look">): Transition {
  if (state.step.kind !== "running") return keep(state);
  const next = nextStages(state, event);
  if (next === "over") return beginDrain(state, event.nowUs, {});
  const isEarly = endedEarly(state, event).length > 0;
  const earlySinceUs = isEarly ? (state.step.earlySinceUs ?? event.nowUs) : null;
  const running: LeaderState = { ...state, step: { kind: "running", earlySinceUs } };
  const problem = runningProblem(running, event);
  if (problem !== null) return fail(running, problem, event.nowUs);
  return next === null ? keep(running) : write(running, { name: "stages", fields: { stageStartsUs: next } });
}

function beginDrain(
  state: LeaderState,
  nowUs: number,
  fields: RecordChange["fields"],
  stop?: RunRecord["stop"],
): Transition {
  const draining: LeaderState = { ...state, step: { kind: "draining", sinceUs: nowUs } };
  const change = { name: "drain", fields: { ...fields, state: "draining" } } as const;
  return write(draining, stop === undefined ? change : { ...change, stop });
}

function drain(state: LeaderState, event: Event<"look">): Transition {
  if (state.step.kind !== "draining") return keep(state);
  const { plan, stop } = state.record;
  const waiting = notDrained(state, event);
  const graceUs = stop.level === "cut" ? 0 : plan.gracePeriodMs * 1000;
  const isOver = event.nowUs - state.step.sinceUs >= graceUs + LEADER_LIMITS.drainMoreUs;
  if (waiting.length > 0 && !isOver) return keep(state);
  const note = `not drained in time: ${nameAgents(waiting)}`;
  const notes: LeaderEffect[] = waiting.length === 0 ? [] : [{ kind: "note", text: note }];
  const endUs = Math.max(0, event.nowUs - (state.record.start?.leaderUs ?? event.nowUs));
  const delivering: LeaderState = {
    ...state,
    endUs,
    step: { kind: "delivering", sinceUs: event.nowUs, isScraped: false },
  };
  return write(delivering, { name: "deliver", fields: { state: "delivering" } }, [
    ...notes,
    { kind: "scrape", when: "after" },
  ]);
}

function deliver(state: LeaderState, event: Event<"look">): Transition {
  const { step, record } = state;
  if (step.kind !== "delivering") return keep(state);
  const waiting = state.isKeepingNothing ? [] : notDelivered(state, event);
  if (waiting.length === 0 && step.isScraped) return finish(state);
  const limitUs = record.plan.deliverMs * 1000 + LEADER_LIMITS.deliverMoreUs;
  if (event.nowUs - step.sinceUs < limitUs) return keep(state);
  const text = `results not complete in time: ${nameAgents(waiting)}`;
  const finishing = finish(state);
  return { ...finishing, effects: [{ kind: "note", text }, ...finishing.effects] };
}

function stopped(state: LeaderState, { nowUs, stop }: Event<"stopped">): Transition {
  const stronger = strongerStop(state.record.stop, stop);
  if (stronger === state.record.stop) return keep(state);
  const known = { ...state, record: { ...state.record, stop: stronger } };
  const problem = state.record.problem ?? stopProblem(stronger);
  switch (state.step.kind) {
    case "running":
      return beginDrain(known, nowUs, { problem });
    // Past the last stage there is nothing left to hold back; only a cut changes anything.
    case "draining":
      return stop.level === "cut" ? beginDrain(known, nowUs, { problem }) : keep(known);
    case "delivering":
      return stop.level === "cut" ? finish(withProblem(known, problem)) : keep(known);
    case "finishing":
    case "ended":
      return keep(known);
    default:
      return endEarly(known, problem);
  }
}

/** Whatever ends a run before its time: what was measured is kept, nobody goes on. The first problem stays. */
function fail(state: LeaderState, problem: Problem, nowUs: number): Transition {
  const first = state.record.problem ?? problem;
  const note: LeaderEffect = { kind: "note", text: problem.message };
  const stop = { level: "cut", reason: problem.message.slice(0, LONGEST_REASON) } as const;
  const transition = (): Transition => {
    switch (state.step.kind) {
      case "running":
      case "draining":
        return beginDrain(state, nowUs, { problem: first }, stop);
      case "delivering":
        return write(state, { name: "deliver", fields: { problem: first } });
      case "finishing":
      case "ended":
        return keep(state);
      default:
        return endEarly(state, first);
    }
  };
  const { state: next, effects } = transition();
  return { state: next, effects: [note, ...effects] };
}

function endEarly(state: LeaderState, problem: Problem): Transition {
  return finish(withProblem(state, problem));
}

function finish(state: LeaderState): Transition {
  return { state: { ...state, step: { kind: "finishing" } }, effects: [{ kind: "finish" }] };
}

function finished(state: LeaderState, { problem, result }: Event<"finished">): Transition {
  if (state.step.kind !== "finishing") return keep(state);
  const first = state.record.problem ?? problem;
  return write(state, { name: "end", fields: { state: terminalState(first), problem: first, result } });
}

/** The state in which a run with this problem ends. */
export function terminalState(problem: Problem | null): "completed" | "failed" | "aborted" {
  if (problem === null) return "completed";
  return problem.code === "RUN_ABORTED" ? "aborted" : "failed";
}

const LONGEST_REASON = 500;

function lateProblem(): Problem {
  return {
    code: "BUS_UNAVAILABLE",
    message: "the start could not be committed before time zero",
    hint: "the state store answers too slowly: look at nats-server and its disk",
  };
}

function withProblem(state: LeaderState, problem: Problem): LeaderState {
  return { ...state, record: { ...state.record, problem: state.record.problem ?? problem } };
}

function write(state: LeaderState, change: RecordChange, then: readonly LeaderEffect[] = []): Transition {
  const record = applyChange(state.record, change) ?? state.record;
  return { state: { ...state, record }, effects: [{ kind: "write", change, notAfterUs: null }, ...then] };
}

function keep(state: LeaderState): Transition {
  return { state, effects: [] };
}
