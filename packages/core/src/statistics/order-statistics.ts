import { notConfidence, percentText, type Unknown, unknown } from "./outcome.js";
import { binomialCdf } from "./shares.js";

/**
 * Ranks (from 1) of the order statistics between which a percentile of the population lies with at least the given
 * confidence, half of the risk on each side (David and Nagaraja, Order Statistics, 7.1). `lower` 0 or `upper` null:
 * no sample of this size bounds it on that side.
 */
export function percentileRankBounds(
  count: number,
  percentile: number,
  confidence = 0.95,
): { readonly lower: number; readonly upper: number | null } {
  const p = percentile / 100;
  const risk = (1 - confidence) / 2;
  // X = how many samples lie at or below the population's percentile; rank r is above it when X < r.
  const lower = lastWhere(count, (rank) => binomialCdf(rank - 1, count, p) <= risk);
  const upper = lastWhere(count, (rank) => binomialCdf(rank - 1, count, p) < 1 - risk) + 1;
  return { lower, upper: upper > count ? null : upper };
}

/** Largest rank in 1..count for which a falling claim holds; 0 when it holds for none. */
function lastWhere(count: number, holds: (rank: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A percentile of the population. Ends that no sample of this size bounds are null, and `because` says so. */
export type PercentileEstimate =
  | {
      readonly kind: "interval";
      readonly count: number;
      readonly value: number;
      readonly low: number;
      readonly high: number;
      readonly confidence: number;
    }
  | {
      readonly kind: "one-sided";
      readonly count: number;
      readonly value: number;
      readonly low: number | null;
      readonly high: number | null;
      readonly confidence: number;
      readonly because: string;
    }
  | Unknown;

/** What a percentile is read from; a `Histogram` is one. */
export interface Ranked {
  readonly count: number;
  percentile(percentile: number): number | null;
}

/**
 * Interval of a percentile by order statistics: no shape is assumed, only that values are independent. `independent` is the number
 * that are, where it is smaller than the count: tokens of one request wait for the same steps, so that of inter-token
 * latencies the requests are counted. To the digits of the histogram, in its unit.
 */
export function percentileInterval(
  histogram: Ranked,
  percentile: number,
  options: { readonly confidence?: number; readonly independent?: number } = {},
): PercentileEstimate {
  const { confidence = 0.95 } = options;
  const problem = notConfidence(confidence);
  if (problem !== null) return unknown(problem);
  if (!(percentile > 0 && percentile < 100))
    return unknown(`a percentile lies between 0 and 100, not at ${percentile}`);
  const count = Math.min(histogram.count, options.independent ?? histogram.count);
  const value = histogram.count === 0 ? null : histogram.percentile(percentile);
  if (value === null) return unknown("nothing was measured");
  if (!(count >= 1)) return unknown("of the values none is known to be independent of the others");
  const { lower, upper } = percentileRankBounds(count, percentile, confidence);
  // The middle of a rank, so that no rounding takes a neighbour's.
  const at = (rank: number) => histogram.percentile((100 * (rank - 0.5)) / count);
  const low = lower === 0 ? null : at(lower);
  const high = upper === null ? null : at(upper);
  if (low !== null && high !== null) return { kind: "interval", count, value, low, high, confidence };
  const sides = low === null && high === null ? "on either side" : low === null ? "from below" : "from above";
  const because = `${count} values do not bound a percentile of ${percentile} ${sides} at ${percentText(confidence)}`;
  return { kind: "one-sided", count, value, low, high, confidence, because };
}
