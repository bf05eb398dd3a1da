import type { RunReport, ThresholdResult } from "../run/report.js";
import { total } from "./counts.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import { valueAtRank, withAges } from "./latency-summary.js";
import type { LevelData } from "./level-data.js";
import type { MetricName } from "./snapshot.js";
import { percentileRankBounds } from "./statistics.js";
import type { LatencyStat, Threshold } from "./thresholds.js";

/** The range in which a figure lies, whatever the missing samples were; null: not bounded on that side. */
interface Range {
  readonly observed: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** Latencies of one value per request: their percentiles have order statistics. A token's gaps depend on each other. */
const PER_REQUEST: ReadonlySet<MetricName> = new Set([
  "ttft",
  "firstContent",
  "headers",
  "connect",
  "tpot",
  "e2e",
  "response",
  "scheduleLag",
  "failedE2e",
]);
const CENSORED: Partial<Record<MetricName, MetricName>> = {
  ttft: "ttftCensored",
  e2e: "e2eCensored",
  response: "responseCensored",
};

/**
 * Passes only where it would pass with every missing or censored sample at its worst, fails only where it would fail
 * with all of them at their best, else inconclusive; the worst level decides.
 */
export function judgeThreshold(
  threshold: Threshold,
  levels: readonly LevelData[],
  isComplete: boolean,
): RunReport["thresholds"][number] {
  const wanted = levels.filter(({ stage }) => threshold.stage === null || stage.name === threshold.stage);
  const judged = wanted.map((level) => judgeLevel(threshold, level, isComplete));
  const order: readonly ThresholdResult[] = ["failed", "inconclusive", "passed"];
  const worst = judged.toSorted(
    (a, b) => order.indexOf(a.result) - order.indexOf(b.result) || compareWorse(threshold, a, b),
  )[0];
  return {
    metric: threshold.name,
    expression: threshold.expression,
    observed: worst?.observed ?? null,
    result: worst?.result ?? "inconclusive",
  };
}

interface Judged {
  readonly observed: number | null;
  readonly result: ThresholdResult;
}

function compareWorse({ op }: Threshold, a: Judged, b: Judged): number {
  const difference = (b.observed ?? 0) - (a.observed ?? 0);
  return op === "<" || op === "<=" ? difference : -difference;
}

function judgeLevel(threshold: Threshold, level: LevelData, isComplete: boolean): Judged {
  const range = rangeOf(threshold, level);
  const { observed } = range;
  // What is missing of whole intervals could be anything.
  if (!isComplete || observed === null) return { observed, result: "inconclusive" };
  const holds = (value: number | null, ifUnbounded: boolean) =>
    value === null ? ifUnbounded : compare(value, threshold);
  const wantsLow = threshold.op === "<" || threshold.op === "<=";
  const worst = holds(wantsLow ? range.high : range.low, false);
  const best = holds(wantsLow ? range.low : range.high, true);
  return { observed, result: worst ? "passed" : best ? "inconclusive" : "failed" };
}

function compare(value: number, { op, limit }: Threshold): boolean {
  switch (op) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
  }
}

function rangeOf(threshold: Threshold, level: LevelData): Range {
  const { metric } = threshold;
  return metric.kind === "latency"
    ? latencyRange(metric.metric, metric.stat, level)
    : valueRange(metric.name, level);
}

function latencyRange(metric: MetricName, stat: LatencyStat, level: LevelData): Range {
  const known = level.histograms.get(metric) ?? createHistogram();
  const censoredName = CENSORED[metric];
  const ages = censoredName === undefined ? undefined : level.histograms.get(censoredName);
  const low = withAges({ known, censored: ages });
  const open = ages?.count ?? 0;
  const { unknown } = level.due;
  if (low.count === 0) return { observed: null, low: null, high: null };
  if (stat === "min") return { observed: low.min, low: unknown > 0 ? 0 : low.min, high: low.min };
  if (stat === "max" || stat === "mean") {
    const observed = stat === "max" ? low.max : low.sum / low.count;
    return { observed, low: unknown > 0 ? null : observed, high: open + unknown > 0 ? null : observed };
  }
  const observed = low.percentile(stat);
  if (!PER_REQUEST.has(metric)) {
    return unknown > 0 ? { observed, low: null, high: null } : { observed, low: observed, high: observed };
  }
  return { observed, ...percentileRange(stat, { known, low, unknown }) };
}

/** The order statistics around a percentile: the lower with the missing at their best, the upper at their worst. */
function percentileRange(
  percentile: number,
  samples: { readonly known: Histogram; readonly low: Histogram; readonly unknown: number },
): { readonly low: number | null; readonly high: number | null } {
  const count = samples.low.count + samples.unknown;
  const ranks = percentileRankBounds(count, percentile);
  return {
    low: valueAtRank(samples.low, ranks.lower - samples.unknown),
    high: ranks.upper === null ? null : valueAtRank(samples.known, ranks.upper),
  };
}

function valueRange(name: string, level: LevelData): Range {
  const { due, flow, windowUs } = level;
  const failed = total(due.failed);
  const open = due.censored + due.unknown;
  const perS = (count: number) => exactly(windowUs === 0 ? null : (count * 1e6) / windowUs);
  switch (name) {
    case "success.rate":
      return shareRange(due.completed, due.completed + failed, open);
    case "goodput.rate":
      return shareRange(due.good, due.offered - open, open);
    case "rates.requestsPerS":
      return perS(flow.completed);
    case "rates.outputTokensPerS":
      return perS(flow.outputTokens);
    case "rates.promptTokensPerS":
      return perS(flow.promptTokens);
    case "inFlight.mean":
      return exactly(level.inFlightMean);
    case "failures.count":
      return { observed: failed, low: failed, high: failed + open };
    case "drops.count":
      return exactly(total(due.dropped));
    case "requests.completed":
      return { observed: due.completed, low: due.completed, high: due.completed + open };
    case "requests.censored":
      return exactly(due.censored);
    default:
      return { observed: null, low: null, high: null };
  }
}

const exactly = (value: number | null): Range => ({ observed: value, low: value, high: value });

function shareRange(good: number, known: number, open: number): Range {
  const all = known + open;
  if (all === 0) return { observed: null, low: null, high: null };
  return { observed: known === 0 ? null : good / known, low: good / all, high: (good + open) / all };
}
