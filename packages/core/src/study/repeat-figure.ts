import { studentTQuantile, welchInterval } from "../statistics/index.js";
import type { ConditionFigure, LevelMetric, RepeatFigure } from "./study-report.js";

/** Mean, Student-t interval and CoV of independent repeats; those that gave nothing are left out, and it is said. */
export function repeatFigure(values: readonly (number | null)[]): RepeatFigure {
  const known = values.filter((value) => value !== null);
  const count = known.length;
  const left = values.length - count;
  const leftOut = left === 0 ? null : `${left} of ${values.length} repeats measured none`;
  if (count === 0) {
    const because = values.length === 0 ? "no repeat was run" : "no repeat measured any";
    return { count, mean: null, ci95: null, cov: null, because };
  }
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) {
    return {
      count,
      mean,
      ci95: null,
      cov: null,
      because: leftOut ?? "one repeat says nothing of the spread",
    };
  }
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1));
  const half = (studentTQuantile(0.975, count - 1) * deviation) / Math.sqrt(count);
  return {
    count,
    mean,
    ci95: deviation === 0 ? null : { low: mean - half, high: mean + half },
    cov: mean === 0 ? null : deviation / mean,
    because:
      deviation === 0 ? "the repeats are equal: they show no spread to make an interval from" : leftOut,
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
  if (one.mean === null || other.mean === null || one.mean === 0) {
    return { ...base, differencePct: null, interval95Pct: null, sentence: "one side measured none" };
  }
  const percent = (value: number) => (100 * value) / (one.mean ?? 1);
  const differencePct = percent(other.mean - one.mean);
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const interval = welchInterval(known(a), known(b));
  if (interval.kind !== "interval") {
    const why =
      Math.min(one.count, other.count) < 2
        ? "fewer than two repeats on a side"
        : "the repeats show no spread";
    return { ...base, differencePct, interval95Pct: null, sentence: `no interval: ${why}` };
  }
  const interval95Pct = { low: percent(interval.low), high: percent(interval.high) };
  const isOpen = interval95Pct.low <= 0 && interval95Pct.high >= 0;
  const sentence = isOpen
    ? "no difference is shown: the interval holds 0"
    : `b is ${differencePct > 0 ? "greater" : "smaller"}: the interval does not hold 0`;
  return { ...base, differencePct, interval95Pct, sentence };
}
