import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow } from "../load/timeline.js";
import type { RunRecord } from "../run/run-record.js";
import type { Aggregate } from "./aggregate.js";
import { emptyDue, emptyFlow } from "./counts.js";
import type { Histogram } from "./histogram.js";
import { withAges } from "./latency-summary.js";
import type { DueCounts, FlowCounts, MetricName } from "./snapshot.js";

/** One measured level, folded over all agents: what rows, thresholds and the verdict are made of. */
export interface LevelData {
  readonly stage: ResolvedStage;
  /** Run time at which the measured window begins, us. */
  readonly windowStartUs: number;
  /** Its length as it was, us; 0 when it was never reached. */
  readonly windowUs: number;
  readonly flow: FlowCounts;
  readonly due: DueCounts;
  readonly histograms: ReadonlyMap<MetricName, Histogram>;
  /** Users asked for; null for open load. */
  readonly asked: number | null;
  readonly inFlightMean: number;
  /** Median E2E, us, open requests with their age; null without any. */
  readonly medianE2eUs: number | null;
  readonly isTooShort: boolean;
  /** The load that was asked for did not get in flight. */
  readonly isNeverFull: boolean;
  readonly isSteady: boolean;
}

/** Mean in flight under this share of what was asked for: the level was never filled. */
const FULL_SHARE = 0.95;
/** A window must hold so many median responses. */
const WINDOW_RESPONSES = 3;

/** The levels that began: stages with a measured window, without the warm-up. */
export function levelsOf(
  record: RunRecord,
  stages: readonly ResolvedStage[],
  aggregate: Aggregate,
): LevelData[] {
  const begun = new Set(aggregate.blocks().map((block) => block.stage));
  return stages
    .filter((stage) => measuredWindow(stage) !== null && begun.has(stage.index))
    .map((stage) => levelOf(record, stage, aggregate));
}

function levelOf(record: RunRecord, stage: ResolvedStage, aggregate: Aggregate): LevelData {
  const block = aggregate.block(stage.index, "measured");
  const flow = block?.flow ?? emptyFlow();
  const due = block?.due ?? emptyDue();
  const histograms = block?.histograms ?? new Map<MetricName, Histogram>();
  const windowUs = flow.durationUs;
  const asked = stage.kind === "users" ? stage.users : null;
  const inFlightMean = windowUs === 0 ? 0 : flow.inFlightUs / windowUs;
  const e2e = withAges({ known: histograms.get("e2e"), censored: histograms.get("e2eCensored") });
  const medianE2eUs = e2e.percentile(50);
  const isBoundedByTime = stage.kind === "rate" || stage.bound.kind === "duration";
  const isTooShort =
    due.offered === 0 ||
    (isBoundedByTime && medianE2eUs !== null && windowUs < WINDOW_RESPONSES * medianE2eUs);
  const thinks = stage.kind === "users" && stage.thinkUs > 0;
  const isNeverFull = isBoundedByTime && asked !== null && !thinks && inFlightMean < FULL_SHARE * asked;
  return {
    stage,
    windowStartUs: (record.stageStartsUs[stage.index] ?? 0) + (measuredWindow(stage)?.fromUs ?? 0),
    windowUs,
    flow,
    due,
    histograms,
    asked,
    inFlightMean,
    medianE2eUs,
    isTooShort,
    isNeverFull,
    isSteady: isBoundedByTime && !isTooShort && !isNeverFull,
  };
}

/** What a reader must know of a level, one sentence each. */
export function levelNotes(level: LevelData): string[] {
  const notes: string[] = [];
  const { due, stage } = level;
  const seconds = (us: number) => `${(us / 1e6).toFixed(us < 1e7 ? 1 : 0)} s`;
  if (level.windowUs === 0) notes.push("its measured window was never reached");
  else if (due.offered === 0) notes.push("too short: no request was due in its measured window");
  else if (level.isTooShort && level.medianE2eUs !== null) {
    const atLeast = due.censored * 2 >= due.offered ? "at least " : "";
    const enough = Math.ceil((WINDOW_RESPONSES * level.medianE2eUs) / 1e6);
    notes.push(
      `too short: its window of ${seconds(level.windowUs)} is under 3 x its median E2E of ${atLeast}${seconds(level.medianE2eUs)}; ${atLeast}${enough} s would do`,
    );
  }
  if (stage.kind === "users" && stage.bound.kind === "requests") {
    notes.push("bounded by requests: measured whole, its beginning and its end included, and not steady");
  }
  if (level.windowUs > 0 && level.isNeverFull) {
    notes.push(`never full: ${level.inFlightMean.toFixed(1)} in flight of ${level.asked} asked for`);
  }
  return notes;
}
