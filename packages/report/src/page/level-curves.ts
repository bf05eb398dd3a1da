import {
  createHistogram,
  type FoldedBlock,
  type Histogram,
  isDetermined,
  type MetricName,
  percentileRankBounds,
  studentTQuantile,
  withAges,
} from "@tokenstorm/core";
import type { IntervalSum } from "./interval-sums.js";
import type { CURVE_METRICS, Curve, CurveMetric, Interval, LevelData } from "./report-data.js";

/** Equal parts of a window: seconds that follow each other are not independent, tenths of a window nearly are. */
const BATCHES = 10;
const CONFIDENCE = 0.95;

/** Where a request that was cut left its age. */
const AGES: Partial<Record<CurveMetric, MetricName>> = { ttft: "ttftCensored", e2e: "e2eCensored" };

type Timed = IntervalSum & { readonly us: number };

/** Curves and intervals of one level. `intervals`: the whole ones of its window. */
export function levelData(block: FoldedBlock | undefined, intervals: readonly Timed[]): LevelData {
  const samples = (metric: CurveMetric) => samplesOf(block, metric);
  const each = <T>(make: (metric: CurveMetric) => T) =>
    ({ ttft: make("ttft"), itl: make("itl"), tpot: make("tpot"), e2e: make("e2e") }) satisfies Record<
      (typeof CURVE_METRICS)[number],
      T
    >;
  return {
    outputTokensPerS: batchInterval(intervals, ({ outputTokens }) => outputTokens * 1e6),
    requestsPerS: batchInterval(intervals, ({ completed }) => completed * 1e6),
    inFlight: batchInterval(intervals, ({ inFlightUs }) => inFlightUs),
    percentiles: each((metric) => ({
      p50: percentileInterval(metric, samples(metric), 50),
      p99: percentileInterval(metric, samples(metric), 99),
    })),
    curves: each((metric) => curveOf(samples(metric))),
  };
}

interface Samples {
  readonly known: Histogram;
  /** With the ages of those that were cut. */
  readonly both: Histogram;
}

function samplesOf(block: FoldedBlock | undefined, metric: CurveMetric): Samples {
  const known = block?.histograms.get(metric) ?? createHistogram();
  const ages = AGES[metric];
  const censored = ages === undefined ? undefined : block?.histograms.get(ages);
  return { known, both: censored === undefined ? known : withAges({ known, censored }) };
}

/** Student's t over the means of equal parts of the window (batch means; Law, Simulation Modeling and Analysis, 9.5.3). */
function batchInterval(intervals: readonly Timed[], read: (sum: Timed) => number): Interval | null {
  const batches = Math.min(BATCHES, intervals.length);
  if (batches < 3) return null;
  const means = Array.from({ length: batches }, (_, i) => {
    const part = intervals.slice(
      Math.floor((i * intervals.length) / batches),
      Math.floor(((i + 1) * intervals.length) / batches),
    );
    const us = part.reduce((sum, one) => sum + one.us, 0);
    return part.reduce((sum, one) => sum + read(one), 0) / us;
  });
  const mean = means.reduce((sum, one) => sum + one, 0) / batches;
  const variance = means.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (batches - 1);
  const half = studentTQuantile(1 - (1 - CONFIDENCE) / 2, batches - 1) * Math.sqrt(variance / batches);
  return { low: Math.max(0, mean - half), high: mean + half };
}

/** Gaps of one answer depend on each other, so that order statistics say nothing of ITL. */
function percentileInterval(metric: CurveMetric, { known, both }: Samples, at: number): Interval | null {
  if (metric === "itl" || both.count === 0 || !isDetermined(at, known, both)) return null;
  const { lower, upper } = percentileRankBounds(both.count, at, CONFIDENCE);
  if (lower === 0 || upper === null) return null;
  const valueAt = (rank: number) => both.percentile(((rank - 0.5) / both.count) * 100) ?? 0;
  return { low: valueAt(lower), high: valueAt(upper) };
}

/** Percentiles as HDR plots have them: ever closer to 100, down to the last sample. */
function curveOf({ known, both }: Samples): Curve | null {
  if (both.count === 0) return null;
  const points = percentilesOf(both.count).map((at) => [at, both.percentile(at) ?? 0] as const);
  const open = both.count > known.count;
  const first = open ? points.find(([at]) => !isDetermined(at, known, both)) : undefined;
  return { count: known.count, points, atLeastFrom: first?.[0] ?? null };
}

/** Those that people name, so that a table can show them as they are. */
const NAMED = [10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999];

/** 0, five steps in each halving of what is left, and the named ones, as long as a step holds a sample; then 100. */
function percentilesOf(count: number): number[] {
  const found = new Set([0, 100, ...NAMED.filter((at) => (100 - at) * count >= 100 - 1e-6)]);
  for (let step = 1; ; step += 1) {
    const left = 100 * 2 ** (-step / 5);
    if ((left * count) / 100 < 1) break;
    found.add(Number((100 - left).toPrecision(9)));
  }
  return [...found].sort((a, b) => a - b);
}
