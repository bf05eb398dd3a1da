import type { LoadErrorCode, RunReport, RunState } from "@tokenstorm/core";

/** What the command line promises to scripts. 99, 104 and 105 are k6's; 98 and 110 are ours. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  inconclusive: 98,
  thresholdsFailed: 99,
  planInvalid: 104,
  stopped: 105,
  resultInvalid: 110,
} as const;

/** Of an operational error before a run's start, or of a command that is not a run. */
export function errorExitCode(code: LoadErrorCode): number {
  switch (code) {
    case "PLAN_INVALID":
    case "PLAN_UNSUPPORTED_VERSION":
    case "DATASET_INVALID":
      return EXIT.planInvalid;
    default:
      return EXIT.error;
  }
}

/** How a run ended, as far as the exit code needs to know. */
export interface RunEnd {
  readonly state: RunState;
  /** Time zero was committed: agents have begun to send. */
  readonly started: boolean;
  readonly problem: { readonly code: LoadErrorCode; readonly threshold?: string | undefined } | null;
  /** Null where none could be had. */
  readonly report: Pick<RunReport, "verdict"> | null;
}

/**
 * The first that applies: an error before the start, ended by a threshold, stopped, invalid (or degraded, strictly),
 * thresholds.
 */
export function runExitCode(end: RunEnd, options: { readonly strict: boolean }): number {
  if (end.state === "failed" && !end.started) {
    return end.problem === null ? EXIT.error : errorExitCode(end.problem.code);
  }
  if (endedByThreshold(end)) return EXIT.thresholdsFailed;
  if (end.state === "aborted") return EXIT.stopped;
  if (end.report === null) return end.state === "completed" ? EXIT.error : EXIT.resultInvalid;
  const { status, thresholds } = end.report.verdict;
  if (status === "invalid" || (status === "degraded" && options.strict)) return EXIT.resultInvalid;
  if (thresholds === "failed") return EXIT.thresholdsFailed;
  if (thresholds === "inconclusive") return EXIT.inconclusive;
  return EXIT.ok;
}

/** It failed with `abortOnFail`: nobody has stopped the run. */
export function endedByThreshold({ state, problem }: Pick<RunEnd, "state" | "problem">): boolean {
  return state === "aborted" && problem?.threshold !== undefined;
}
