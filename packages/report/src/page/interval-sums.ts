import type { ServerSample, Snapshot } from "@tokenstorm/core";
import { CoarseHistogram, heatMap } from "./coarse-histogram.js";
import { type LatencyLine, LINE_METRICS, type LineMetric, MAX_POINTS, type RateLine } from "./report-data.js";

/** All agents' part of one interval of the run. */
export interface IntervalSum {
  agents: number;
  toUs: number;
  inFlightUs: number;
  outputTokens: number;
  completed: number;
  failed: number;
  dropped: number;
}

/**
 * Sums by interval and coarse histograms by point, filled while a run's snapshots are folded. What it holds grows with
 * the intervals of the run, not with requests or agents; what it gives is bounded by MAX_POINTS.
 */
export class IntervalSums {
  readonly intervalUs: number;
  readonly intervalsPerPoint: number;
  readonly pointUs: number;
  readonly points: number;
  readonly #sums: (IntervalSum | undefined)[] = [];
  readonly #histograms: Readonly<Record<LineMetric, (CoarseHistogram | undefined)[]>> = {
    ttft: [],
    itl: [],
    e2e: [],
  };

  /** `endUs`: run time at which the run was over; nothing later is drawn. */
  constructor({ intervalUs, endUs }: { readonly intervalUs: number; readonly endUs: number }) {
    const intervals = Math.max(1, Math.ceil(endUs / intervalUs));
    this.intervalUs = intervalUs;
    this.intervalsPerPoint = roundSteps(Math.ceil(intervals / MAX_POINTS));
    this.pointUs = intervalUs * this.intervalsPerPoint;
    this.points = Math.ceil(intervals / this.intervalsPerPoint);
  }

  /** A snapshot that the fold took: each counts once. */
  add({ fromUs, toUs, blocks }: Snapshot): void {
    if (toUs <= fromUs) return;
    const at = Math.floor(fromUs / this.intervalUs);
    const point = Math.floor(at / this.intervalsPerPoint);
    if (point >= this.points) return;
    const sum = this.#sumAt(at, toUs);
    sum.agents += 1;
    sum.toUs = Math.max(sum.toUs, toUs);
    for (const { flow, due, histograms } of blocks) {
      sum.inFlightUs += flow.inFlightUs;
      sum.outputTokens += flow.outputTokens;
      sum.completed += flow.completed;
      sum.failed += totalOf(due.failed);
      sum.dropped += totalOf(due.dropped);
      for (const metric of LINE_METRICS) {
        const encoded = histograms[metric];
        if (encoded === undefined) continue;
        const lines = this.#histograms[metric];
        const histogram = lines[point] ?? new CoarseHistogram();
        lines[point] = histogram;
        histogram.merge(encoded);
      }
    }
  }

  /** Whole intervals between two moments that `agents` agents delivered, in their order; the time of each in us. */
  within(fromUs: number, toUs: number, agents: number): (IntervalSum & { readonly us: number })[] {
    const found: (IntervalSum & { us: number })[] = [];
    const last = Math.min(this.#sums.length, Math.floor(toUs / this.intervalUs));
    for (let at = Math.ceil(fromUs / this.intervalUs); at < last; at += 1) {
      const sum = this.#sums[at];
      if (sum !== undefined && sum.agents === agents) found.push({ ...sum, us: this.intervalUs });
    }
    return found;
  }

  /** A figure per interval, by point. */
  rate(read: (sum: IntervalSum, us: number) => number): RateLine {
    const line = { mean: this.#blank(), low: this.#blank(), high: this.#blank() };
    for (let point = 0; point < this.points; point += 1) {
      const values = this.#sumsOf(point).map(({ sum, us }) => ({ us, value: read(sum, us) }));
      if (values.length === 0) continue;
      const us = values.reduce((total, one) => total + one.us, 0);
      line.mean[point] = short(values.reduce((total, one) => total + one.value * one.us, 0) / us);
      line.low[point] = short(Math.min(...values.map(({ value }) => value)));
      line.high[point] = short(Math.max(...values.map(({ value }) => value)));
    }
    return line;
  }

  /** A count per point. */
  total(read: (sum: IntervalSum) => number): number[] {
    return Array.from({ length: this.points }, (_, point) =>
      this.#sumsOf(point).reduce((total, { sum }) => total + read(sum), 0),
    );
  }

  /** Fewest agents in any interval of the point; 0 for one of which nothing was heard. */
  fewestAgents(): number[] {
    return Array.from({ length: this.points }, (_, point) => {
      const sums = this.#sumsOf(point);
      return sums.length === 0 ? 0 : Math.min(...sums.map(({ sum }) => sum.agents));
    });
  }

  latency(metric: LineMetric): LatencyLine {
    const histograms = Array.from({ length: this.points }, (_, point) => this.#histograms[metric][point]);
    return {
      p50: histograms.map((histogram) => histogram?.percentile(50) ?? null),
      p99: histograms.map((histogram) => histogram?.percentile(99) ?? null),
      max: histograms.map((histogram) => (histogram === undefined ? null : histogram.max)),
    };
  }

  heat(metric: "ttft" | "itl") {
    return heatMap(Array.from({ length: this.points }, (_, point) => this.#histograms[metric][point]));
  }

  /** The target's gauges by point: means of running and waiting, the greatest KV use; null without a scrape. */
  server(samples: readonly ServerSample[]) {
    if (samples.length === 0) return null;
    const byPoint: ServerSample[][] = Array.from({ length: this.points }, () => []);
    for (const sample of samples) byPoint[Math.floor(sample.tUs / this.pointUs)]?.push(sample);
    const meanOf = (read: (sample: ServerSample) => number) =>
      byPoint.map((of) =>
        of.length === 0 ? null : short(of.reduce((sum, one) => sum + read(one), 0) / of.length),
      );
    return {
      running: meanOf(({ running }) => running),
      waiting: meanOf(({ waiting }) => waiting),
      kvUsage: byPoint.map((of) =>
        of.length === 0 ? null : short(Math.max(...of.map(({ kvUsage }) => kvUsage))),
      ),
    };
  }

  #sumAt(at: number, toUs: number): IntervalSum {
    const known = this.#sums[at];
    if (known !== undefined) return known;
    const sum = { agents: 0, toUs, inFlightUs: 0, outputTokens: 0, completed: 0, failed: 0, dropped: 0 };
    this.#sums[at] = sum;
    return sum;
  }

  #sumsOf(point: number): { readonly sum: IntervalSum; readonly us: number }[] {
    const from = point * this.intervalsPerPoint;
    return Array.from({ length: this.intervalsPerPoint }, (_, i) => from + i).flatMap((at) => {
      const sum = this.#sums[at];
      return sum === undefined ? [] : [{ sum, us: sum.toUs - at * this.intervalUs }];
    });
  }

  #blank(): (number | null)[] {
    return Array.from({ length: this.points }, () => null);
  }
}

/** A number of intervals that people reckon with, at least `least`. */
function roundSteps(least: number): number {
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / 3600) * 3600;
}
const STEPS = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600];

function totalOf(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

/** Five digits: more than a chart shows, and half of the file. */
export function short(value: number): number {
  return Number(value.toPrecision(5));
}
