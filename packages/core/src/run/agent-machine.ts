import type { AgentState } from "./agent-view.js";
import { isTerminal, type Problem, type RunRecord, type StopLevel } from "./run-record.js";
import { openLosses, type TakenShard, takenShards } from "./shard-map.js";

/** An agent that has not read the committed start by so long before time zero does not start. */
export const COMMIT_READ_BEFORE_US = 200_000;

/** This agent's place in a run, as it was given by the record that it acts on. */
export interface AgentPlace {
  readonly epoch: number;
  readonly index: number;
  readonly count: number;
}

/** Where an agent stands in a run; everything that decides what it does next. */
export interface AgentMachine {
  readonly state: AgentState;
  readonly run: string | null;
  readonly place: AgentPlace | null;
  /** Revision of the record that it has acted on; 0 when none. */
  readonly revision: number;
  readonly armedAttempt: number;
  /** It has read the committed start in time. */
  readonly isCommitted: boolean;
  readonly stop: StopLevel;
  /** The run has ended without it; whatever is undelivered will not be waited for. */
  readonly isOver: boolean;
  readonly problem: Problem | null;
  /** The problem is that nobody confirmed its results in time. */
  readonly isUndelivered: boolean;
  /** The record that it acts on. */
  readonly record: RunRecord | null;
}

export const IDLE_AGENT: AgentMachine = {
  state: "idle",
  run: null,
  place: null,
  revision: 0,
  armedAttempt: 0,
  isCommitted: false,
  stop: "none",
  isOver: false,
  problem: null,
  isUndelivered: false,
  record: null,
};

export type AgentEvent =
  /** The StateStore's word. `nowUs` on the agent's own clock, like the start's `localUs`. */
  | { readonly kind: "record"; readonly record: RunRecord; readonly nowUs: number }
  /** The record is not in the StateStore any more. */
  | { readonly kind: "forgotten" }
  | { readonly kind: "prepared"; readonly nowUs: number }
  | { readonly kind: "not-ready"; readonly problem: Problem }
  /** Time zero has come. */
  | { readonly kind: "started" }
  /** The last stage is over: nothing is sent any more. */
  | { readonly kind: "load-ended" }
  /** Nothing is in flight any more, and the books are closed. */
  | { readonly kind: "drained" }
  | { readonly kind: "delivered" }
  /** Not everything was confirmed in time; the rest is in a spool file, or lost. */
  | { readonly kind: "undelivered"; readonly problem: Problem }
  /** Whatever else ends the sending: the beacon's stop, no leader, given up, the agent itself is closed. */
  | { readonly kind: "stop"; readonly level: "drain" | "cut"; readonly problem: Problem | null }
  /** A beacon leads another run. That it leads none says nothing: a new leader has yet to take ours up. */
  | { readonly kind: "led-elsewhere" };

export type AgentEffect =
  /** Check the plan, find the target; answered by "prepared" or "not-ready". */
  | { readonly kind: "prepare"; readonly record: RunRecord; readonly place: AgentPlace }
  /** Begin at `atUs` of the agent's own clock, which is `leaderUs` by its leader's; answered by "started". */
  | { readonly kind: "start"; readonly record: RunRecord; readonly atUs: number; readonly leaderUs: number }
  /** Send what another agent was to send, from the stage on that each names. */
  | { readonly kind: "take-over"; readonly shards: readonly TakenShard[] }
  | { readonly kind: "commit-stages"; readonly stageStartsUs: RunRecord["stageStartsUs"] }
  /** Send nothing new (`cut`: and end what is in flight); answered by "drained". */
  | { readonly kind: "stop"; readonly level: "drain" | "cut" }
  /** Wait until all results are confirmed; answered by "delivered" or "undelivered". */
  | { readonly kind: "deliver" }
  /** Nobody will confirm for much longer. */
  | { readonly kind: "hurry-delivery" }
  /** Nothing more will be sent: close the target. */
  | { readonly kind: "close-target" }
  /** Forget the run. */
  | { readonly kind: "release" };

export interface AgentStep {
  readonly machine: AgentMachine;
  readonly effects: readonly AgentEffect[];
}

/** Who the agent is: an assignment counts only for the very process that was admitted. */
export interface AgentIdentity {
  readonly id: string;
  readonly instance: string;
}

/** The agent's part of a run: what becomes of its state, and what is to be done, for everything that can happen. Pure. */
export function stepAgent(machine: AgentMachine, event: AgentEvent, me: AgentIdentity): AgentStep {
  switch (event.kind) {
    case "record":
      return onRecord(machine, event.record, { nowUs: event.nowUs, me });
    case "forgotten":
      return machine.run === null ? stay(machine) : onTerminal(machine);
    case "prepared":
      return onPrepared(machine, { nowUs: event.nowUs, me });
    case "not-ready":
      return machine.state === "preparing" ? fail(machine, event.problem) : stay(machine);
    case "started":
      return machine.state === "armed" ? begin(machine, me) : stay(machine);
    case "load-ended":
      return machine.state === "running" ? stay({ ...machine, state: "draining" }) : stay(machine);
    case "drained":
      return onDrained(machine);
    case "delivered":
      return onDelivered(machine, null);
    case "undelivered":
      return onDelivered(machine, event.problem);
    case "stop":
      return onStop(machine, event.level, event.problem);
    case "led-elsewhere":
      return machine.state === "done" || machine.state === "failed" ? release() : stay(machine);
  }
}

