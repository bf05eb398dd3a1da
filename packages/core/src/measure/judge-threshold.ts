import type { RunReport, ThresholdResult } from "../run/report.js";
import type { LevelData } from "./level-data.js";
import { CONFIDENCE, type JudgedLevel, rangeOf } from "./threshold-range.js";
import type { Threshold } from "./thresholds.js";

/**
 * Passes only where it would pass with every missing or censored sample at its worst, fails only where it would fail
 * with all of them at their best, else inconclusive; the worst level decides. Percentiles of one value per request
 * are judged at both ends of their 95 % order-statistic interval. `unreached`: names of measured levels that the run
 * did not come to.
 */
export function judgeThreshold(
  threshold: Threshold,
  levels: readonly LevelData[],
  unreached: readonly string[],
): RunReport["thresholds"][number] {
  const isMeant = (name: string) => threshold.stage === null || name === threshold.stage;
  const judged: readonly Judged[] = [
    ...levels.filter(({ stage }) => isMeant(stage.name)).map((level) => judgeLevel(threshold, level)),
    ...unreached.filter(isMeant).map(() => NOTHING_SEEN),
  ];
  const worst = judged.toSorted(
    (a, b) => SEVERITY.indexOf(a.result) - SEVERITY.indexOf(b.result) || compareObserved(threshold, a, b),
  )[0];
  return {
    metric: threshold.name,
    expression: threshold.expression,
    observed: worst?.observed ?? null,
    result: worst?.result ?? "inconclusive",
  };
}

export interface Judged {
  readonly observed: number | null;
  readonly result: ThresholdResult;
}

const NOTHING_SEEN: Judged = { observed: null, result: "inconclusive" };
const SEVERITY: readonly ThresholdResult[] = ["failed", "inconclusive", "passed"];

/** The worse figure first, none last. */
function compareObserved(threshold: Threshold, a: Judged, b: Judged): number {
  if (a.observed === null || b.observed === null)
    return (a.observed === null ? 1 : 0) - (b.observed === null ? 1 : 0);
  return wantsLow(threshold) ? b.observed - a.observed : a.observed - b.observed;
}

/** Of one level alone; percentiles at both ends of their interval of this confidence. */
export function judgeLevel(threshold: Threshold, level: JudgedLevel, confidence = CONFIDENCE): Judged {
  const { observed, low, high } = rangeOf(threshold, level, confidence);
  if (observed === null) return NOTHING_SEEN;
  const [best, worst] = wantsLow(threshold) ? [low, high] : [high, low];
  if (holds(worst, threshold)) return { observed, result: "passed" };
  return { observed, result: holds(best, threshold) ? "inconclusive" : "failed" };
}

export function wantsLow({ op }: Threshold): boolean {
  return op === "<" || op === "<=";
}

function holds(value: number, { op, limit }: Threshold): boolean {
  switch (op) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
  }
}
