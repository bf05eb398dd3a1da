import type { ResolvedStage } from "../../load/stages.js";
import { measuredWindow } from "../../load/timeline.js";
import type { RunFacts } from "../../run/facts.js";
import type { Aggregate, FoldedBlock } from "../aggregate.js";
import { addDue } from "../block-fold.js";
import { emptyDue } from "../counts.js";
import { createHistogram } from "../hdr-histogram.js";
import type { Histogram } from "../histogram.js";
import { settledDue } from "../level-data.js";
import type { DueCounts, MetricName } from "../snapshot.js";
import { type DefinedValue, unknown } from "./definitions.js";

/** A level as a benchmark of its own: every request that was due in it, ramp included, from its start to the last end. */
export interface WholeLevel {
  readonly name: string;
  /** Users asked for; null for open load. */
  readonly users: number | null;
  /** Arrivals per second asked for; null for closed load. */
  readonly rps: number | null;
  readonly due: DueCounts;
  /** Events that shared a read with an earlier one of the same stream, in the level's time. */
  readonly coalesced: number;
  histogram(metric: MetricName): Histogram;
  /**
   * From the level's start to its last end, us: exact for a level bounded by requests whose requests all ended, known to the
   * interval of that end for others. Null where nothing ended.
   */
  readonly durationUs: { readonly atLeast: number; readonly atMost: number } | null;
}

/** The levels that began, without the warm-up. */
export function wholeLevels(
  { record }: Pick<RunFacts, "record">,
  stages: readonly ResolvedStage[],
  aggregate: Aggregate,
): WholeLevel[] {
  return stages.flatMap((stage) => {
    const blocks = (["ramp", "measured"] as const).flatMap(
      (phase) => aggregate.block(stage.index, phase) ?? [],
    );
    if (measuredWindow(stage) === null || blocks.length === 0) return [];
    const due = emptyDue();
    for (const block of blocks) addDue(due, settledDue(block));
    const startUs = record.stageStartsUs[stage.index] ?? 0;
    const ends = blocks.flatMap(({ lastEnd }) => lastEnd ?? []);
    const histogram = (metric: MetricName) => {
      const merged = createHistogram();
      for (const { histograms } of blocks) {
        const one = histograms.get(metric);
        if (one !== undefined) merged.merge(one);
      }
      return merged;
    };
    return [
      {
        name: stage.name,
        users: stage.kind === "users" ? stage.users : null,
        rps: stage.kind === "rate" ? stage.fromRps : null,
        due,
        coalesced: blocks.reduce((sum, { flow }) => sum + flow.coalesced, 0),
        histogram,
        durationUs: exactly(doneAfterUs(stage, blocks), durationOf(ends, startUs, histogram("e2e").max)),
      },
    ];
  });
}

/** A level bounded by requests is measured to the end of its last one, if none was cut. */
function doneAfterUs(stage: ResolvedStage, blocks: readonly FoldedBlock[]): number | null {
  if (stage.kind !== "users" || stage.bound.kind !== "requests") return null;
  const isCut = blocks.some(({ due, unsettled }) => due.censored + due.cancelled + unsettled > 0);
  return isCut ? null : Math.max(...blocks.map(({ flow }) => flow.durationUs));
}

/** Where intervals are missing, what was measured is shorter than the level: then the bounds stand. */
function exactly(us: number | null, bounds: WholeLevel["durationUs"]): WholeLevel["durationUs"] {
  if (us === null || bounds === null || us < bounds.atLeast || us > bounds.atMost) return bounds;
  return { atLeast: us, atMost: us };
}

/** What took longest began in the level and ended in it: that bounds a level shorter than an interval. */
function durationOf(
  ends: readonly { readonly fromUs: number; readonly toUs: number }[],
  startUs: number,
  longestUs: number,
): WholeLevel["durationUs"] {
  if (ends.length === 0) return null;
  const lastFromUs = Math.max(...ends.map(({ fromUs }) => fromUs));
  const lastToUs = Math.max(...ends.map(({ toUs }) => toUs));
  return {
    atLeast: Math.max(1, longestUs, lastFromUs - startUs),
    atMost: Math.max(1, longestUs, lastToUs - startUs),
  };
}

/** A count per second of the level's duration. */
export function ratePerS(count: number, { durationUs }: WholeLevel): DefinedValue {
  if (durationUs === null) return unknown("no request ended");
  return {
    kind: "between",
    atLeast: (count * 1e6) / durationUs.atMost,
    atMost: (count * 1e6) / durationUs.atLeast,
  };
}

/** What is missing of the run, as a sentence of the basis; none for a whole one. */
export function missingBasis(aggregate: Aggregate): string[] {
  const missing = aggregate.agents().reduce((sum, { expected, received }) => sum + expected - received, 0);
  if (missing === 0) return [];
  return [
    `${missing} intervals of the run are missing: the figures are of what was received, and too small where they are counts.`,
  ];
}
