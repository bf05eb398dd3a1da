import type {
  ComparedName,
  Comparison,
  MetricName,
  Phase,
  RunReport,
  StudyReport,
  VitalsColour,
} from "@tokenstorm/core";

/**
 * All that the page draws of one run, version 1: plain JSON, made from a run directory's lines (`runData`) or, later, from
 * live messages. The page computes nothing beyond where on the screen a value stands. Fields may be added, never renamed.
 */
export interface RunData {
  readonly version: 1;
  readonly kind: "run";
  readonly report: RunReport;
  /** Who was the limit; empty where a report of an older version does not say. */
  readonly limit: string;
  /** The sentences of the text report, in its order. */
  readonly facts: readonly Fact[];
  readonly conditions: readonly Condition[];
  /** One for each of `report.stages`, in their order. Empty where the intervals are not at hand. */
  readonly levels: readonly LevelData[];
  /** Null where only the report was kept, and no intervals. */
  readonly series: RunSeries | null;
  readonly events: readonly PageEvent[];
}

/** Two or more runs beside each other, version 1. */
export interface ComparisonData {
  readonly version: 1;
  readonly kind: "comparison";
  readonly comparison: Comparison;
  /** Words of the text form. */
  readonly headline: string;
  readonly findings: { readonly head: string; readonly lines: readonly string[] };
  /** A table for each figure: a row for each level, a side's value, the change and its interval beside each other. */
  readonly tables: readonly {
    readonly name: ComparedName;
    readonly title: string;
    readonly columns: readonly string[];
    readonly rows: readonly (readonly string[])[];
  }[];
  /** Of levels and of the whole, and what the intervals mean. */
  readonly notes: readonly string[];
  /** For each side, by the names of its levels, the curves of its first run. */
  readonly curves: readonly Readonly<Record<string, LevelData["curves"]>>[];
}

/** A study, version 1. */
export interface StudyData {
  readonly version: 1;
  readonly kind: "study";
  readonly study: StudyReport;
  /** By condition: the most of any level, means of repeats; null where nothing was measured, or the GPUs are not stated. */
  readonly best: Readonly<
    Record<
      string,
      {
        readonly level: string;
        readonly totalTokensPerS: number;
        readonly outputTokensPerS: number | null;
        readonly totalTokensPerSPerGpu: number | null;
      } | null
    >
  >;
}

/** What a page can show. */
export type ReportData = RunData | ComparisonData | StudyData;

export type Tone = "plain" | "good" | "warning" | "bad";

/** A labelled sentence of the text report. */
export interface Fact {
  readonly label: string;
  readonly text: string;
  readonly tone: Tone;
}

/** One line of the conditions under which the numbers hold. */
export interface Condition {
  readonly group: string;
  readonly name: string;
  /** Null: nobody has said. */
  readonly value: string | null;
  /** Who says so. */
  readonly source: "plan" | "agents" | "target" | "measured" | "nobody";
}

/** Bounds at 95 %; how they were taken stands in the definitions. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export const CURVE_METRICS = ["ttft", "itl", "tpot", "e2e"] as const satisfies readonly MetricName[];
export type CurveMetric = (typeof CURVE_METRICS)[number];

/** A latency by percentile. Values in us, with the ages of requests that were cut. */
export interface Curve {
  readonly count: number;
  /** Percentile (0 to 100) and value, rising; ends where the sample ends. */
  readonly points: readonly (readonly [percentile: number, us: number])[];
  /** From this percentile on, cut requests could move the curve up; null where none could. */
  readonly atLeastFrom: number | null;
}

export interface LevelData {
  /** Of the mean rate, from equal parts of the window; null with too few whole intervals. */
  readonly outputTokensPerS: Interval | null;
  readonly requestsPerS: Interval | null;
  readonly inFlight: Interval | null;
  /** Of the percentile, by order statistics (for ITL of so many values as there were requests); null for small samples. */
  readonly percentiles: Readonly<
    Record<CurveMetric, { readonly p50: Interval | null; readonly p99: Interval | null }>
  >;
  readonly curves: Readonly<Record<CurveMetric, Curve | null>>;
}

