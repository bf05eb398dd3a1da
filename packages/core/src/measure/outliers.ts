import type { Outlier } from "../run/report.js";
import { percentileRankBounds } from "../statistics/order-statistics.js";
import { binomialCdf } from "../statistics/shares.js";
import type { FoldedMember } from "./member-fold.js";
import type { TargetMetric } from "./snapshot.js";
import type { SparseHistogram } from "./sparse-histogram.js";

/** A member of a level: an agent, or a target. */
export interface Member {
  readonly id: string;
  readonly folded: FoldedMember;
}

/** All of these must hold, or a latency is no outlier; docs/measuring.md says why each is there. */
export const OUTLIER_RULE = {
  /** Completed requests below which nothing is said: of a median, and of a 99th percentile, whose interval has no upper end before (0.99^757 <= 0.0005). */
  least: { p50: 20, p99: 757 },
  /** Distance from the median of the others, as a share of it. */
  share: 0.25,
  /** And in us. */
  us: 1000,
  /** And in units of the others' own spread: 1.4826 x their median distance from their median. */
  spreads: 5,
  /** Of the order-statistic intervals that must not meet. */
  confidence: 0.999,
  /** Failed requests below which nothing is said, and how often the others' share they must be. */
  failures: 5,
  failureTimes: 2,
  /** Probability of so many failures by chance, at most. */
  failureChance: 0.001,
} as const;

const METRICS: readonly TargetMetric[] = ["ttft", "itl", "e2e"];
const PERCENTILES = { p50: 50, p99: 99 } as const;

/**
 * Members that differ from the others by more than chance and their own spread explain, the worst first. Of two, only
 * the slower one is named: nobody can say which of them is the odd one out. Where more than half would be, the level has
 * no middle, and again only the slower ones are.
 */
export function findOutliers(of: Outlier["of"], members: readonly Member[]): Outlier[] {
  const found = METRICS.flatMap((metric) =>
    (["p50", "p99"] as const).flatMap((stat) => latencyOutliers(of, members, { metric, stat })),
  );
  const all = [...found, ...failureOutliers(of, members)];
  return all.sort((a, b) => distance(b) - distance(a) || (a.id < b.id ? -1 : 1));
}

function distance({ value, others }: Outlier): number {
  if (value === 0 || others === 0) return Number.POSITIVE_INFINITY;
  return Math.max(value / others, others / value);
}

interface Figure {
  readonly id: string;
  readonly value: number;
  /** Between which the population's figure lies; null: no sample of this size bounds it on that side. */
  readonly low: number | null;
  readonly high: number | null;
}

function latencyOutliers(
  of: Outlier["of"],
  members: readonly Member[],
  what: { readonly metric: TargetMetric; readonly stat: "p50" | "p99" },
): Outlier[] {
  const figures = members.flatMap((member) => figureOf(member, what) ?? []);
  const outliers = figures.flatMap((figure, i) => {
    const others = figures.toSpliced(i, 1);
    const side = sideOf(figure, others);
    if (side === null) return [];
    const outlier: Outlier & { readonly isSlow: boolean } = {
      of,
      id: figure.id,
      figure: `${what.metric}.${what.stat}`,
      value: figure.value,
      others: median(others.map(({ value }) => value)),
      isSlow: side === "slow",
    };
    return [outlier];
  });
  const hasMiddle = figures.length > 2 && outliers.length <= figures.length / 2;
  return outliers.filter(({ isSlow }) => hasMiddle || isSlow).map(({ isSlow: _, ...outlier }) => outlier);
}

function figureOf(
  { id, folded }: Member,
  { metric, stat }: { readonly metric: TargetMetric; readonly stat: "p50" | "p99" },
): Figure | null {
  const histogram = folded.histograms.get(metric);
  const { completed } = folded;
  if (histogram === undefined || completed < OUTLIER_RULE.least[stat]) return null;
  const value = histogram.percentile(PERCENTILES[stat]);
  return value === null ? null : { id, value, ...bounds(histogram, completed, PERCENTILES[stat]) };
}

/** By requests, not by samples: tokens of one request wait for the same steps, and are no independent draws. */
function bounds(
  histogram: SparseHistogram,
  requests: number,
  percentile: number,
): Pick<Figure, "low" | "high"> {
  const { lower, upper } = percentileRankBounds(requests, percentile, OUTLIER_RULE.confidence);
  const at = (rank: number) => histogram.percentile((100 * (rank - 0.5)) / requests);
  return { low: lower === 0 ? null : at(lower), high: upper === null ? null : at(upper) };
}

function sideOf(figure: Figure, others: readonly Figure[]): "slow" | "fast" | null {
  if (others.length === 0) return null;
  const values = others.map(({ value }) => value);
  const middle = median(values);
  const spread = 1.4826 * median(values.map((value) => Math.abs(value - middle)));
  const apart = Math.abs(figure.value - middle);
  const { share, us, spreads } = OUTLIER_RULE;
  if (apart < share * middle || apart < us || apart <= spreads * spread) return null;
  if (figure.value > middle) {
    const highs = others.map(({ high }) => high ?? Number.POSITIVE_INFINITY);
    return figure.low !== null && figure.low > median(highs) ? "slow" : null;
  }
  const lows = others.map(({ low }) => low ?? 0);
  return figure.high !== null && figure.high < median(lows) ? "fast" : null;
}

function failureOutliers(of: Outlier["of"], members: readonly Member[]): Outlier[] {
  const tried = members
    .map(({ id, folded }) => ({ id, failed: folded.failed, all: folded.failed + folded.completed }))
    .filter(({ all }) => all >= OUTLIER_RULE.least.p50);
  return tried.flatMap(({ id, failed, all }, i) => {
    const others = tried.toSpliced(i, 1);
    if (others.length === 0 || failed < OUTLIER_RULE.failures) return [];
    // The median, so that one more that fails hides neither.
    const share = median(others.map((one) => one.failed / one.all));
    const requests = others.reduce((sum, one) => sum + one.all, 0);
    if (failed / all < OUTLIER_RULE.failureTimes * share) return [];
    const chance = 1 - binomialCdf(failed - 1, all, Math.max(share, 1 / (requests + 1)));
    if (chance > OUTLIER_RULE.failureChance) return [];
    return [{ of, id, figure: "failures.share", value: failed / all, others: share }];
  });
}

/** Of a list that is not empty. Infinities count as such. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}
