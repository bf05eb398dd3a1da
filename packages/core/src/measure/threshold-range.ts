import { percentileRankBounds } from "../statistics/order-statistics.js";
import { shareLowerBound } from "../statistics/shares.js";
import { total } from "./counts.js";
import { createHistogram, rankOf } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import { valueAtRank, withAges } from "./latency-summary.js";
import type { LevelData } from "./level-data.js";
import type { MetricName } from "./snapshot.js";
import type { LatencyStat, Threshold, VALUE_METRICS } from "./thresholds.js";

/**
 * Where a figure of a level lies, whatever the values are that nobody saw: of requests that were censored, lost or in
 * a missing interval. `high` is Infinity where it is not bounded. All null-like cases have no observed value.
 */
export interface Range {
  readonly observed: number | null;
  readonly low: number;
  readonly high: number;
}

/** What of a level its figures come from. */
export type JudgedLevel = Pick<
  LevelData,
  "histograms" | "due" | "flow" | "windowUs" | "plannedUs" | "missing" | "hasSlos"
>;

const UNKNOWN: Range = { observed: null, low: 0, high: Number.POSITIVE_INFINITY };
const exactly = (value: number): Range => ({ observed: value, low: value, high: value });

/** Of the order statistics that bound a percentile. */
export const CONFIDENCE = 0.95;

/** Called once for each level that a threshold is about. */
export function rangeOf({ metric }: Threshold, level: JudgedLevel, confidence: number): Range {
  return metric.kind === "latency" ? latencyRange(metric, level, confidence) : valueRange(metric.name, level);
}

/** One value for each arrival or token: they depend on each other, so that no order statistics hold. */
export const PER_ARRIVAL: ReadonlySet<MetricName> = new Set(["gap", "itl"]);
/** Where a censored request left its age. */
const CENSORED: Partial<Record<MetricName, MetricName>> = {
  ttft: "ttftCensored",
  e2e: "e2eCensored",
  response: "responseCensored",
};
/** Where a censored request left nothing, and may have a value all the same. */
const WITHOUT_AGE: ReadonlySet<MetricName> = new Set(["tpot", "firstContent", "headers", "failedE2e"]);

interface Samples {
  readonly known: Histogram;
  /** Known values and ages of the censored. */
  readonly both: Histogram;
  /** Values of which nothing is known. */
  readonly unseen: number;
}

function latencyRange(
  { metric, stat }: { readonly metric: MetricName; readonly stat: LatencyStat },
  level: JudgedLevel,
  confidence: number,
): Range {
  const samples = samplesOf(metric, level);
  const { known, both, unseen } = samples;
  if (both.count === 0) return UNKNOWN;
  const open = both.count - known.count + unseen;
  switch (stat) {
    case "min":
      return {
        observed: both.min,
        low: unseen > 0 ? 0 : both.min,
        high: known.count > 0 ? known.min : Infinity,
      };
    case "max":
      return { observed: both.max, low: both.max, high: open > 0 ? Infinity : both.max };
    case "mean": {
      const low = both.sum / (both.count + unseen);
      return { observed: both.sum / both.count, low, high: open > 0 ? Infinity : low };
    }
    default:
      return {
        observed: both.percentile(stat),
        ...percentileRange(stat, samples, PER_ARRIVAL.has(metric) ? null : confidence),
      };
  }
}

function samplesOf(metric: MetricName, { histograms, due, missing }: JudgedLevel): Samples {
  const known = histograms.get(metric) ?? createHistogram();
  const agesOf = CENSORED[metric];
  const both = agesOf === undefined ? known : withAges({ known, censored: histograms.get(agesOf) });
  if (PER_ARRIVAL.has(metric)) {
    // How many arrivals a lost request had, or one that was cut had still to come, nobody knows.
    return { known, both, unseen: due.unknown + due.censored > 0 ? Infinity : missing.samples };
  }
  const censored = WITHOUT_AGE.has(metric) ? due.censored : 0;
  // A request that was never sent would have waited longest of all.
  const dropped = metric === "response" ? total(due.dropped) : 0;
  return { known, both, unseen: censored + dropped + due.unknown + missing.requests };
}

/** The lowest with all that is not known at its best, the highest with all at its worst. */
function percentileRange(
  percentile: number,
  { known, both, unseen }: Samples,
  confidence: number | null,
): Pick<Range, "low" | "high"> {
  if (!Number.isFinite(unseen)) return { low: 0, high: Infinity };
  const count = both.count + unseen;
  const nearest = rankOf(percentile, count);
  const ranks =
    confidence === null
      ? { lower: nearest, upper: nearest }
      : percentileRankBounds(count, percentile, confidence);
  return {
    low: valueAtRank(both, ranks.lower - unseen) ?? 0,
    high: (ranks.upper === null ? null : valueAtRank(known, ranks.upper)) ?? Infinity,
  };
}

function valueRange(name: (typeof VALUE_METRICS)[number], level: JudgedLevel): Range {
  const { due, flow, missing } = level;
  const failed = total(due.failed);
  const open = due.censored + due.unknown + missing.requests;
  switch (name) {
    case "success.rate":
      return successRange(level, open, (good, of) => (of === 0 ? null : good / of));
    case "success.lower95":
      return successRange(level, open, shareLowerBound);
    case "goodput.rate":
      return goodputRange(level);
    case "rates.requestsPerS":
      return rateRange(level, flow.completed * 1e6);
    case "rates.outputTokensPerS":
      return rateRange(level, flow.outputTokens * 1e6);
    case "rates.promptTokensPerS":
      return rateRange(level, flow.promptTokens * 1e6);
    case "inFlight.mean":
      return rateRange(level, flow.inFlightUs);
    case "failures.count":
      return { observed: failed, low: failed, high: failed + open };
    case "drops.count":
      return { ...exactly(total(due.dropped)), high: total(due.dropped) + missing.requests };
    case "requests.completed":
      return { observed: due.completed, low: due.completed, high: due.completed + open };
    case "requests.censored":
      return { ...exactly(due.censored), high: due.censored + missing.requests };
  }
}

/** A share of those that succeeded or failed: the open ones may all do either. */
function successRange(
  { due }: JudgedLevel,
  open: number,
  share: (good: number, of: number) => number | null,
): Range {
  const known = due.completed + total(due.failed);
  const observed = share(due.completed, known);
  if (!Number.isFinite(open)) return { observed, low: 0, high: 1 };
  const low = share(due.completed, known + open);
  const high = share(due.completed + open, known + open);
  return { observed, low: low ?? 0, high: high ?? 1 };
}

/** Of all that were due: one that was censored was not good in time, one that is lost may have been. */
function goodputRange({ due, missing, hasSlos }: JudgedLevel): Range {
  if (!hasSlos || due.offered === 0) return UNKNOWN;
  const observed = due.good / due.offered;
  if (!Number.isFinite(missing.requests)) return { observed, low: 0, high: 1 };
  const all = due.offered + missing.requests;
  return { observed, low: due.good / all, high: (due.good + due.unknown + missing.requests) / all };
}

/** Per time of the window. A missing interval may have held any number, and time that nobody covered. */
function rateRange({ windowUs, plannedUs, missing }: JudgedLevel, amount: number): Range {
  if (windowUs === 0) return UNKNOWN;
  const observed = amount / windowUs;
  if (missing.requests === 0 && missing.samples === 0) return exactly(observed);
  return { observed, low: plannedUs === null ? 0 : amount / Math.max(windowUs, plannedUs), high: Infinity };
}