interface Circumstances {
  readonly nowUs: number;
  readonly me: AgentIdentity;
}

function onRecord(machine: AgentMachine, record: RunRecord, at: Circumstances): AgentStep {
  if (machine.run !== null && machine.run !== record.id) return stay(machine);
  // An older one, by a store's slower replica: what followed from it has been done.
  if (machine.run !== null && record.revision < machine.revision) return stay(machine);
  const seen = { ...machine, record, revision: record.revision };
  if (machine.run === null) return admit(machine, record, at);
  if (isTerminal(record.state)) return onTerminal(seen);
  const place = placeIn(record, at.me);
  if (place === null) return onDismissed(seen);
  if (!hasBegun(seen) && !isSamePlace(seen.place, place)) return prepareAgain(seen, record, at);
  if (record.stop.level !== "none") return onStop(seen, record.stop.level, null);
  const isWaiting = machine.state === "ready" || machine.state === "armed";
  if (isWaiting && !machine.isCommitted) return lookAtStart(seen, record, at);
  if (isGivenUp(record, at.me, place)) return onStop(seen, "drain", GIVEN_UP);
  return goOn(machine, seen, at.me);
}

/** Others have its shard, or will: what it sent now would be sent twice. */
function isGivenUp(record: RunRecord, me: AgentIdentity, { epoch }: AgentPlace): boolean {
  if (record.plan.lossPolicy !== "reshard") return false;
  return openLosses(record).some((loss) => loss.agent === me.id && loss.epoch === epoch);
}

const GIVEN_UP: Problem = {
  code: "AGENT_LOST",
  message: "stopped sending: the leader has given this agent up",
};

/** Only at the beginning: whoever is named in a run that is further on has been in it, and has left it. */
function admit(machine: AgentMachine, record: RunRecord, { me }: Circumstances): AgentStep {
  const place = placeIn(record, me);
  const isBeginning = record.state === "preparing" || record.state === "arming";
  if (place === null || !isBeginning || record.stop.level !== "none") return stay(machine);
  return {
    machine: {
      ...IDLE_AGENT,
      state: "preparing",
      run: record.id,
      place,
      revision: record.revision,
      record,
    },
    effects: [{ kind: "prepare", record, place }],
  };
}

/** Another place before the start is another shard: other slots, other users. */
function prepareAgain(machine: AgentMachine, record: RunRecord, at: Circumstances): AgentStep {
  const again = admit(IDLE_AGENT, record, at);
  if (again.machine.run === null) return release();
  return machine.state === "failed"
    ? stay(machine)
    : { ...again, effects: [{ kind: "close-target" }, ...again.effects] };
}

function onPrepared(machine: AgentMachine, at: Circumstances): AgentStep {
  if (machine.state !== "preparing" || machine.record === null) return stay(machine);
  return lookAtStart({ ...machine, state: "ready" }, machine.record, at);
}

/** Only the committed start starts anyone. */
function lookAtStart(machine: AgentMachine, record: RunRecord, { nowUs, me }: Circumstances): AgentStep {
  const { start } = record;
  const atUs = start?.localUs[me.id];
  if (start === null || atUs === undefined) return stay({ ...machine, state: "ready", armedAttempt: 0 });
  const armed: AgentMachine = { ...machine, state: "armed", armedAttempt: start.attempt };
  if (!start.committed) return stay(armed);
  if (nowUs > atUs - COMMIT_READ_BEFORE_US) return fail(machine, lateProblem(atUs - nowUs));
  const { leaderUs } = start;
  return { machine: { ...armed, isCommitted: true }, effects: [{ kind: "start", record, atUs, leaderUs }] };
}

/** Whatever its record has by now, and not only what comes from now on: others may have been lost before time zero. */
function begin(machine: AgentMachine, me: AgentIdentity): AgentStep {
  return goOn({ ...machine, record: null }, { ...machine, state: "running" }, me);
}

/** Whose load goes on: what it takes over comes first, for a stage's start may come with it. */
function goOn(before: AgentMachine, machine: AgentMachine, me: AgentIdentity): AgentStep {
  if (machine.state !== "running") return stay(machine);
  const known = before.record === null ? [] : takenShards(before.record, me.id);
  const taken = machine.record === null ? [] : takenShards(machine.record, me.id).slice(known.length);
  const { effects } = commitStages(before, machine);
  return taken.length === 0
    ? { machine, effects }
    : { machine, effects: [{ kind: "take-over", shards: taken }, ...effects] };
}

