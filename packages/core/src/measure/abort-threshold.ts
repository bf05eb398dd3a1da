import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow } from "../load/timeline.js";
import type { TestPlan } from "../plan/schema.js";
import type { RunRecord } from "../run/run-record.js";
import type { Aggregate, FoldedBlock } from "./aggregate.js";
import { total } from "./counts.js";
import { judgeLevel, wantsLow } from "./judge-threshold.js";
import { settledDue, WINDOW_RESPONSES } from "./level-data.js";
import type { FlowCounts } from "./snapshot.js";
import { type JudgedLevel, PER_ARRIVAL } from "./threshold-range.js";
import { parseThreshold, type Threshold } from "./thresholds.js";

/** A level must have been measured for so long, or to its end, before shares, rates and latencies of it are judged. */
const EARLIEST_US = 10_000_000;
/** Of percentiles: they are judged again with every interval, and each time might fail by chance. */
const RUNNING_CONFIDENCE = 0.999;

/** A threshold that ends the run, and where it failed. */
export interface AbortingThreshold {
  readonly expression: string;
  readonly stage: string;
  /** In the unit of the threshold's limit. */
  readonly observed: number;
}

/** A run that goes on, as far as its leader has folded it. */
export interface RunSoFar {
  readonly record: Pick<RunRecord, "plan" | "shards" | "losses">;
  readonly stages: readonly ResolvedStage[];
  readonly aggregate: Pick<Aggregate, "block" | "agentBlock">;
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
export function failedSoFar(thresholds: readonly Threshold[], run: RunSoFar): AbortingThreshold | null {
  for (const stage of run.stages) {
    const block = measuredWindow(stage) === null ? undefined : run.aggregate.block(stage.index, "measured");
    if (block === undefined) continue;
    for (const threshold of thresholds) {
      if (threshold.stage !== null && threshold.stage !== stage.name) continue;
      const level = levelSoFar(threshold, { stage, block, run });
      if (level === null) continue;
      const { observed, result } = judgeLevel(threshold, level, RUNNING_CONFIDENCE);
      if (result === "failed" && observed !== null)
        return { expression: threshold.expression, stage: stage.name, observed };
    }
  }
  return null;
}

interface Part {
  readonly stage: ResolvedStage;
  readonly block: FoldedBlock;
  readonly run: RunSoFar;
}

/** What a threshold may be judged by; null while it is too early. */
function levelSoFar(threshold: Threshold, part: Part): JudgedLevel | null {
  const { block, run } = part;
  const flow = isRate(threshold) ? steadyFlow(part) : block.flow;
  if (flow === null || !(isBeyondRecall(threshold) || block.flow.durationUs >= leastUs(part))) return null;
  const due = settledDue(block);
  return {
    flow,
    due: { ...due, unknown: due.unknown - block.unsettled + unseenOf(threshold, block) },
    histograms: block.histograms,
    windowUs: flow.durationUs,
    plannedUs: plannedUsOf(part.stage),
    missing: { requests: 0, samples: 0 },
    hasSlos: run.record.plan.slos !== undefined,
  };
}

function plannedUsOf(stage: ResolvedStage): number | null {
  const window = measuredWindow(stage);
  return window === null || window.toUs === null ? null : window.toUs - window.fromUs;
}

function leastUs({ stage }: Part): number {
  return Math.min(EARLIEST_US, plannedUsOf(stage) ?? EARLIEST_US);
}

/** Counts and greatest values only grow: what is too high stays so. */
function isBeyondRecall(threshold: Threshold): boolean {
  const { metric } = threshold;
  const grows = metric.kind === "latency" ? metric.stat === "max" : GROWING.has(metric.name);
  return grows && wantsLow(threshold);
}

const GROWING: ReadonlySet<string> = new Set(["failures.count", "drops.count", "requests.censored"]);

/** Per time of the window. */
function isRate({ metric }: Threshold): boolean {
  return metric.kind === "value" && (metric.name.startsWith("rates.") || metric.name === "inFlight.mean");
}

/**
 * What flows at all agents in the time that the furthest of them has been folded: each flows on as it did so far, since
 * the interval of one may be here and that of another still on its way. Null where a shard was lost; where a number of
 * requests ends the level, of which each agent is done at its own time; and until each agent has been measured for three
 * median responses: before, nothing need have ended though all is well.
 */
function steadyFlow({ stage, block, run }: Part): FlowCounts | null {
  const { record, aggregate } = run;
  const plannedUs = plannedUsOf(stage);
  const responseUs = responseUsOf(block);
  if (plannedUs === null || responseUs === null || (record.losses ?? []).length > 0) return null;
  const windowUs = block.flow.durationUs;
  const leastUs = Math.min(WINDOW_RESPONSES * responseUs, plannedUs);
  const sum = { completed: 0, outputTokens: 0, promptTokens: 0, inFlightUs: 0 };
  for (const { agent } of record.shards) {
    const flow = aggregate.agentBlock(agent, stage.index, "measured");
    if (flow === undefined || flow.durationUs === 0 || flow.durationUs < leastUs) return null;
    const scale = windowUs / flow.durationUs;
    sum.completed += flow.completed * scale;
    sum.outputTokens += flow.outputTokens * scale;
    sum.promptTokens += flow.promptTokens * scale;
    sum.inFlightUs += flow.inFlightUs * scale;
  }
  return { ...block.flow, ...sum };
}

/** The median response; 0 where none completes and more have failed than are open: a dead target has none. Else null. */
function responseUsOf({ histograms, due, unsettled }: FoldedBlock): number | null {
  const medianUs = histograms.get("e2e")?.percentile(50) ?? null;
  if (medianUs !== null) return medianUs;
  return total(due.failed) > unsettled ? 0 : null;
}

/**
 * Open requests that may still have a value: what an open one has shown already is among the values. Of gaps and ITL
 * those that were seen are judged, however many are still to come.
 */
function unseenOf({ metric }: Threshold, block: FoldedBlock): number {
  if (metric.kind !== "latency") return block.unsettled;
  if (PER_ARRIVAL.has(metric.metric)) return 0;
  const { due, unoffered, histograms, unsettled } = block;
  const known = histograms.get(metric.metric)?.count ?? 0;
  return Math.min(unsettled, Math.max(0, due.offered + unoffered - total(due.dropped) - known));
}
