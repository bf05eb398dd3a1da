import type { ProofFigure, ProofReport } from "../run/report.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import type { MetricName, Snapshot } from "./snapshot.js";
import { percentileRankBounds } from "./statistics.js";
import { welchInterval } from "./student-t.js";

/** Of a difference; each percentile's own interval has half of the risk, so that both hold together. */
const CONFIDENCE = 0.95;
/** Throughput is taken over so many equal parts of the window: seconds that follow each other are not independent. */
const BATCHES = 10;
/** A difference that is surely smaller than this share is none that matters, however exactly it is known. */
const TOLERANCE = 0.02;
/** So much of a figure may its interval reach to, where it holds 0, for the figure to count as the same. */
const MOST_NOISE = 0.1;

/** What one run left of a level. */
export interface ProofEvidence {
  readonly agents: number;
  /** Whole intervals of its window in their order, over all agents. */
  readonly intervals: readonly {
    readonly us: number;
    readonly outputTokens: number;
    readonly completed: number;
  }[];
  readonly histograms: ReadonlyMap<MetricName, Histogram>;
}

/** From the intervals that all agents delivered; the same one twice counts once. None of them is kept. */
export async function proofEvidence(
  stage: number,
  snapshots: Iterable<Snapshot> | AsyncIterable<Snapshot>,
): Promise<ProofEvidence> {
  const seen = new Set<string>();
  const agents = new Set<string>();
  const byStart = new Map<number, { us: number; outputTokens: number; completed: number; agents: number }>();
  const histograms = new Map<MetricName, Histogram>();
  for await (const { agent, epoch, seq, fromUs, toUs, blocks } of snapshots) {
    const key = `${agent} ${epoch} ${seq}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const own = blocks.find((block) => block.stage === stage && block.phase === "measured");
    if (own === undefined) continue;
    agents.add(agent);
    for (const metric of ["ttft", "tpot", "e2e"] as const) {
      const encoded = own.histograms[metric];
      if (encoded === undefined) continue;
      const histogram = histograms.get(metric) ?? createHistogram();
      histogram.mergeEncoded(encoded);
      histograms.set(metric, histogram);
    }
    if (own.flow.durationUs < toUs - fromUs) continue;
    const sum = byStart.get(fromUs) ?? { us: toUs - fromUs, outputTokens: 0, completed: 0, agents: 0 };
    sum.outputTokens += own.flow.outputTokens;
    sum.completed += own.flow.completed;
    sum.agents += 1;
    byStart.set(fromUs, sum);
  }
  const intervals = [...byStart]
    .filter(([, sum]) => sum.agents === agents.size && sum.us > 0)
    .sort(([a], [b]) => a - b)
    .map(([, sum]) => sum);
  return { agents: agents.size, intervals, histograms };
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

type Interval = ProofEvidence["intervals"][number];

function rate(
  name: ProofFigure["name"],
  { single, doubled }: Pair,
  countOf: (interval: Interval) => number,
): ProofFigure {
  const [a, b] = [single, doubled].map(({ intervals }) => batchRates(intervals, countOf));
  return figureOf(name, {
    single: meanOf(a),
    doubled: meanOf(b),
    difference: welchInterval(a ?? [], b ?? [], CONFIDENCE),
  });
}

/** Per second, in equal parts of the window. */
function batchRates(intervals: readonly Interval[], countOf: (interval: Interval) => number): number[] {
  const batches = Math.min(BATCHES, intervals.length);
  return Array.from({ length: batches }, (_, i) => {
    const part = intervals.slice(
      Math.floor((i * intervals.length) / batches),
      Math.floor(((i + 1) * intervals.length) / batches),
    );
    const us = part.reduce((sum, interval) => sum + interval.us, 0);
    return (part.reduce((sum, interval) => sum + countOf(interval), 0) * 1e6) / us;
  });
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
