import type { Figure } from "./figure.js";

/** End-to-end latency of requests as a table gives it, seconds. */
export interface LatencyFigures {
  readonly mean?: Figure | undefined;
  readonly min?: Figure | undefined;
  readonly max?: Figure | undefined;
  /** Ascending by percentile, each once. */
  readonly percentiles: readonly { readonly percentile: number; readonly value: Figure }[];
}

/** One row of somebody's results table; what it does not say is absent. */
export interface ClaimedRow {
  readonly label: string;
  /** Requests said to be in flight together: the label under audit. */
  readonly concurrency?: number | undefined;
  /** Requests sent in all. */
  readonly requests?: number | undefined;
  readonly completed?: number | undefined;
  readonly failed?: number | undefined;
  /** Share of the requests that succeeded, 0 to 1. */
  readonly successShare?: Figure | undefined;
  readonly requestsPerS?: Figure | undefined;
  readonly outputTokensPerS?: Figure | undefined;
  readonly totalTokensPerS?: Figure | undefined;
  readonly outputTokensPerRequest?: Figure | undefined;
  readonly totalTokensPerRequest?: Figure | undefined;
  readonly durationS?: Figure | undefined;
  /** Most requests in flight at a moment, as the tool counted them or their bound. */
  readonly peakInFlight?: number | undefined;
  /** Time-weighted mean of requests in flight, as the tool measured it. */
  readonly measuredInFlight?: Figure | undefined;
  readonly latencyS: LatencyFigures;
  /** Rows of one group asked for the same tokens per request. */
  readonly group?: string | undefined;
  /**
   * The row describes a window cut out of a longer run: requests that were there before it are in flight in it, and
   * not among its requests.
   */
  readonly isWindow?: boolean | undefined;
}

/**
 * `impossible`: numbers of the row exclude each other. `at-most`: fewer than claimed were in flight. `not-steady`: it
 * may have had what it claims, though not for long. `cannot-judge`: what would be needed is not there.
 */
export const FINDING_KINDS = ["impossible", "at-most", "not-steady", "cannot-judge"] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export type AuditRule =
  | "count"
  | "peak"
  | "little"
  | "same-work"
  | "capacity"
  | "percentile-order"
  | "mean-in-range"
  | "rate-and-duration"
  | "tokens"
  | "success"
  | "few-per-user"
  | "short-run"
  | "missing";

export interface Finding {
  readonly kind: FindingKind;
  readonly rule: AuditRule;
  /** What was claimed, what the row's own numbers allow, by which arithmetic. */
  readonly sentence: string;
}

/** A bound and where it comes from. */
export interface Bound {
  readonly value: number;
  readonly rule: AuditRule;
  readonly because: string;
}

export interface AuditedRow {
  readonly label: string;
  readonly claimed: number | null;
  readonly requests: number | null;
  /** Most that could have been in flight at one moment; null where nothing bounds it. */
  readonly atMost: number | null;
  /** Most that could have been in flight on average; null where nothing bounds it. */
  readonly meanAtMost: number | null;
  /** By Little's law from the printed figures; null without a mean latency and a rate. */
  readonly littleMean: number | null;
  readonly requestsPerUser: number | null;
  readonly durationS: number | null;
  readonly success: { readonly share: number | null; readonly lower95: number | null };
  /** The worst of the findings. */
  readonly status: FindingKind | "consistent";
  readonly isContradicted: boolean;
  readonly findings: readonly Finding[];
}

export interface AuditReport {
  readonly schemaVersion: 1;
  readonly rows: readonly AuditedRow[];
  readonly contradicted: number;
  readonly notSteady: number;
  readonly cannotJudge: number;
  readonly limits: typeof AUDIT_LIMITS;
}

/** Every tolerance of the audit. */
export const AUDIT_LIMITS = {
  /** Figures that ought to be equal may differ by this share beyond their rounding: tools define their edges apart. */
  tolerance: 0.02,
  /**
   * A row with a lower share of its label in flight on average never had it, or filled and drained for more than a
   * third of its time: either way its figures are not those of that concurrency.
   */
  heldShare: 2 / 3,
  /** A level with a lower share of what was asked in flight on average was not steady, as in our own reports. */
  steadyShare: 0.95,
  /** Fewer requests per user, or a run of fewer latencies, is mostly its own beginning and end. */
  fewestPerUser: 3,
  /** Rows whose work per claimed request agrees this closely are taken for the same work. */
  sameWorkShare: 0.05,
} as const;
