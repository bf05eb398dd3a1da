import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow } from "../load/timeline.js";
import type { TestPlan } from "../plan/schema.js";
import type { Aggregate, FoldedBlock } from "./aggregate.js";
import { total } from "./counts.js";
import { judgeLevel, wantsLow } from "./judge-threshold.js";
import { settledDue } from "./level-data.js";
import type { DueCounts } from "./snapshot.js";
import { type JudgedLevel, PER_ARRIVAL } from "./threshold-range.js";
import { parseThreshold, type Threshold } from "./thresholds.js";

/** A level must have been measured for so long, or to its end, before shares, rates and latencies of it are judged. */
const EARLIEST_US = 10_000_000;

/** A threshold that ends the run, and where it failed. */
export interface AbortingThreshold {
  readonly expression: string;
  readonly stage: string;
  /** In the unit of the threshold's limit. */
  readonly observed: number;
}

/** Those of a plan that end its run where they fail; its schema has checked that each can be read. */
export function abortingThresholds(plan: Pick<TestPlan, "thresholds">): readonly Threshold[] {
  return plan.thresholds.flatMap((text) => {
    const threshold = parseThreshold(text);
    return "problem" in threshold || !threshold.abortOnFail ? [] : [threshold];
  });
}

/**
 * The first threshold that some level fails by what has been measured of it so far: where it would fail with every
 * request that is still open at its best. What is not here yet, an interval on its way, is not judged. Null where none
 * fails. Called by the leader of a run that goes on.
 */
export function failedSoFar(
  thresholds: readonly Threshold[],
  run: {
    readonly stages: readonly ResolvedStage[];
    readonly aggregate: Pick<Aggregate, "block">;
    readonly hasSlos: boolean;
  },
): AbortingThreshold | null {
  for (const stage of run.stages) {
    const window = measuredWindow(stage);
    const block = window === null ? undefined : run.aggregate.block(stage.index, "measured");
    if (window === null || block === undefined) continue;
    const plannedUs = window.toUs === null ? null : window.toUs - window.fromUs;
    const isJudged = block.flow.durationUs >= Math.min(EARLIEST_US, plannedUs ?? EARLIEST_US);
    for (const threshold of thresholds) {
      const isMeant = threshold.stage === null || threshold.stage === stage.name;
      if (!isMeant || !(isJudged || isBeyondRecall(threshold))) continue;
      const level = levelSoFar(threshold, block, { plannedUs, hasSlos: run.hasSlos });
      const { observed, result } = judgeLevel(threshold, level);
      if (result === "failed" && observed !== null)
        return { expression: threshold.expression, stage: stage.name, observed };
    }
  }
  return null;
}

/** Counts and greatest values only grow: what is too high stays so. */
function isBeyondRecall(threshold: Threshold): boolean {
  const { metric } = threshold;
  const grows = metric.kind === "latency" ? metric.stat === "max" : GROWING.has(metric.name);
  return grows && wantsLow(threshold);
}

const GROWING: ReadonlySet<string> = new Set(["failures.count", "drops.count", "requests.censored"]);

function levelSoFar(
  threshold: Threshold,
  block: FoldedBlock,
  { plannedUs, hasSlos }: { readonly plannedUs: number | null; readonly hasSlos: boolean },
): JudgedLevel {
  const due = settledDue(block);
  return {
    flow: block.flow,
    due: { ...due, unknown: due.unknown - block.unsettled + unseenOf(threshold, block, due) },
    histograms: block.histograms,
    windowUs: block.flow.durationUs,
    plannedUs,
    missing: { requests: 0, samples: 0 },
    hasSlos,
  };
}

/**
 * Open requests that may still have a value: what an open one has shown already is among the values. Of gaps and ITL
 * those that were seen are judged, however many are still to come.
 */
function unseenOf({ metric }: Threshold, block: FoldedBlock, due: DueCounts): number {
  if (metric.kind !== "latency") return block.unsettled;
  if (PER_ARRIVAL.has(metric.metric)) return 0;
  const known = block.histograms.get(metric.metric)?.count ?? 0;
  return Math.min(block.unsettled, Math.max(0, due.offered - total(due.dropped) - known));
}
