import type { VerdictStatus } from "../run/report.js";
import type { SaturationEstimate, StudyStatus } from "../statistics/index.js";
import type { DeploymentFacts } from "./schema.js";
import type { StudyMode, StudyOrder, StudyPhase } from "./study-defaults.js";

/** A figure over the repeats of a level. `because` says in words why mean, interval or CoV is missing; never NaN. */
export interface RepeatFigure {
  readonly count: number;
  readonly mean: number | null;
  /** Student-t interval of the mean at 95 %. */
  readonly ci95: { readonly low: number; readonly high: number } | null;
  /** Standard deviation (n - 1 below) over mean, a share. */
  readonly cov: number | null;
  /** Where the true one lies, at 95 % and for normal values; an end is null where nothing bounds it. */
  readonly cov95: { readonly low: number | null; readonly high: number | null } | null;
  readonly because: string | null;
}

export const LEVEL_METRICS = [
  "totalTokensPerS",
  "outputTokensPerS",
  "requestsPerS",
  "measuredInFlight",
  "e2eP50Us",
  "e2eP99Us",
  "ttftP50Us",
  "ttftP99Us",
  "tpotP50Us",
] as const;
/** Figures that have statistics over repeats. Rates are per second and times in us of the server's own time. */
export type LevelMetric = (typeof LEVEL_METRICS)[number];

/** What one run measured at a level, in the server's own time: a simulator that ran 10 x faster is told as if it had not. */
export interface StudyLevelFigures {
  readonly repeat: number;
  readonly run: string;
  readonly verdict: VerdictStatus;
  /** Null where nothing was measured. */
  readonly figures: Readonly<Record<LevelMetric, number | null>>;
  readonly maxInFlight: number;
  readonly serverRunning: number | null;
  readonly serverWaiting: number | null;
  /** Mean TTFT over mean E2E: the share of its time that a request waited; null where nothing completed. */
  readonly waitingShare: number | null;
  readonly requests: {
    readonly offered: number;
    readonly completed: number;
    readonly failed: number;
    /** Of the failed ones those that the reference study would have counted as successes. */
    readonly failedWithABody: number;
  };
  /** Share by the strict definition (docs/measuring.md), with its one-sided lower 95 % bound; null without requests that ended. */
  readonly success: { readonly rate: number | null; readonly lower95: number | null };
  readonly promptTokensMean: number | null;
  readonly outputTokensMean: number | null;
  readonly cachedPromptTokens: number;
  readonly windowMs: number;
  readonly steady: boolean;
  readonly notes: readonly string[];
}

/**
 * Requests that succeeded, of all that were due, with the one-sided lower 95 % bound (Clopper and Pearson) of the share. One that
 * was never sent, was cut unfinished or was lost with its agent did not succeed.
 */
export interface StudySuccess {
  readonly completed: number;
  readonly due: number;
  /** Null where none was due. */
  readonly rate: number | null;
  readonly lower95: number | null;
}

/** Ours less published, in percent of published; null where one of the two is missing. */
export interface PublishedBeside {
  readonly series: string;
  readonly totalTokensPerS: number;
  readonly outputTokensPerS: number | null;
  readonly e2eP99Us: number | null;
  readonly status: string | null;
  /** Of a simulator alone: whether its profile was fitted to this row. */
  readonly mark: "calibrated" | "predicted" | null;
  readonly differencePct: {
    readonly totalTokensPerS: number | null;
    readonly outputTokensPerS: number | null;
    readonly e2eP99Us: number | null;
  };
}

export interface StudyLevelReport {
  readonly name: string;
  /** Users asked for; null for open load. */
  readonly users: number | null;
  /** Arrivals per second asked for, in the server's own time; null for closed load. */
  readonly rps: number | null;
  /** Requests that the level has; null where it is bounded by time. */
  readonly requests: number | null;
  readonly repeats: readonly StudyLevelFigures[];
  readonly statistics: Readonly<Record<LevelMetric, RepeatFigure>>;
  /** Over all repeats together, by the strict definition (docs/measuring.md). */
  readonly success: StudySuccess;
  /** The same by the reference study's: a status of 200 and a body of the right shape, whatever is in it. */
  readonly successByStudy: StudySuccess;
  /** By the reference study's rule; null where it cannot be told, and `because` says why. */
  readonly status: { readonly word: StudyStatus | null; readonly because: string };
  readonly published: PublishedBeside | null;
}