function commitStages(before: AgentMachine, machine: AgentMachine): AgentStep {
  const stageStartsUs = machine.record?.stageStartsUs ?? [];
  const known = before.record?.stageStartsUs ?? [];
  const isNew = stageStartsUs.some((startUs, i) => startUs !== null && (known[i] ?? null) === null);
  return isNew ? { machine, effects: [{ kind: "commit-stages", stageStartsUs }] } : stay(machine);
}

function onStop(machine: AgentMachine, level: StopLevel, problem: Problem | null): AgentStep {
  if (level === "none" || machine.run === null) return stay(machine);
  const known = machine.problem ?? problem;
  switch (machine.state) {
    case "preparing":
    case "ready":
      return { machine: { ...machine, state: "done", problem: known }, effects: [{ kind: "close-target" }] };
    case "armed":
      if (!machine.isCommitted)
        return {
          machine: { ...machine, state: "done", problem: known },
          effects: [{ kind: "close-target" }],
        };
      break;
    case "running":
    case "draining":
      break;
    default:
      return stay(machine);
  }
  if (!isStronger(level, machine.stop)) return stay(machine);
  return {
    machine: { ...machine, state: "draining", stop: level, problem: known },
    effects: [{ kind: "stop", level }],
  };
}

function onDrained(machine: AgentMachine): AgentStep {
  if (machine.state !== "running" && machine.state !== "draining") return stay(machine);
  const effects: AgentEffect[] = [{ kind: "close-target" }, { kind: "deliver" }];
  if (machine.isOver) effects.push({ kind: "hurry-delivery" });
  return { machine: { ...machine, state: "delivering" }, effects };
}

function onDelivered(machine: AgentMachine, problem: Problem | null): AgentStep {
  // What had been given up has been confirmed after all.
  if (machine.state === "done" && machine.isUndelivered && problem === null)
    return stay({ ...machine, isUndelivered: false, problem: null });
  if (machine.state !== "delivering") return stay(machine);
  return machine.isOver
    ? release()
    : stay({
        ...machine,
        state: "done",
        problem: machine.problem ?? problem,
        isUndelivered: machine.problem === null && problem !== null,
      });
}

/** The run is over, by its record. What was measured and not delivered is still kept, but not waited for. */
function onTerminal(machine: AgentMachine): AgentStep {
  switch (machine.state) {
    case "running":
    case "draining":
      return cutShort({ ...machine, isOver: true });
    case "armed":
      return machine.isCommitted ? cutShort({ ...machine, isOver: true }) : release();
    case "delivering":
      return machine.isOver
        ? stay(machine)
        : { machine: { ...machine, isOver: true }, effects: [{ kind: "hurry-delivery" }] };
    default:
      return release();
  }
}

function cutShort(machine: AgentMachine): AgentStep {
  return onStop(machine, "cut", null);
}

/** The record names this process no more. */
function onDismissed(machine: AgentMachine): AgentStep {
  return hasBegun(machine) ? onStop(machine, "drain", null) : release();
}

function fail(machine: AgentMachine, problem: Problem): AgentStep {
  return {
    machine: { ...machine, state: "failed", armedAttempt: 0, problem },
    effects: [{ kind: "close-target" }],
  };
}

function release(): AgentStep {
  return { machine: IDLE_AGENT, effects: [{ kind: "release" }] };
}

function stay(machine: AgentMachine): AgentStep {
  return { machine, effects: [] };
}

function hasBegun(machine: AgentMachine): boolean {
  return machine.isCommitted || machine.state === "done";
}

function placeIn(record: RunRecord, me: AgentIdentity): AgentPlace | null {
  const shard = record.shards.find(({ agent, instance }) => agent === me.id && instance === me.instance);
  return shard === undefined ? null : { epoch: shard.epoch, index: shard.index, count: record.shards.length };
}

function isSamePlace(one: AgentPlace | null, other: AgentPlace): boolean {
  return one?.epoch === other.epoch && one.index === other.index && one.count === other.count;
}

function isStronger(level: StopLevel, than: StopLevel): boolean {
  return STRENGTH[level] > STRENGTH[than];
}

const STRENGTH: Readonly<Record<StopLevel, number>> = { none: 0, drain: 1, cut: 2 };

function lateProblem(leftUs: number): Problem {
  const when =
    leftUs >= 0 ? `${Math.round(leftUs / 1000)} ms before` : `${Math.round(-leftUs / 1000)} ms after`;
  return {
    code: "AGENT_NOT_READY",
    message: `read the committed start ${when} time zero; it takes at least ${COMMIT_READ_BEFORE_US / 1000} ms, so it did not start`,
    hint: "look for a slow or interrupted connection between this agent and NATS",
  };
}
