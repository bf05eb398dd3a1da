import {
  batchRates,
  createHistogram,
  type FoldedBlock,
  type Histogram,
  isDetermined,
  type LevelInterval,
  type MetricName,
  meanInterval,
  percentileInterval,
  withAges,
} from "@tokenstorm/core";
import type { Curve, CurveMetric, Interval, LevelData } from "./report-data.js";

/** Parts of a window from which an interval of its rate is made, at least. */
const FEWEST_PARTS = 3;

/** Where a request that was cut left its age. */
const AGES: Partial<Record<CurveMetric, MetricName>> = { ttft: "ttftCensored", e2e: "e2eCensored" };

/** Curves and intervals of one level. `intervals`: the whole ones of its window. */
export function levelData(block: FoldedBlock | undefined, intervals: readonly LevelInterval[]): LevelData {
  const histograms = block?.histograms ?? new Map<MetricName, Histogram>();
  const samples = (metric: CurveMetric) => samplesOf(histograms, metric);
  // Gaps of one answer wait for the same steps: of them the requests are counted.
  const requests = samples("e2e").known.count;
  const bounds = (metric: CurveMetric, at: number) =>
    percentileBounds(samples(metric), at, metric === "itl" ? requests : null);
  return {
    outputTokensPerS: rateInterval(intervals, ({ outputTokens }) => outputTokens),
    requestsPerS: rateInterval(intervals, ({ completed }) => completed),
    inFlight: rateInterval(intervals, ({ inFlightUs }) => inFlightUs / 1e6),
    percentiles: each((metric) => ({ p50: bounds(metric, 50), p99: bounds(metric, 99) })),
    curves: curvesOf(histograms),
  };
}

/** Of a level's merged histograms. */
export function curvesOf(histograms: ReadonlyMap<MetricName, Histogram>): LevelData["curves"] {
  return each((metric) => curveOf(samplesOf(histograms, metric)));
}

const each = <T>(make: (metric: CurveMetric) => T): Record<CurveMetric, T> => ({
  ttft: make("ttft"),
  itl: make("itl"),
  tpot: make("tpot"),
  e2e: make("e2e"),
});

interface Samples {
  readonly known: Histogram;
  /** With the ages of those that were cut. */
  readonly both: Histogram;
}

function samplesOf(histograms: ReadonlyMap<MetricName, Histogram>, metric: CurveMetric): Samples {
  const known = histograms.get(metric) ?? createHistogram();
  const ages = AGES[metric];
  const censored = ages === undefined ? undefined : histograms.get(ages);
  return { known, both: censored === undefined ? known : withAges({ known, censored }) };
}

/** Student's t over the means of equal parts of the window (batch means; Law, Simulation Modeling and Analysis, 9.5.3). */
function rateInterval(
  intervals: readonly LevelInterval[],
  countOf: (interval: LevelInterval) => number,
): Interval | null {
  if (intervals.length < FEWEST_PARTS) return null;
  const found = meanInterval(batchRates(intervals, countOf));
  return found.kind === "interval" ? { low: Math.max(0, found.low), high: found.high } : null;
}

/** `independent`: how many of the values are, where it is not all of them. */
function percentileBounds({ known, both }: Samples, at: number, independent: number | null): Interval | null {
  if (both.count === 0 || !isDetermined(at, known, both)) return null;
  const found = percentileInterval(both, at, {
    independent: Math.min(both.count, independent ?? both.count),
  });
  return found.kind === "interval" ? { low: found.low, high: found.high } : null;
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
