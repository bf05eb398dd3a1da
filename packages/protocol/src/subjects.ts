import { LoadError } from "@tokenstorm/core";

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Ids become subject tokens and keys of plain objects, so what every object already has (`constructor`) is none. */
export function isId(text: string): boolean {
  return ID.test(text) && !(text in Object.prototype);
}

/** Subjects and keys: `<prefix>.v1....`, identity first, so that permissions can pin it. */
export interface Subjects {
  readonly prefix: string;
  readonly beacon: string;
  /** Hint that the StateStore changed (submit, stop): lost without harm, the leader looks each second anyway. */
  readonly hint: string;
  heartbeat(agent: string): string;
  readonly heartbeats: string;
  clock(agent: string): string;
  /** Where an agent's answers to clock probes are heard. Not an inbox: see `openClockLine`. */
  clockAnswer(agent: string): string;
  live(run: string): string;
  readonly allLive: string;
  result(run: string, agent: string, kind: string): string;
  readonly results: string;
  resultsOf(run: string): string;
}

export function subjects(prefix = "ts"): Subjects {
  if (!isId(prefix))
    throw new LoadError(
      "PLAN_INVALID",
      `subject prefix "${prefix}" is no name: use letters, digits, _ and -`,
    );
  const root = `${prefix}.v1`;
  return {
    prefix,
    beacon: `${root}.beacon`,
    hint: `${root}.hint`,
    heartbeat: (agent) => `${root}.hb.${checkedId(agent)}`,
    heartbeats: `${root}.hb.*`,
    clock: (agent) => `${root}.time.${checkedId(agent)}`,
    clockAnswer: (agent) => `${root}.timed.${checkedId(agent)}`,
    live: (run) => `${root}.live.${checkedId(run)}`,
    allLive: `${root}.live.*`,
    result: (run, agent, kind) => `${root}.res.${checkedId(run)}.${checkedId(agent)}.${checkedId(kind)}`,
    results: `${root}.res.>`,
    resultsOf: (run) => `${root}.res.${checkedId(run)}.>`,
  };
}

/** Ids become subject tokens: a dot or a wildcard in one would widen what it names. */
export function checkedId(id: string): string {
  if (!isId(id))
    throw new LoadError("PROTOCOL_MALFORMED", `"${id}" is no id: use letters, digits, _ and -, at most 64`);
  return id;
}

/** Keys of the StateStore. */
export const runKey = (run: string): string => `run.${checkedId(run)}`;
export const RUN_KEYS = "run.";
export const LEADER_KEY = "leader";
/**
 * Under which the leader's own entries stand in the log, instead of an agent's id: a user that is pinned to one agent can
 * write nothing there.
 */
export const LEADER_IN_LOG = "_leader";
/**
 * Name of the blob that holds a run's report (JSON), as the leader of this term put it: one that is replaced while its own
 * is on the way overwrites nothing of a later term's. The record of a run that is over says which one is its report.
 */
export const reportBlob = (run: string, term: number): string => `report-${checkedId(run)}-${term}`;
