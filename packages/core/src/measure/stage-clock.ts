import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow, stageLengthUs, stagePhaseAt } from "../load/timeline.js";
import type { Phase } from "./snapshot.js";

/** What is known of the stages' times, in run time, us. */
export interface StageTimes {
  readonly stages: readonly ResolvedStage[];
  /** Null while a start is not committed. */
  readonly startsUs: readonly (number | null)[];
  /** When a stage bounded by requests ended for this shard; null before that. */
  readonly doneUs: readonly (number | null)[];
  /** When the run was stopped before its time; null otherwise. */
  readonly stopUs: number | null;
}

/** From here on, and until the next segment, time belongs to this (stage, phase). */
export interface Segment {
  readonly fromUs: number;
  readonly stage: number;
  readonly phase: Phase;
}

/**
 * The whole of time cut into segments, the first from minus infinity. `between` before the first stage and where the
 * next start is not known yet, `drain` after the last stage or a stop.
 */
export function segmentsOf(times: StageTimes): Segment[] {
  const segments: Segment[] = [{ fromUs: Number.NEGATIVE_INFINITY, stage: 0, phase: "between" }];
  for (const [index, stage] of times.stages.entries()) {
    const startUs = times.startsUs[index];
    if (startUs === null || startUs === undefined) continue;
    if (times.stopUs !== null && startUs >= times.stopUs) continue;
    add(segments, { fromUs: startUs, stage: index, phase: stagePhaseAt(stage, 0) });
    const measuredFromUs = measuredWindow(stage)?.fromUs ?? 0;
    if (measuredFromUs > 0)
      add(segments, { fromUs: startUs + measuredFromUs, stage: index, phase: "measured" });
    const edgeUs = stageEdgeUs(times, index);
    if (edgeUs !== null) add(segments, { fromUs: edgeUs, stage: index, phase: phaseAfter(times, index) });
  }
  if (times.stopUs !== null) {
    add(segments, { fromUs: times.stopUs, stage: segmentAt(segments, times.stopUs).stage, phase: "drain" });
  }
  return segments;
}

/** The segment to which a moment belongs. */
export function segmentAt(segments: readonly Segment[], tUs: number): Segment {
  const found = segments.findLast((segment) => segment.fromUs <= tUs);
  return found ?? { fromUs: Number.NEGATIVE_INFINITY, stage: 0, phase: "between" };
}

/** What begins later, or at the same time, gives way. */
function add(segments: Segment[], segment: Segment): void {
  while ((segments.at(-1)?.fromUs ?? Number.NEGATIVE_INFINITY) >= segment.fromUs) segments.pop();
  segments.push(segment);
}

/** Where a stage's window ends: its length, its last request or the stop. Null when unknown, or when it never began. */
export function stageEdgeUs(times: StageTimes, index: number): number | null {
  const stage = times.stages[index];
  const startUs = times.startsUs[index] ?? null;
  if (stage === undefined || startUs === null) return null;
  if (times.stopUs !== null && startUs >= times.stopUs) return null;
  const lengthUs = stageLengthUs(stage);
  const edgeUs = lengthUs === null ? (times.doneUs[index] ?? null) : startUs + lengthUs;
  if (times.stopUs === null) return edgeUs;
  return edgeUs === null ? times.stopUs : Math.min(edgeUs, times.stopUs);
}

/** Whether a stage has started by a moment. */
export function hasBegun(times: StageTimes, index: number, nowUs: number): boolean {
  const startUs = times.startsUs[index] ?? null;
  return startUs !== null && startUs <= nowUs && (times.stopUs === null || startUs < times.stopUs);
}

/** The phase of its stage in which a request was due. */
export function phaseOfDue(times: StageTimes, index: number, dueUs: number): Phase {
  const stage = times.stages[index];
  const startUs = times.startsUs[index] ?? null;
  if (stage === undefined || startUs === null) return "between";
  if (stage.isWarmUp) return "warm-up";
  if (times.stopUs !== null && dueUs >= times.stopUs) return "drain";
  const edgeUs = stageEdgeUs(times, index);
  if (edgeUs !== null && dueUs >= edgeUs) return phaseAfter(times, index);
  return stagePhaseAt(stage, Math.max(0, dueUs - startUs));
}

function phaseAfter(times: StageTimes, index: number): Phase {
  return index === times.stages.length - 1 ? "drain" : "between";
}
