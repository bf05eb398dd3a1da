import type { LatencySummary } from "../run/report.js";
import { createHistogram, rankOf } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";

/** A latency as it is known: of the requests that ended, and the ages of those that had not when counting closed. */
export interface CensoredSample {
  readonly known: Histogram | undefined;
  readonly censored: Histogram | undefined;
}

/** Value of the order statistic of a rank from 1; null when there are not so many. */
export function valueAtRank(histogram: Histogram, rank: number): number | null {
  if (rank < 1 || rank > histogram.count) return null;
  return histogram.percentile((100 * (rank - 0.5)) / histogram.count);
}

/** Known values and censored ages in one. */
export function withAges({ known, censored }: CensoredSample): Histogram {
  const both = createHistogram();
  if (known !== undefined) both.merge(known);
  if (censored !== undefined) both.merge(censored);
  return both;
}

/**
 * Percentiles with the censored requests at the ages they had reached, which they have exceeded since: so each value
 * is a lower bound, and `atLeast` names those that would be another had the censored taken for ever. `count` is that
 * of the known values alone.
 */
export function summariseLatency(sample: CensoredSample): LatencySummary {
  const known = sample.known ?? createHistogram();
  const isCensored = sample.censored !== undefined && sample.censored.count > 0;
  const both = isCensored ? withAges(sample) : known;
  const isEmpty = both.count === 0;
  return {
    count: known.count,
    mean: isEmpty ? null : both.sum / both.count,
    min: isEmpty ? null : both.min,
    p50: both.percentile(50),
    p90: both.percentile(90),
    p95: both.percentile(95),
    p99: both.percentile(99),
    p999: both.percentile(99.9),
    max: isEmpty ? null : both.max,
    atLeast: isCensored ? undetermined(known, both) : [],
  };
}

const PERCENTILES = { p50: 50, p90: 90, p95: 95, p99: 99, p999: 99.9 } as const;

/** Figures that are lower bounds: their place would be another if every censored value were beyond all others. */
function undetermined(known: Histogram, both: Histogram): string[] {
  const names: string[] = known.count > 0 && known.min === both.min ? [] : ["min"];
  for (const [name, percentile] of Object.entries(PERCENTILES)) {
    if (!isDetermined(percentile, known, both)) names.push(name);
  }
  return [...names, "mean", "max"];
}

/** So many known values lie at or below it that its place is theirs, wherever the censored ones will end. */
export function isDetermined(percentile: number, known: Histogram, both: Histogram): boolean {
  const value = both.percentile(percentile);
  return value !== null && known.countAtOrBelow(value) >= rankOf(percentile, both.count);
}
