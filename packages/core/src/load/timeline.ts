import { assert } from "../errors.js";
import type { Phase } from "../measure/snapshot.js";
import type { ResolvedStage } from "./stages.js";

/** Length of a stage, us; null when it is bounded by requests, and so ends when they have. */
export function stageLengthUs(stage: ResolvedStage): number | null {
  if (stage.kind === "rate") return stage.durationUs;
  if (stage.bound.kind === "requests") return null;
  return stage.rampUpUs + stage.settleUs + stage.bound.durationUs;
}

/**
 * Starts of all stages in run time, us: the first at 0, the next as long as every stage before it is bounded by
 * duration; null past that, until the leader commits one.
 */
export function initialStageStarts(stages: readonly ResolvedStage[]): (number | null)[] {
  const none = stages.map(() => null);
  return stages.length === 0 ? none : nextStageStarts(stages, none, 0, 0);
}

/** The same starts with that of `stage` known, and those that follow from it. Called by the leader at a commit. */
export function nextStageStarts(
  stages: readonly ResolvedStage[],
  starts: readonly (number | null)[],
  stage: number,
  startUs: number,
): (number | null)[] {
  assert(starts.length === stages.length, `${starts.length} starts for ${stages.length} stages`);
  assert(stage >= 0 && stage < stages.length, `there is no stage ${stage}`);
  const filled = [...starts];
  let atUs: number | null = startUs;
  for (let i = stage; i < stages.length && atUs !== null; i += 1) {
    filled[i] = atUs;
    const following: ResolvedStage | undefined = stages[i];
    const lengthUs: number | null = following === undefined ? null : stageLengthUs(following);
    atUs = lengthUs === null ? null : atUs + lengthUs;
  }
  return filled;
}

/** The phase at a moment of a stage, us since its start. What follows the last stage, or a stop, is not decided here. */
export function stagePhaseAt(stage: ResolvedStage, tInStageUs: number): Phase {
  if (stage.isWarmUp) return "warm-up";
  const window = measuredWindow(stage);
  return window !== null && tInStageUs >= window.fromUs ? "measured" : "ramp";
}

/**
 * The part of a stage that is measured, us since its start; `toUs` null when it is bounded by requests. Null where
 * nothing is: the warm-up, and a slope between two rates.
 */
export function measuredWindow(
  stage: ResolvedStage,
): { readonly fromUs: number; readonly toUs: number | null } | null {
  if (stage.isWarmUp) return null;
  if (stage.kind === "rate") {
    return stage.fromRps === stage.toRps ? { fromUs: 0, toUs: stage.durationUs } : null;
  }
  if (stage.bound.kind === "requests") return { fromUs: 0, toUs: null };
  const fromUs = stage.rampUpUs + stage.settleUs;
  return { fromUs, toUs: fromUs + stage.bound.durationUs };
}
