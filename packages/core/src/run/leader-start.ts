import { capacityWarning } from "../capacity/capacity-warning.js";
import { initialStageStarts } from "../load/timeline.js";
import { notReady, unequalReady } from "./agent-checks.js";
import { nameAgents } from "./agent-view.js";
import { candidatesFor, insufficientProblem } from "./gathering.js";
import { LEADER_LIMITS } from "./leader-limits.js";
import type { LeaderEvent, LeaderState, Transition } from "./leader-state.js";
import { endEarly, keep, write } from "./leader-transition.js";
import { applyChange, type RecordChange } from "./record-change.js";
import type { Problem, RunStart, ShardAssignment } from "./run-record.js";

type Event<Kind extends LeaderEvent["kind"]> = Extract<LeaderEvent, { kind: Kind }>;

/** Admits all that are there once enough have been there for a moment and no further one comes. */
export function gather(state: LeaderState, { nowUs, agents }: Event<"look">): Transition {
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

/** Compares the clocks of the admitted agents with the leader's. */
export function probe(state: LeaderState, then: "prepare" | "arm" | "resume", attempt: number): Transition {
  const agents = state.shards.map(({ agent, instance }) => ({ agent, instance }));
  return {
    state: { ...state, step: { kind: "probing", then, attempt } },
    effects: [{ kind: "probe", then, agents }],
  };
}

export function probed(state: LeaderState, { nowUs, offsets }: Event<"probed">): Transition {
  const { step } = state;
  if (step.kind !== "probing") return keep(state);
  const silent = state.shards.filter((shard) => !offsets.has(shard.agent));
  if (silent.length > 0) {
    const message = `no answer to clock probes from ${nameAgents(silent)}`;
    return endEarly(state, {
      code: "AGENT_NOT_READY",
      message,
      hint: "may they subscribe to <prefix>.v1.time.* and publish to <prefix>.v1.timed.*?",
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

export function prepare(state: LeaderState, { nowUs, agents }: Event<"look">): Transition {
  if (state.step.kind !== "preparing") return keep(state);
  const waiting = notReady(state, agents);
  if (waiting.length === 0) {
    const problem = unequalReady(state, agents);
    if (problem !== null) return endEarly(state, problem);
    const warning = capacityWarning(state.shards, agents);
    return {
      state: { ...state, step: { kind: "scraping" } },
      effects: [
        ...(warning === null ? [] : [{ kind: "note", text: warning } as const]),
        { kind: "scrape", when: "before" },
      ],
    };
  }
  if (nowUs - state.step.sinceUs < LEADER_LIMITS.prepareUs) return keep(state);
  const message = `not ready after ${LEADER_LIMITS.prepareUs / 1e6} s: ${nameAgents(waiting)}`;
  return endEarly(state, { code: "AGENT_NOT_READY", message, hint: "their own logs say what they wait for" });
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

export function arm(state: LeaderState, { nowUs, agents }: Event<"look">): Transition {
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
  const change = commitOf(state, record.start);
  const committing: LeaderState = { ...state, step: { ...step, isCommitting: true } };
  // Not taken for done before the store has it: only the commit starts anyone.
  return {
    state: committing,
    effects: [{ kind: "write", change, notAfterUs: commitByUs }],
  };
}

/** The store has the commit: from now on it runs. */
export function committed(state: LeaderState): Transition {
  const { step, record } = state;
  if (step.kind !== "arming" || record.start === null) return keep(state);
  const running = applyChange(record, commitOf(state, record.start)) ?? record;
  return {
    state: { ...state, record: running, step: { kind: "running", earlySinceUs: null } },
    effects: [{ kind: "watch-server" }],
  };
}

function commitOf({ stages }: LeaderState, start: RunStart): RecordChange {
  return {
    name: "commit",
    fields: {
      state: "running",
      start: { ...start, committed: true },
      stageStartsUs: initialStageStarts(stages),
    },
  };
}

export function lateProblem(): Problem {
  return {
    code: "BUS_UNAVAILABLE",
    message: "the start could not be committed before time zero",
    hint: "the state store answers too slowly: look at nats-server and its disk",
  };
}
