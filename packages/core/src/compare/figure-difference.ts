import { batchRates, type LevelInterval } from "../measure/interval-series.js";
import type { MetricName } from "../measure/snapshot.js";
import type { StageReport } from "../run/report.js";
import { percentileInterval } from "../statistics/order-statistics.js";
import { unknown } from "../statistics/outcome.js";
import { shareLowerBound } from "../statistics/shares.js";
import { varianceTest } from "../statistics/variance-test.js";
import { type DifferenceEstimate, welchInterval } from "../statistics/welch-interval.js";
import type { ComparedFigure, ComparedName, Difference } from "./comparison.js";
import type { LevelEvidence } from "./evidence.js";

/** A level of one run: its row, and what else is left of it. */
export interface LevelOfRun {
  readonly stage: StageReport;
  readonly evidence: LevelEvidence | null;
}

/** A figure: how it is read from a row, and what its interval within a single run is made from. */
export interface FigureKind {
  readonly name: ComparedName;
  readonly better: ComparedFigure["better"];
  of(stage: StageReport): number | null;
  readonly within:
    | { readonly kind: "rate"; countOf(interval: LevelInterval): number }
    | { readonly kind: "percentile"; readonly metric: "ttft" | "itl" | "tpot" | "e2e"; readonly at: 50 | 99 }
    | { readonly kind: "share" };
}

const percentiles = (["ttft", "itl", "tpot", "e2e"] as const).flatMap((metric) =>
  ([50, 99] as const).map(
    (at): FigureKind => ({
      name: `${metric}P${at}Us`,
      better: "less",
      of: ({ latencyUs }) => latencyUs[metric][`p${at}`],
      within: { kind: "percentile", metric, at },
    }),
  ),
);

export const FIGURE_KINDS: readonly FigureKind[] = [
  {
    name: "outputTokensPerS",
    better: "more",
    of: ({ rates }) => rates.outputTokensPerS,
    within: { kind: "rate", countOf: ({ outputTokens }) => outputTokens },
  },
  {
    name: "promptTokensPerS",
    better: "more",
    of: ({ rates }) => rates.promptTokensPerS,
    within: { kind: "rate", countOf: ({ promptTokens }) => promptTokens },
  },
  {
    name: "requestsPerS",
    better: "more",
    of: ({ rates }) => rates.requestsPerS,
    within: { kind: "rate", countOf: ({ completed }) => completed },
  },
  {
    name: "inFlight",
    better: "neither",
    of: ({ inFlight }) => inFlight.mean,
    within: { kind: "rate", countOf: ({ inFlightUs }) => inFlightUs / 1e6 },
  },
  { name: "success", better: "more", of: ({ success }) => success.rate, within: { kind: "share" } },
  ...percentiles,
];

/** Of repeats: by Welch, and whether their spreads differ. Of a share: of all their requests, as if they were one run's. */
export function differenceOfRuns(
  kind: FigureKind,
  sides: { readonly a: readonly LevelOfRun[]; readonly b: readonly LevelOfRun[] },
  confidence: number,
): Difference {
  if (kind.within.kind === "share") return differenceOfShares(endedOf(sides.a), endedOf(sides.b), confidence);
  const [a = [], b = []] = [sides.a, sides.b].map((levels) =>
    levels.flatMap(({ stage }) => kind.of(stage) ?? []),
  );
  if (a.length > 0 && b.length > 0 && [...sides.a, ...sides.b].some(({ stage }) => isBound(kind, stage)))
    return point(meanOf(a), meanOf(b), "requests that were cut unfinished could move a run's figure");
  return differenceOfMeans(a, b, confidence);
}

/** Whether a run's percentile is no more than a lower bound. */
function isBound({ within }: FigureKind, { latencyUs }: StageReport): boolean {
  return within.kind === "percentile" && latencyUs[within.metric].atLeast.includes(`p${within.at}`);
}

function differenceOfMeans(a: readonly number[], b: readonly number[], confidence: number): Difference {
  const found = asDifference(welchInterval(a, b, confidence), meanOf(a));
  if (found.kind !== "interval") return found;
  return { ...found, variance: a.length > 2 && b.length > 2 ? varianceTest(a, b) : null };
}

