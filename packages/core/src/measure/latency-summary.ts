import type { LatencySummary } from "../run/report.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";

const PERCENTILES = { p50: 50, p90: 90, p95: 95, p99: 99, p999: 99.9 } as const;

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
 * is a lower bound, and `atLeast` names those that would be another if the censored had taken for ever.
 */
export function summariseLatency(sample: CensoredSample): LatencySummary {
  const open = sample.censored?.count ?? 0;
  const both = open === 0 && sample.known !== undefined ? sample.known : withAges(sample);
  const knownCount = sample.known?.count ?? 0;
  const count = knownCount + open;
  const atLeast: string[] = [];
  const values = new Map<string, number | null>();
  for (const [name, percentile] of Object.entries(PERCENTILES)) {
    const value = both.percentile(percentile);
    values.set(name, value);
    const rank = Math.max(1, Math.ceil((percentile / 100) * count));
    const atWorst = sample.known === undefined ? null : valueAtRank(sample.known, rank);
    if (open > 0 && atWorst !== value) atLeast.push(name);
  }
  if (open > 0) atLeast.push("mean", "max");
  return {
    count: knownCount,
    mean: both.count === 0 ? null : both.sum / both.count,
    min: both.count === 0 ? null : both.min,
    p50: values.get("p50") ?? null,
    p90: values.get("p90") ?? null,
    p95: values.get("p95") ?? null,
    p99: values.get("p99") ?? null,
    p999: values.get("p999") ?? null,
    max: both.count === 0 ? null : both.max,
    atLeast,
  };
}
