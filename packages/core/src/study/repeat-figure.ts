import { coefficientOfVariation, meanInterval, welchInterval } from "../statistics/index.js";
import type { ConditionFigure, LevelMetric, RepeatFigure } from "./study-report.js";

/** Mean, Student-t interval and CoV of independent repeats; those that gave nothing are left out, and it is said. */
export function repeatFigure(values: readonly (number | null)[]): RepeatFigure {
  const known = knownOf(values);
  const count = known.length;
  const none = { count, mean: null, ci95: null, cov: null, cov95: null };
  if (count === 0) {
    return { ...none, because: values.length === 0 ? "no repeat was run" : "no repeat measured any" };
  }
  const estimate = meanInterval(known);
  if (estimate.kind === "unknown") return { ...none, because: estimate.because };
  const variation = coefficientOfVariation(known);
  const left = values.length - count;
  const leftOut = left === 0 ? null : `${left} of ${values.length} repeats measured none`;
  const isInterval = estimate.kind === "interval";
  return {
    count,
    mean: estimate.mean,
    ci95: isInterval ? { low: estimate.low, high: estimate.high } : null,
    cov: variation.kind === "value" ? variation.cov : null,
    cov95: variation.kind === "value" ? { low: variation.low, high: variation.high } : null,
    because: isInterval ? leftOut : estimate.because,
  };
}

/** b against a over their repeats (Welch). */
export function comparedFigure(
  metric: LevelMetric,
  a: readonly (number | null)[],
  b: readonly (number | null)[],
): ConditionFigure {
  const [one, other] = [repeatFigure(a), repeatFigure(b)];
  const base = { metric, a: one, b: other };
  const none = { differencePct: null, interval95Pct: null, pValue: null };
  const { mean } = one;
  if (mean === null || other.mean === null || mean === 0) {
    return { ...base, ...none, sentence: "one side measured none" };
  }
  const estimate = welchInterval(knownOf(a), knownOf(b));
  if (estimate.kind === "unknown") return { ...base, ...none, sentence: estimate.because };
  const percent = (value: number) => (100 * value) / mean;
  const differencePct = percent(estimate.difference);
  if (estimate.kind === "point") {
    return { ...base, ...none, differencePct, sentence: `no interval: ${estimate.because}` };
  }
  const interval95Pct = { low: percent(estimate.low), high: percent(estimate.high) };
  const isOpen = estimate.low <= 0 && estimate.high >= 0;
  const sentence = isOpen
    ? "no difference is shown: the interval holds 0"
    : `b is ${differencePct > 0 ? "greater" : "smaller"}: the interval does not hold 0`;
  return { ...base, differencePct, interval95Pct, pValue: estimate.pValue, sentence };
}

/** What was measured, of what was asked for. */
export function knownOf(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}