/** Of single runs: by what varied within their windows. */
export function differenceWithin(
  kind: FigureKind,
  { a, b }: { readonly a: LevelOfRun; readonly b: LevelOfRun },
  confidence: number,
): Difference {
  const [from, to] = [kind.of(a.stage), kind.of(b.stage)];
  if (from === null || to === null)
    return unknown(`nothing was measured at ${from === null ? "the first" : "this"} side`);
  const { within } = kind;
  if (within.kind === "share") return differenceOfShares(endedOf([a]), endedOf([b]), confidence);
  if (a.evidence === null || b.evidence === null) {
    return point(from, to, "a run of which only the report was kept has no intervals");
  }
  switch (within.kind) {
    case "rate": {
      const rates = (evidence: LevelEvidence) => batchRates(evidence.intervals, within.countOf);
      const found = asDifference(welchInterval(rates(a.evidence), rates(b.evidence), confidence), from);
      // The rows count the edges of the window too, so the difference is theirs and the interval is moved to it.
      return found.kind === "interval" ? moved(found, to - from, from) : point(from, to, found.because);
    }
    case "percentile":
      return differenceOfPercentiles(within, { a, b, from, to }, confidence);
  }
}

/** How far each percentile may lie from what was seen, by order statistics; both hold together. */
function differenceOfPercentiles(
  { metric, at }: { readonly metric: "ttft" | "itl" | "tpot" | "e2e"; readonly at: 50 | 99 },
  sides: { readonly a: LevelOfRun; readonly b: LevelOfRun; readonly from: number; readonly to: number },
  confidence: number,
): Difference {
  const { a, b, from, to } = sides;
  if ([a, b].some(({ stage }) => stage.latencyUs[metric].atLeast.includes(`p${at}`))) {
    return point(from, to, "requests that were cut unfinished could move one of the two");
  }
  // Half of the risk on each side.
  const each = 1 - (1 - confidence) / 2;
  const [one, other] = [boundsOf(a, metric, at, each), boundsOf(b, metric, at, each)];
  if (one === null || other === null) {
    return point(from, to, `too few requests to bound a ${at}th percentile`);
  }
  return interval({ difference: to - from, low: other.low - one.high, high: other.high - one.low, from });
}

function boundsOf({ evidence, stage }: LevelOfRun, metric: MetricName, at: number, confidence: number) {
  const histogram = evidence?.histograms.get(metric);
  if (histogram === undefined) return null;
  // Tokens of one request wait for the same steps, and are no independent draws.
  const independent =
    metric === "itl" ? Math.min(histogram.count, stage.requests.completed) : histogram.count;
  const found = percentileInterval(histogram, at, { confidence, independent });
  return found.kind === "interval" ? found : null;
}

interface Ended {
  readonly completed: number;
  readonly ended: number;
}

function endedOf(levels: readonly LevelOfRun[]): Ended {
  const sum = (of: (stage: StageReport) => number) => levels.reduce((so, { stage }) => so + of(stage), 0);
  const completed = sum(({ requests }) => requests.completed);
  return { completed, ended: completed + sum(({ requests }) => requests.failed) };
}

/** Exact bounds of both shares (Clopper and Pearson), which hold together. */
function differenceOfShares(a: Ended, b: Ended, confidence: number): Difference {
  const [one, other] = [shareBounds(a, confidence), shareBounds(b, confidence)];
  if (one === null || other === null) return unknown("no request ended at one of the two sides");
  const [from, to] = [one.share, other.share];
  return interval({ difference: to - from, low: other.low - one.high, high: other.high - one.low, from });
}

function shareBounds({ completed, ended }: Ended, confidence: number) {
  const each = 1 - (1 - confidence) / 4;
  const low = shareLowerBound(completed, ended, each);
  const failedLow = shareLowerBound(ended - completed, ended, each);
  if (low === null || failedLow === null) return null;
  return { share: completed / ended, low, high: 1 - failedLow };
}

function asDifference(found: DifferenceEstimate, from: number): Difference {
  if (found.kind === "unknown") return found;
  if (found.kind === "point") return point(from, from + found.difference, found.because);
  return interval({ difference: found.difference, low: found.low, high: found.high, from });
}

type IntervalDifference = Extract<Difference, { kind: "interval" }>;

function moved(found: IntervalDifference, difference: number, from: number): IntervalDifference {
  const by = difference - found.difference;
  return interval({ difference, low: found.low + by, high: found.high + by, from });
}

function interval(found: {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly from: number;
}): IntervalDifference {
  const { difference, low, high, from } = found;
  const relative = from === 0 ? null : { change: difference / from, low: low / from, high: high / from };
  const sign = low > 0 ? "higher" : high < 0 ? "lower" : "none";
  return { kind: "interval", difference, low, high, relative, sign, variance: null };
}

function point(from: number, to: number, because: string): Difference {
  return { kind: "point", difference: to - from, relative: from === 0 ? null : to / from - 1, because };
}

const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
