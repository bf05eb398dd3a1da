import type { MeanEstimate } from "../statistics/mean-interval.js";
import type { Unknown } from "../statistics/outcome.js";
import type { VarianceTest } from "../statistics/variance-test.js";

/** Two or more sides beside each other, the first of which the others are held against. Schema version 1. */
export interface Comparison {
  readonly schemaVersion: 1;
  readonly confidence: number;
  /**
   * `runs`: every side is a group of repeats, and intervals are of the difference between their means. `windows`: single runs, and intervals
   * show how steady each was within its window; a second run may lie outside of them.
   */
  readonly basis: "runs" | "windows";
  readonly sides: readonly ComparedSide[];
  /** Where the sides differ in what was asked and in what answered, before any figure. */
  readonly conditions: readonly Condition[];
  /** What a reader must know before believing a difference, a sentence each. */
  readonly warnings: readonly string[];
  readonly levels: readonly ComparedLevel[];
  /** Levels that no other side has, or not all. */
  readonly unpaired: readonly { readonly side: string; readonly level: string }[];
  /** Of the output throughput over all levels, for groups of repeats: one for each side after the first. */
  readonly spread: readonly VarianceTest[];
}

export interface ComparedSide {
  /** A, B, C ... */
  readonly label: string;
  /** Of a study's condition. */
  readonly name?: string;
  readonly runs: readonly {
    readonly id: string;
    readonly name: string;
    readonly startedAt: string | null;
    readonly model: string | null;
    readonly agents: number;
    readonly status: "valid" | "degraded" | "invalid";
    readonly reasons: readonly string[];
  }[];
}

/** One condition in which sides differ; a value for each side, `-` where it has none. */
export interface Condition {
  readonly name: string;
  readonly values: readonly string[];
}

export interface ComparedLevel {
  readonly name: string;
  /** `100 users`, `50 requests/s`. */
  readonly load: string;
  /** Its name at each side. */
  readonly names: readonly string[];
  readonly figures: readonly ComparedFigure[];
  /** Sides at which the level is marked (too short, not steady, notes), each with what is said there. */
  readonly notes: readonly { readonly side: string; readonly text: string }[];
}

export const COMPARED_FIGURES = [
  "outputTokensPerS",
  "promptTokensPerS",
  "requestsPerS",
  "inFlight",
  "success",
  "ttftP50Us",
  "ttftP99Us",
  "itlP50Us",
  "itlP99Us",
  "tpotP50Us",
  "tpotP99Us",
  "e2eP50Us",
  "e2eP99Us",
] as const;
export type ComparedName = (typeof COMPARED_FIGURES)[number];

export interface ComparedFigure {
  readonly name: ComparedName;
  /** Which change is good; of the number in flight neither is. */
  readonly better: "more" | "less" | "neither";
  readonly values: readonly ComparedValue[];
  /** One for each side after the first, against the first. */
  readonly differences: readonly Difference[];
}

export interface ComparedValue {
  /** As the report has it; the mean of repeats. Null where nothing was measured. */
  readonly value: number | null;
  /** Of each run of the side that has the level. */
  readonly runs: readonly number[];
  /** Over repeats; unknown for a single run. */
  readonly mean: MeanEstimate;
}

export type Difference =
  | {
      readonly kind: "interval";
      readonly difference: number;
      readonly low: number;
      readonly high: number;
      /** The same three over the first side's value; null where that is 0. */
      readonly relative: { readonly change: number; readonly low: number; readonly high: number } | null;
      /** Whether the interval leaves 0 out, and on which side. */
      readonly sign: "higher" | "lower" | "none";
      /** Whether spreads differ too, for groups of repeats. */
      readonly variance: VarianceTest | null;
    }
  | {
      readonly kind: "point";
      readonly difference: number;
      readonly relative: number | null;
      readonly because: string;
    }
  | Unknown;