/** A stretch of the run, for the time axis. Run time, us. */
export interface Span {
  readonly stage: string;
  readonly phase: Phase;
  readonly fromUs: number;
  readonly toUs: number;
  /** Users, or requests/s at its end. */
  readonly asked: number | null;
}

/** A line over time: the mean of a point, and the least and greatest single interval in it. Null: nothing was heard. */
export interface RateLine {
  readonly mean: readonly (number | null)[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
}

/** Percentiles of what was measured in a point's time, to 2.2 %; the maximum is exact. us. */
export interface LatencyLine {
  readonly p50: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly max: readonly (number | null)[];
}

export const LINE_METRICS = ["ttft", "itl", "e2e"] as const satisfies readonly MetricName[];
export type LineMetric = (typeof LINE_METRICS)[number];

/** How many samples of a point's time fell between two values: rows by value, from `lowestUs`, each x `ratio` wide. */
export interface HeatMap {
  readonly lowestUs: number;
  readonly ratio: number;
  /** counts[row][point] */
  readonly counts: readonly (readonly number[])[];
}

/**
 * The run over time. Every array has `points` entries; point i stands for the `intervalsPerPoint` intervals from
 * i x `pointUs` on. At most MAX_POINTS, however long the run.
 */
export interface RunSeries {
  readonly points: number;
  readonly pointUs: number;
  readonly intervalUs: number;
  readonly intervalsPerPoint: number;
  readonly spans: readonly Span[];
  /** Closed load: what a span asks for are users, and so requests in flight. */
  readonly isClosed: boolean;
  /** Fewest agents whose interval is in, of any interval of the point. */
  readonly agents: readonly number[];
  readonly inFlight: RateLine;
  readonly outputTokensPerS: RateLine;
  readonly requestsPerS: RateLine;
  /** Requests that failed or were dropped, counts. */
  readonly failed: readonly number[];
  readonly dropped: readonly number[];
  readonly latency: Readonly<Record<LineMetric, LatencyLine>>;
  readonly heat: Readonly<Record<"ttft" | "itl", HeatMap | null>>;
  /** Of the target's scrapes; null where it was not scraped in a point's time. */
  readonly server: {
    readonly running: readonly (number | null)[];
    readonly waiting: readonly (number | null)[];
    /** Greatest of the point, 0 to 1. */
    readonly kvUsage: readonly (number | null)[];
  } | null;
  readonly vitals: {
    readonly loopDelayP99Us: VitalLine;
    readonly scheduleLagP99Us: VitalLine;
    readonly selfProbeP99Us: VitalLine;
    readonly cpu: VitalLine;
  };
  readonly agentLines: readonly AgentLine[];
}

/** Over agents: the median of their greatest interval in the point, and the greatest of all. */
export interface VitalLine {
  readonly median: readonly (number | null)[];
  readonly max: readonly (number | null)[];
}

export interface AgentLine {
  readonly id: string;
  /** A letter for each point: the worst interval in it, `g`, `y`, `r`; `.` unmeasured, `-` nothing was heard. */
  readonly colours: string;
  /** Greatest interval of each point. */
  readonly loopDelayP99Us: readonly (number | null)[];
  /** Mean CPU of the process in each point; 1 is one core. */
  readonly cpu: readonly (number | null)[];
  readonly worst: {
    readonly colour: VitalsColour;
    /** Why, with figure and limit, of the worst interval. */
    readonly reasons: readonly string[];
    readonly atUs: number;
  } | null;
}

/** Something that happened; run time where it is known. */
export interface PageEvent {
  readonly atUs: number | null;
  readonly text: string;
}

/** Points of a line over time, at most: 2 hours of 1 s intervals are 30 s each. */
export const MAX_POINTS = 300;
