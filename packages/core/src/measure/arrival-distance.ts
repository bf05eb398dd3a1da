import type { ArrivalDistance } from "../run/report.js";
import type { Histogram } from "./histogram.js";

/** Lateness at which the upper bound is tried; any gives one, the smallest counts. */
const TRIED_PERCENTILES = [50, 90, 99, 99.9, 100];

/**
 * Bounds of the Kolmogorov-Smirnov distance between planned arrival times and the moments at which they were handed to
 * the client: the largest difference of the two cumulative counts, divided by the number planned. An arrival that was
 * never handed over stays in the difference. Nothing is handed over before it is due, so the difference at a moment is
 * the number of arrivals that are waiting then, W(t).
 *
 * At most: whoever waits at t was due less than x before t, or is later than x, or is never handed over. So
 * W(t) <= [most arrivals due within any x] + [number later than x] + [number never handed over], for every x.
 * At least: W(t) integrated over time is the sum of all lateness, so its maximum is no less than its mean; it is no less
 * than 1 where anything was late; and in the end it is the number never handed over.
 */
export function arrivalDistance(options: {
  readonly planned: number;
  /** No fewer than the most planned arrivals within any time so long, us. */
  readonly mostWithin: (lengthUs: number) => number;
  readonly windowUs: number;
  /** Lateness of those that were handed over, us. */
  readonly lag: Histogram;
  /** False where intervals are missing: then nobody knows whether the others were handed over. */
  readonly isWhole: boolean;
}): ArrivalDistance | null {
  const { planned, windowUs, lag, isWhole } = options;
  if (planned === 0) return null;
  const never = Math.max(0, planned - lag.count);
  const latenessUs = new Set([0, ...TRIED_PERCENTILES.map((percentile) => lag.percentile(percentile) ?? 0)]);
  let most = planned;
  for (const xUs of latenessUs) {
    most = Math.min(most, options.mostWithin(xUs) + (lag.count - lag.countAtOrBelow(xUs)) + never);
  }
  const meanWaiting = lag.sum / Math.max(1, windowUs + lag.max);
  const least = Math.max(isWhole ? never : 0, Math.ceil(meanWaiting), lag.max > 0 ? 1 : 0);
  return { atLeast: Math.min(least, most) / planned, atMost: most / planned };
}
