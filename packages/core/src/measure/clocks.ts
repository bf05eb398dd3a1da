import { partingUs } from "../run/clock-offset.js";
import { type ClockReading, type ClockTrack, driftOf, readingErrorUs } from "../run/clock-track.js";
import type { RunFacts } from "../run/facts.js";
import type { AgentClock, ClockPoint, ClocksReport } from "../run/report.js";
import type { RunRecord } from "../run/run-record.js";
import { clockSentences } from "./clock-sentences.js";

/** Share of an interval by which its edges may be off before it is worth a sentence. */
const SKEW_SHARE = 0.01;
/** All are asked at once; whoever answered so much earlier than another was not asked with it. */
const TOGETHER_US = 5_000_000;

/** Of a run whose clocks were never compared in its course: null for each. */
export function clocksOf({ record, clocks = [], endUs }: Pick<RunFacts, "record" | "clocks" | "endUs">): {
  readonly clocks: ClocksReport | null;
  readonly byAgent: ReadonlyMap<string, AgentClock>;
} {
  if (clocks.length === 0) return { clocks: null, byAgent: new Map() };
  const skews = skewsOf(record, clocks);
  const agents = [...new Set(clocks.map(({ agent }) => agent))];
  const byAgent = new Map(
    agents.map((agent) => {
      const own = clocks.filter((track) => track.agent === agent);
      return [agent, { terms: own.map(termOf), skew: skews.get(agent) ?? null }] as const;
    }),
  );
  const skewLimitUs = record.plan.intervalMs * 1000 * SKEW_SHARE;
  const shards = record.shards.map(({ agent }) => agent);
  const sentences = clockSentences({ shards, tracks: clocks, byAgent, skewLimitUs, endUs });
  return { clocks: { skewLimitUs, sentences }, byAgent };
}

function termOf(track: ClockTrack): AgentClock["terms"][number] {
  const { term, comparisons, first, last, jumps } = track;
  return {
    term,
    comparisons,
    first: pointOf(first),
    last: pointOf(last),
    drift: driftOf(track),
    jumps: jumps.map(({ fromUs, toUs, byUs }) => ({ fromMs: fromUs / 1000, toMs: toUs / 1000, byUs })),
  };
}

function pointOf(reading: ClockReading): ClockPoint {
  return { atMs: reading.runUs / 1000, offsetUs: reading.offsetUs, errorUs: readingErrorUs(reading) };
}

/** Where an agent's run time may stand beside the leader's, us: from and to, at one moment for all. */
interface Bounds {
  readonly reading: ClockReading;
  readonly from: number;
  readonly to: number;
}

/**
 * How far each agent's run time was ahead of the others' median when they were compared last. Its bounds are its own against
 * those of the median, which lies between the medians of the others' bounds. Time zero lies in the agents, so what it was
 * off by is part of this, whoever led then. Who was not compared with the others is left out. Of several leaders that one
 * counts who compared the most agents, the later of two: one that takes over at the very end may reach few.
 */
function skewsOf(
  record: RunRecord,
  clocks: readonly ClockTrack[],
): Map<string, NonNullable<AgentClock["skew"]>> {
  const terms = [...new Set(clocks.map(({ term }) => term))].sort((a, b) => b - a);
  const compared = terms.map((of) =>
    boundsOf(
      record,
      clocks.filter(({ term }) => term === of).map(({ last }) => last),
    ),
  );
  const { bounds, atUs } = compared.reduce((best, one) =>
    one.bounds.length > best.bounds.length ? one : best,
  );
  // A lone agent is beside nobody.
  if (bounds.length < 2) return new Map();
  const froms = bounds.map(({ from }) => from).sort((a, b) => a - b);
  const tos = bounds.map(({ to }) => to).sort((a, b) => a - b);
  return new Map(
    bounds.map(({ reading, from, to }) => {
      const leastUs = from - medianWithout(tos, to);
      const mostUs = to - medianWithout(froms, from);
      const us = Math.round((leastUs + mostUs) / 2);
      const errorUs = Math.ceil(Math.max(mostUs - us, us - leastUs));
      return [reading.agent, { atMs: atUs / 1000, us, errorUs }];
    }),
  );
}

/** At the moment of the newest of these readings: what others may have parted by since theirs widens their bounds. */
function boundsOf(
  record: RunRecord,
  readings: readonly ClockReading[],
): { readonly bounds: readonly Bounds[]; readonly atUs: number } {
  const atUs = Math.max(...readings.map(({ runUs }) => runUs));
  const bounds = readings.flatMap((reading): Bounds[] => {
    const zeroUs = record.start?.localUs[reading.agent];
    if (zeroUs === undefined || atUs - reading.runUs > TOGETHER_US) return [];
    const aheadUs = reading.offsetUs - zeroUs;
    const withinUs = readingErrorUs(reading) + partingUs(atUs - reading.runUs);
    return [{ reading, from: aheadUs - withinUs, to: aheadUs + withinUs }];
  });
  return { bounds, atUs };
}

/** Of sorted numbers, one of which is left out. */
function medianWithout(sorted: readonly number[], leftOut: number): number {
  const gap = sorted.indexOf(leftOut);
  const at = (index: number) => sorted[index < gap ? index : index + 1] ?? 0;
  const count = sorted.length - 1;
  return (at((count - 1) >> 1) + at(count >> 1)) / 2;
}
