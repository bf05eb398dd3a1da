import type { PlannedArrivals } from "../load/planned-arrivals.js";
import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow } from "../load/timeline.js";
import type { TestPlan } from "../plan/schema.js";
import type { RunRecord } from "../run/run-record.js";
import { openLosses, ownedShards, stoppedByUs } from "../run/shard-map.js";
import type { AgentIntervals, Aggregate, FoldedBlock } from "./aggregate.js";
import { emptyDue, emptyFlow, total } from "./counts.js";
import { neverOffered } from "./fill-reasons.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import { isDetermined, withAges } from "./latency-summary.js";
import { type LostLoad, lostLoad } from "./lost-load.js";
import { type Missing, missingBetween } from "./missing.js";
import type { DueCounts, FlowCounts, MetricName } from "./snapshot.js";
import { closedStimulus, openStimulus, type Stimulus } from "./stimulus.js";

/** One measured level, folded over all agents: what rows, thresholds and the verdict are made of. */
export interface LevelData {
  readonly stage: ResolvedStage;
  /** Run time at which the measured window begins, us. */
  readonly windowStartUs: number;
  /** Its length as it was, us; 0 when it was never reached. */
  readonly windowUs: number;
  /** As planned; null when it is bounded by requests. */
  readonly plannedUs: number | null;
  readonly flow: FlowCounts;
  /** Of a run that is over: what was never heard of again is unknown. */
  readonly due: DueCounts;
  readonly histograms: ReadonlyMap<MetricName, Histogram>;
  readonly missing: Missing;
  /** Whether the plan has limits for a single request. */
  readonly hasSlos: boolean;
  /** What lost agents were to send in it; part of it is among `due`, as unknown. */
  readonly lost: LostLoad;
  /** Users asked for; null for open load. */
  readonly asked: number | null;
  readonly inFlightMean: number;
  /** Median E2E, open requests with their age; null without any. */
  readonly medianE2e: MedianE2e | null;
  readonly isTooShort: boolean;
  /** The load that was asked for did not get in flight. */
  readonly isNeverFull: boolean;
  /** Requests that were due and never sent: what was measured is not the load that was asked for. */
  readonly dropped: number;
  /** What was offered, beside what was asked. */
  readonly stimulus: Stimulus;
  readonly isSteady: boolean;
}

export interface MedianE2e {
  readonly us: number;
  /** Open requests could move it up. */
  readonly isAtLeast: boolean;
}

/** Mean in flight under this share of what was asked for: the level was never filled. */
const FULL_SHARE = 0.95;
/** A window must hold so many median responses. */
export const WINDOW_RESPONSES = 3;

/** What levels are made of. */
export interface LevelsInput {
  readonly record: RunRecord;
  readonly stages: readonly ResolvedStage[];
  readonly aggregate: Aggregate;
  readonly planned: PlannedArrivals | null;
}

/** The levels that began: stages with a measured window, without the warm-up. */
export function levelsOf({ record, stages, aggregate, planned }: LevelsInput): LevelData[] {
  return stages
    .filter((stage) => measuredWindow(stage) !== null && hasBegun(stage, aggregate))
    .map((stage) => levelOf(record, stage, aggregate, planned));
}

/** Names of the levels that the plan has and the run never came to. */
export function unreachedLevels(stages: readonly ResolvedStage[], levels: readonly LevelData[]): string[] {
  const reached = new Set(levels.map(({ stage }) => stage.index));
  return stages
    .filter((stage) => measuredWindow(stage) !== null && !reached.has(stage.index))
    .map(({ name }) => name);
}

/** Unknown requests of lost agents in slopes, which are no levels and yet have what was due. */
export function lostOnSlopes({ record, stages, aggregate, planned }: LevelsInput): number {
  return stages
    .filter((stage) => !stage.isWarmUp && measuredWindow(stage) === null && hasBegun(stage, aggregate))
    .reduce((sum, stage) => sum + lostLoad({ record, stage, aggregate, planned }).unknown, 0);
}

/** Of a trace that was sent to its end: how many requests the plan has. Its file is not here to tell when each was due. */
function countOfTrace(
  { load }: TestPlan,
  {
    stage,
    windowUs,
  }: { readonly stage: Extract<ResolvedStage, { kind: "rate" }>; readonly windowUs: number },
): number | null {
  return load.kind === "trace" && windowUs >= stage.durationUs ? (load.requests ?? null) : null;
}

