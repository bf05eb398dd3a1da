import type { DropReason, FailureReason, FinishReason, TokenSource } from "./outcome.js";
import type { Vitals } from "./vitals.js";

/**
 * Part of a stage to which a measurement belongs. `ramp` includes the settling time; `drain` follows the last
 * stage; `between` is the idle time after a stage bounded by requests.
 */
export const PHASES = ["warm-up", "ramp", "measured", "drain", "between"] as const;
export type Phase = (typeof PHASES)[number];

/**
 * Histograms of a block. Durations in us, lengths in tokens. All belong to the (stage, phase) in which the request was due.
 * `*Censored`: ages of requests that were unfinished when the stage's count was closed, so that percentiles can
 * say `>=` (TTFT: only those without a first token; TPOT of a censored request is not kept).
 */
export const METRICS = [
  "ttft", // sent to first token
  "firstContent", // sent to first content (not reasoning)
  "headers", // sent to response headers
  "connect", // start of connect to connected; only requests that opened a socket
  "gap", // between two arrivals of tokens, once per arrival
  "itl", // gap / k, once for each of the k tokens of the arrival
  "tpot", // (last - first token) / (tokens - 1), once per completed request of at least 2 tokens
  "e2e", // sent to end, completed requests
  "response", // due to end, completed requests
  "failedE2e", // due to end, failed requests
  "scheduleLag", // due to the moment at which the agent began to send
  "inputTokens", // prompt tokens by usage, completed requests
  "outputTokens", // generated tokens, completed requests
  "ttftCensored",
  "e2eCensored",
  "responseCensored",
  "firstEvent", // sent to the first event of whatever kind, the role chunk included
  "failedService", // sent to end, failed requests that were sent
] as const;
export type MetricName = (typeof METRICS)[number];

/**
 * Metrics that came after the first version. They travel in a field of their own, which older readers pass over, and
 * are not among the samples that a final counts: an older leader merges none of them.
 */
export const LATER_METRICS = ["firstEvent", "failedService"] as const satisfies readonly MetricName[];

const LATER: ReadonlySet<MetricName> = new Set(LATER_METRICS);

/** Whether the metric's samples are among those that a final counts. */
export function isCounted(metric: MetricName): boolean {
  return !LATER.has(metric);
}

/** Histograms that are kept for each target apart. */
export const TARGET_METRICS = ["ttft", "itl", "e2e"] as const satisfies readonly MetricName[];
export type TargetMetric = (typeof TARGET_METRICS)[number];

/** Histograms that are kept for each member of a mixture apart: twice a request, and none for each token. */
export const WORK_METRICS = ["ttft", "e2e"] as const satisfies readonly MetricName[];
export type WorkMetric = (typeof WORK_METRICS)[number];

/** Of a plan with several URLs the first so many are kept apart; a report says how many are not. */
export const TARGETS_APART = 16;

/** A histogram as it is kept or sent: V2 payload (not deflated), exact count, sum, min and max beside it. */
export interface EncodedHistogram {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** Values above 1 h: in count, sum and max, not in the payload. */
  readonly overflow: number;
  readonly payload: Uint8Array;
}

/** What happened in a span of time: belongs to the (stage, phase) at which it happened. */
export interface FlowCounts {
  /** Length of the part of the interval that lies in this (stage, phase), us. */
  durationUs: number;
  /** Integral of requests in flight over that time: requests x us. */
  inFlightUs: number;
  inFlightMin: number;
  inFlightMax: number;
  sent: number;
  /** Requests that ended, in whatever way, after they were sent. */
  ended: number;
  completed: number;
  /** Generated tokens, counted when received. */
  outputTokens: number;
  /** Prompt tokens of requests whose usage arrived in this time. */
  promptTokens: number;
  /** Arrivals that carried tokens: events in one read are one arrival. */
  arrivals: number;
  /** Events that carried tokens. */
  events: number;
  /** Token events that shared a read with an earlier token event of the same stream. */
  coalesced: number;
}

/** What became of the requests that were due in a (stage, phase), whenever it came out. */
export interface DueCounts {
  offered: number;
  sent: number;
  /** Failed or cancelled before they were sent; they are among failed and cancelled too. */
  unsent: number;
  completed: number;
  failed: Partial<Record<FailureReason, number>>;
  /** Completed and failed requests whose answer told a finish reason. Not from agents of the first version. */
  finish: Partial<Record<FinishReason, number>>;
  cancelled: number;
  dropped: Partial<Record<DropReason, number>>;
  unknown: number;
  /** Unfinished when the stage's count was closed; what happens to them later is not counted here. */
  censored: number;
  /** Second attempts on a fresh socket after a reused one died before any response byte. */
  staleRetries: number;
  /** Of completed requests. */
  promptTokens: number;
  cachedPromptTokens: number;
  outputTokens: number;
  /** Tokens already received of requests that did not complete. */
  partialOutputTokens: number;
  /** Completed requests by the source of their token count. */
  tokenSource: Partial<Record<TokenSource, number>>;
  /** Completed requests that met every SLO of the plan. */
  good: number;
  /** Sums of what was asked for, of completed requests, to stand beside what was measured. */
  askedPromptTokens: number;
  askedOutputTokens: number;
  /** Completed requests of which nobody said how long their prompt was to be: a file's own text. */
  promptsOfUnknownLength: number;
}

