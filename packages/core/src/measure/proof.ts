import type { ProofFigure, ProofReport } from "../run/report.js";
import { percentileRankBounds } from "../statistics/order-statistics.js";
import { welchInterval } from "../statistics/welch-interval.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import { batchRates, IntervalSeries, type LevelInterval } from "./interval-series.js";
import type { MetricName, Snapshot } from "./snapshot.js";

/** Of a difference; each percentile's own interval has half of the risk, so that both hold together. */
const CONFIDENCE = 0.95;
/** A difference that is surely smaller than this share is none that matters, however exactly it is known. */
const TOLERANCE = 0.02;
/** So much of a figure may its interval reach to, where it holds 0, for the figure to count as the same. */
const MOST_NOISE = 0.1;

type Interval = Pick<LevelInterval, "us" | "outputTokens" | "completed">;

/** What one run left of a level. */
export interface ProofEvidence {
  readonly agents: number;
  /** Whole intervals of its window in their order, over all agents. */
  readonly intervals: readonly Interval[];
  readonly histograms: ReadonlyMap<MetricName, Histogram>;
}

/** From the intervals that all agents delivered; the same one twice counts once. None of them is kept. */
export async function proofEvidence(
  stage: number,
  snapshots: Iterable<Snapshot> | AsyncIterable<Snapshot>,
): Promise<ProofEvidence> {
  const seen = new Set<string>();
  const series = new IntervalSeries();
  const histograms = new Map<MetricName, Histogram>();
  for await (const snapshot of snapshots) {
    const key = `${snapshot.agent} ${snapshot.epoch} ${snapshot.seq}`;
    if (seen.has(key)) continue;
    seen.add(key);
    series.add(snapshot);
    const own = snapshot.blocks.find((block) => block.stage === stage && block.phase === "measured");
    for (const metric of ["ttft", "tpot", "e2e"] as const) {
      const encoded = own?.histograms[metric];
      if (encoded === undefined) continue;
      const histogram = histograms.get(metric) ?? createHistogram();
      histogram.mergeEncoded(encoded);
      histograms.set(metric, histogram);
    }
  }
  return { agents: series.agents(stage), intervals: series.of(stage), histograms };
}

/** Whether a level gave the same with twice the agent processes: then the client had not been its limit. */
export function judgeProof(input: {
  readonly level: string;
  /** Id of the run with twice the agents. */
  readonly run: string;
  readonly single: ProofEvidence;
  readonly doubled: ProofEvidence;
}): ProofReport {
  const { level, run, single, doubled } = input;
  const figures = [
    rate("outputTokensPerS", input, ({ outputTokens }) => outputTokens),
    rate("requestsPerS", input, ({ completed }) => completed),
    percentile("ttftP50Us", input, "ttft", 50),
    percentile("ttftP99Us", input, "ttft", 99),
    percentile("tpotP50Us", input, "tpot", 50),
    percentile("e2eP50Us", input, "e2e", 50),
    percentile("e2eP99Us", input, "e2e", 99),
  ];
  const known = figures.filter(({ isSame }) => isSame !== null);
  const others = known.filter(({ isSame }) => isSame === false);
  // The rates say whether more could be sent: without them there is no proof.
  const isTold = figures[0]?.isSame !== null && figures[2]?.isSame !== null;
  const holds = others.length > 0 ? false : isTold ? true : null;
  const how = `level ${level} with ${doubled.agents} agent processes in place of ${single.agents}`;
  const sentence =
    holds === null
      ? `${how}: too little was measured to compare.`
      : holds
        ? `${how}: no figure differs beyond noise or ${TOLERANCE * 100} %, so the client was not the limit.`
        : `${how}: ${others.length} of ${known.length} figures differ: the number of client processes had a part in the result, or something else changed between the runs.`;
  return { level, run, agents: single.agents, agentsDoubled: doubled.agents, figures, holds, sentence };
}

interface Pair {
  readonly single: ProofEvidence;
  readonly doubled: ProofEvidence;
}

function rate(
  name: ProofFigure["name"],
  { single, doubled }: Pair,
  countOf: (interval: Interval) => number,
): ProofFigure {
  const [a, b] = [single, doubled].map(({ intervals }) => batchRates(intervals, countOf));
  return figureOf(name, {
    single: meanOf(a),
    doubled: meanOf(b),
    difference: rateDifference(a ?? [], b ?? []),
  });
}

/** Parts that are all equal leave nothing open. */
function rateDifference(a: readonly number[], b: readonly number[]): ProofFigure["difference"] {
  const found = welchInterval(a, b, CONFIDENCE);
  if (found.kind === "interval") return { low: found.low, high: found.high };
  const isExact = found.kind === "point" && a.length > 1 && b.length > 1;
  return isExact ? { low: found.difference, high: found.difference } : null;
}

function meanOf(values: readonly number[] = []): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percentile(
  name: ProofFigure["name"],
  { single, doubled }: Pair,
  metric: MetricName,
  at: number,
): ProofFigure {
  const [a, b] = [single, doubled].map(({ histograms }) => boundsOf(histograms.get(metric), at));
  const difference =
    a?.bounds == null || b?.bounds == null
      ? null
      : { low: b.bounds.low - a.bounds.high, high: b.bounds.high - a.bounds.low };
  return figureOf(name, { single: a?.value ?? null, doubled: b?.value ?? null, difference });
}

/** Between two order statistics the population's percentile lies; null where the sample is too small for one. */
function boundsOf(histogram: Histogram | undefined, at: number) {
  if (histogram === undefined || histogram.count === 0) return null;
  const { count } = histogram;
  const { lower, upper } = percentileRankBounds(count, at, 1 - (1 - CONFIDENCE) / 2);
  const valueAt = (rank: number) => histogram.percentile(((rank - 0.5) / count) * 100) ?? 0;
  const bounds = lower === 0 || upper === null ? null : { low: valueAt(lower), high: valueAt(upper) };
  return { value: histogram.percentile(at), bounds };
}

function figureOf(
  name: ProofFigure["name"],
  { single, doubled, difference }: Pick<ProofFigure, "single" | "doubled" | "difference">,
): ProofFigure {
  if (difference === null || single === null) return { name, single, doubled, difference, isSame: null };
  const isNoise = difference.low <= 0 && difference.high >= 0;
  const apart = Math.max(Math.abs(difference.low), Math.abs(difference.high)) / Math.abs(single);
  // An interval that holds 0 proves nothing where it holds nearly everything else as well.
  const isSame = apart <= TOLERANCE || (isNoise && apart <= MOST_NOISE) ? true : isNoise ? null : false;
  return { name, single, doubled, difference, isSame };
}
