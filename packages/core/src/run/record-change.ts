import { isTerminal, type Problem, type RunRecord, type StopLevel } from "./run-record.js";

/** A change of a run record as the leader wants it. What others may write meanwhile, a stop, is kept beside it. */
export interface RecordChange {
  readonly name:
    | "gather"
    | "prepare"
    | "arm"
    | "commit"
    | "resume"
    | "stages"
    | "lose"
    | "drain"
    | "deliver"
    | "end";
  readonly fields: Partial<
    Pick<
      RunRecord,
      | "state"
      | "term"
      | "leader"
      | "shards"
      | "losses"
      | "moves"
      | "start"
      | "stageStartsUs"
      | "problem"
      | "result"
    >
  >;
  readonly stop?: RunRecord["stop"];
}

/**
 * The record with the change, at its next revision; null where it must not be made: the run is over, is led under a
 * higher term, or was stopped before its start was committed.
 */
export function applyChange(record: RunRecord, change: RecordChange): RunRecord | null {
  if (isTerminal(record.state)) return null;
  if (change.fields.term !== undefined && change.fields.term < record.term) return null;
  if (change.name === "commit" && record.stop.level !== "none") return null;
  return {
    ...record,
    ...change.fields,
    stop: strongerStop(record.stop, change.stop),
    revision: record.revision + 1,
  };
}

const STOP_RANK: Readonly<Record<StopLevel, number>> = { none: 0, drain: 1, cut: 2 };

/** The one that ends more; the first where they are equal, so that the first reason stays. */
export function strongerStop(
  first: RunRecord["stop"],
  second: RunRecord["stop"] | undefined,
): RunRecord["stop"] {
  return second !== undefined && STOP_RANK[second.level] > STOP_RANK[first.level] ? second : first;
}

/** What a stopped run ends with. Reasons are written by people and programs: `stopped by Ctrl-C`, `disk is needed`. */
export function stopProblem(stop: RunRecord["stop"]): Problem {
  if (stop.reason.startsWith("stopped"))
    return { code: "RUN_ABORTED", message: `the run was ${stop.reason}` };
  return {
    code: "RUN_ABORTED",
    message: `the run was stopped${stop.reason === "" ? "" : `: ${stop.reason}`}`,
  };
}