/**
 * One member's part of a block, where the workload is a mixture or has images: requests that were due in it, and of
 * completed ones lengths, measured and asked.
 */
export interface WorkPart {
  /** Index in the plan's `workloadMembers`. */
  readonly member: number;
  offered: number;
  completed: number;
  failed: number;
  promptTokens: number;
  cachedPromptTokens: number;
  outputTokens: number;
  askedPromptTokens: number;
  askedOutputTokens: number;
  promptsOfUnknownLength: number;
  images: number;
  /** As far as the server tells them apart. */
  imageTokens: number;
  /** Images of requests whose server told. */
  imageTokensTold: number;
  /** Of a measured block; absent where nothing was measured, and from agents that are older. */
  readonly histograms?: Partial<Record<WorkMetric, EncodedHistogram>> | undefined;
}

/** One target's part of a measured block: what its requests that were due in it came to, and what it sent in that time. */
export interface TargetPart {
  /** Index among the plan's URLs. */
  readonly url: number;
  readonly offered: number;
  readonly completed: number;
  readonly failed: number;
  readonly censored: number;
  /** Received in the block's time; a usage that takes tokens back can make it negative in one interval. */
  readonly outputTokens: number;
  readonly histograms: Partial<Record<TargetMetric, EncodedHistogram>>;
}

export interface Block {
  /** Index in `resolveStages(plan)`. */
  readonly stage: number;
  readonly phase: Phase;
  readonly flow: FlowCounts;
  readonly due: DueCounts;
  readonly histograms: Partial<Record<MetricName, EncodedHistogram>>;
  /** Of a measured block, where the plan has several URLs; by URL. */
  readonly targets?: readonly TargetPart[] | undefined;
  /** By member, of a workload that is not text alone. */
  readonly work?: readonly WorkPart[] | undefined;
}

/** State of one shard's ledger at a cut. `offered = sent + unsent + dropped + waiting`, always. */
export interface Ledger {
  offered: number;
  sent: number;
  unsent: number;
  dropped: number;
  /** Due, and neither sent nor given up. */
  waiting: number;
  completed: number;
  failed: number;
  /** Cancelled or cut by us, before or after they were sent. */
  cancelled: number;
  unknown: number;
  inFlight: number;
}

/** One agent's interval. Numbered without gaps from 1 within an epoch; cut exactly at [fromUs, toUs) by stamps. */
export interface Snapshot {
  readonly run: string;
  readonly agent: string;
  readonly epoch: number;
  readonly seq: number;
  /** Run time, us. */
  readonly fromUs: number;
  readonly toUs: number;
  /** Cumulative over the shard, at toUs. */
  readonly ledger: Ledger;
  readonly blocks: readonly Block[];
  readonly vitals: Vitals;
}

export interface UsersStarted {
  readonly never: number;
  readonly late: number;
  readonly lateUs: number;
}

/** An agent's last word on a run: what a complete result must hold. */
export interface Final {
  readonly run: string;
  readonly agent: string;
  readonly epoch: number;
  /** Number of the last snapshot; 0 when none was cut. */
  readonly lastSeq: number;
  /** Latency samples recorded, over all histograms of all snapshots: the sum of their counts. */
  readonly samplesRecorded: number;
  readonly ledger: Ledger;
  readonly startErrorUs: number;
  /** Intervals evicted from memory before they were confirmed. */
  readonly evicted: number;
  /** Which these were; the log may have some all the same. Absent where there were none, and from agents that are older. */
  readonly gaps?: readonly { readonly from: number; readonly to: number }[] | undefined;
  /** Run times in which it heard no leader, us. Absent where there were none, and from agents that are older. */
  readonly unled?: readonly { readonly fromUs: number; readonly toUs: number }[] | undefined;
  /** By stage index (closed load): completed requests, due in the measured window, of the user of this shard that had fewest. */
  readonly completedPerUserMin: Readonly<Record<string, number>>;
  /**
   * By index of a stage of users that began: how many of this shard's sent no request in it, how many of those that it
   * added sent their first only in its window, and how much of the window these missed together, us. Absent from
   * agents that are older.
   */
  readonly usersStarted?: Readonly<Record<string, UsersStarted>> | undefined;
  /** Requests whose body was not built when they were due; absent from agents that are older. */
  readonly builtLate?: number | undefined;
  /** What preflight found: the model, and how it was asked. */
  readonly reader: string;
}