function hasBegun(stage: ResolvedStage, aggregate: Aggregate): boolean {
  return (["ramp", "measured"] as const).some((phase) => aggregate.block(stage.index, phase) !== undefined);
}

/** Counts of a block of a run that is over: every request has its place, and the row adds up. */
export function settledDue({ due, unsettled, unoffered }: FoldedBlock): DueCounts {
  return { ...due, offered: due.offered + unoffered, unknown: due.unknown + unsettled };
}

function levelOf(
  record: RunRecord,
  stage: ResolvedStage,
  aggregate: Aggregate,
  planned: PlannedArrivals | null,
): LevelData {
  const { plan } = record;
  const block = aggregate.block(stage.index, "measured");
  const flow = block?.flow ?? emptyFlow();
  const lost = lostLoad({ record, stage, aggregate, planned });
  const due = withLost(block === undefined ? emptyDue() : settledDue(block), lost);
  const windowUs = flow.durationUs;
  const startUs = record.stageStartsUs[stage.index] ?? 0;
  const window = measuredWindow(stage);
  const windowStartUs = startUs + (window?.fromUs ?? 0);
  const plannedUs = window === null || window.toUs === null ? null : window.toUs - window.fromUs;
  const asked = stage.kind === "users" ? stage.users : null;
  const inFlightMean = windowUs === 0 ? 0 : flow.inFlightUs / windowUs;
  // Where no request was due in the window, those of the ramp say how long one takes.
  const medianE2e = medianOf(block) ?? medianOf(aggregate.block(stage.index, "ramp"));
  const isUnderThree = medianE2e !== null && windowUs < WINDOW_RESPONSES * medianE2e.us;
  const thinks = stage.kind === "users" && stage.thinkUs > 0;
  const dropped = total(due.dropped);
  const histograms = block?.histograms ?? new Map<MetricName, Histogram>();
  const span = {
    fromUs: startUs,
    toUs: windowStartUs + Math.max(windowUs, plannedUs ?? 0) + plan.gracePeriodMs * 1000,
    intervalUs: plan.intervalMs * 1000,
  };
  const stoppedUs = new Map(openLosses(record).map((loss) => [loss.agent, stoppedByUs(loss, plan)]));
  const missing = missingBetween(aggregate, span, { stoppedUs, counted: lost.counted });
  const stimulus =
    stage.kind === "users"
      ? closedStimulus(stage, ownersOf(record, stage, aggregate))
      : openStimulus({
          dueUs: planned?.get(stage.index) ?? null,
          plannedCount: countOfTrace(plan, { stage, windowUs }),
          density: plan.load.kind === "trace" ? (plan.load.density ?? null) : null,
          windowUs,
          plannedUs: stage.durationUs,
          due,
          lag: histograms.get("scheduleLag"),
          missing,
        });
  const isOffered = dropped + lost.unknown + neverOffered({ stimulus, missing, lost }) === 0;
  const isNeverFull = plannedUs !== null && asked !== null && !thinks && inFlightMean < FULL_SHARE * asked;
  return {
    stage,
    windowStartUs,
    windowUs,
    plannedUs,
    flow,
    due,
    histograms,
    missing,
    lost,
    hasSlos: plan.slos !== undefined,
    asked,
    inFlightMean,
    medianE2e,
    // A stage bounded by requests is measured to its last one: no window cuts it off.
    isTooShort: due.offered === 0 || (plannedUs !== null && isUnderThree),
    isNeverFull,
    dropped,
    stimulus,
    isSteady: plannedUs !== null && windowUs > 0 && windowUs >= plannedUs && !isNeverFull && isOffered,
  };
}

/** Arrivals of which no agent tells are offered all the same: somebody was to send them. */
function withLost(due: DueCounts, { unknown }: LostLoad): DueCounts {
  return unknown === 0 ? due : { ...due, offered: due.offered + unknown, unknown: due.unknown + unknown };
}

/** Agents that had a part in a stage; whose shard others had by then does not count. */
export function ownersOf(
  record: RunRecord,
  stage: ResolvedStage,
  aggregate: Aggregate,
): readonly AgentIntervals[] {
  return aggregate.agents().filter(({ shard }) => ownedShards(record, shard.agent, stage.index).length > 0);
}

function medianOf(block: FoldedBlock | undefined): MedianE2e | null {
  const known = block?.histograms.get("e2e");
  const both = withAges({ known, censored: block?.histograms.get("e2eCensored") });
  const us = both.percentile(50);
  return us === null ? null : { us, isAtLeast: !isDetermined(50, known ?? createHistogram(), both) };
}