/** Where throughput stops growing. */
export interface StudySaturationReport {
  /** By the reference study's rule, over the levels as asked: the last level that still grew; null where none is SATURATED. */
  readonly byStudyRule: {
    readonly level: string | null;
    readonly users: number | null;
    readonly measuredInFlight: number | null;
    readonly sentence: string;
  };
  /** Ours, from what was measured in flight and whether throughput went on growing with it (docs/statistics.md). */
  readonly byMeasuredInFlight: SaturationEstimate;
}

export interface StudyRunReport {
  readonly key: string;
  readonly repeat: number;
  readonly run: string;
  readonly directory: string;
  readonly startedAt: string | null;
  readonly state: "completed" | "failed" | "aborted";
  readonly verdict: VerdictStatus;
  readonly reasons: readonly string[];
  readonly thresholds: "passed" | "failed" | "inconclusive" | "none";
  readonly salt: string;
}

export interface StudyCellReport {
  readonly condition: string;
  /** Runs that the study asks for. */
  readonly asked: number;
  readonly runs: readonly StudyRunReport[];
  readonly levels: readonly StudyLevelReport[];
  readonly saturation: StudySaturationReport;
  /** What stands out in words: levels that were never in flight, and what follows from it. */
  readonly sentences: readonly string[];
}

export interface ConditionFigure {
  readonly metric: LevelMetric;
  readonly a: RepeatFigure;
  readonly b: RepeatFigure;
  /** Mean of b less mean of a, in percent of a. */
  readonly differencePct: number | null;
  /** Welch's interval of that at 95 %; null with fewer than two repeats on a side. */
  readonly interval95Pct: { readonly low: number; readonly high: number } | null;
  /** Two-sided, of equal means; null where there is no interval. */
  readonly pValue: number | null;
  readonly sentence: string;
}

export interface StudyComparison {
  readonly a: string;
  readonly b: string;
  /** Facts of the deployments that are not alike: what a difference may come of, beside the named confounders. */
  readonly differs: readonly { readonly fact: string; readonly a: string; readonly b: string }[];
  /** Whether the two spread alike over their repeats (Brown and Forsythe), over all levels together. */
  readonly spread: {
    readonly pValue: number | null;
    /** Spread of b over that of a. */
    readonly ratio: number | null;
    readonly sentence: string;
  };
  readonly levels: readonly { readonly level: string; readonly figures: readonly ConditionFigure[] }[];
}

export interface StudySuiteReport {
  readonly name: string;
  readonly phase: StudyPhase;
  readonly order: StudyOrder;
  readonly timeScale: number;
  readonly notes: readonly string[];
  readonly cells: readonly StudyCellReport[];
  readonly comparisons: readonly StudyComparison[];
}

export interface StudyConditionReport {
  readonly name: string;
  readonly targets: readonly string[];
  readonly facts: DeploymentFacts;
  readonly confounders: readonly string[];
  readonly simulated: { readonly profile: string; readonly calibratedBy: readonly string[] } | null;
}

/** The result of a study, schema version 1. Fields may be added, never renamed. */
export interface StudyReport {
  readonly schemaVersion: 1;
  readonly study: {
    readonly name: string;
    readonly mode: StudyMode;
    readonly seed: number;
    /** SHA-256 of the study with the plans that it names, hex. */
    readonly digest: string;
    readonly startedAt: string;
    readonly version: string;
    readonly notes: readonly string[];
    readonly runsDone: number;
    readonly runsAsked: number;
  };
  readonly inputs: readonly { readonly file: string; readonly sha256: string }[];
  /** What must be known before any figure, a sentence each. */
  readonly basis: readonly string[];
  readonly conditions: readonly StudyConditionReport[];
  readonly suites: readonly StudySuiteReport[];
}
