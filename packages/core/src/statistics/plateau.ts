import { momentsOf } from "./moments.js";
import type { SaturationLevel } from "./saturation-estimate.js";
import { studentTQuantile } from "./student-t.js";

/** How exactly throughput is known. */
export interface Noise {
  /** Relative standard deviation of one value, pooled over all levels. */
  readonly cov: number;
  /** Student's t for one side. */
  readonly factor: number;
  readonly isAssumed: boolean;
}

/** One or several levels with the same number in flight. */
export interface Point {
  readonly inFlight: number;
  readonly throughput: number;
  /** Relative standard error of the throughput. */
  readonly error: number;
  readonly waitingShare: number | null;
}

/** From what the values of each level differ by among themselves, pooled: a level alone has too few. */
export function levelNoise(
  levels: readonly SaturationLevel[],
  rule: { readonly assumedNoise: number; readonly leastNoise: number; readonly confidence: number },
): Noise {
  let squares = 0;
  let degrees = 0;
  for (const { throughput } of levels) {
    const { count, mean, variance } = momentsOf(throughput);
    squares += (count - 1) * (Math.sqrt(variance) / mean) ** 2;
    degrees += count - 1;
  }
  if (degrees === 0) {
    return { cov: rule.assumedNoise, factor: studentTQuantile(rule.confidence, 1e6), isAssumed: true };
  }
  const cov = Math.max(rule.leastNoise, Math.sqrt(squares / degrees));
  return { cov, factor: studentTQuantile(rule.confidence, degrees), isAssumed: false };
}

/** By what was in flight, ascending; neighbours within `same` of the lowest of them are one. */
export function mergeLevels(levels: readonly SaturationLevel[], noise: Noise, same: number): Point[] {
  const groups: SaturationLevel[][] = [];
  for (const level of levels.toSorted((a, b) => a.inFlight - b.inFlight)) {
    const group = groups.at(-1);
    if (group?.[0] !== undefined && level.inFlight <= same * group[0].inFlight) group.push(level);
    else groups.push([level]);
  }
  return groups.map((group) => {
    const values = group.flatMap(({ throughput }) => throughput);
    const waiting = group.flatMap(({ waitingShare }) => (isShare(waitingShare) ? [waitingShare] : []));
    return {
      inFlight: momentsOf(group.map(({ inFlight }) => inFlight)).mean,
      throughput: momentsOf(values).mean,
      error: noise.cov / Math.sqrt(values.length),
      waitingShare: waiting.length === group.length ? momentsOf(waiting).mean : null,
    };
  });
}

const isShare = (value: number | null | undefined): value is number =>
  typeof value === "number" && value >= 0 && value <= 1;

export const span = (low: Point, high: Point): number => high.inFlight / low.inFlight;

/** Elasticity d ln X / d ln N of a line through the points, weighted by their errors, and its standard error. */
export function slopeOf(points: readonly Point[]): {
  readonly value: number;
  readonly error: number;
  /** Largest relative distance of a point from the line. */
  readonly worstResidual: number;
} {
  const weights = points.map(({ error }) => 1 / error ** 2);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const weighted = (values: readonly number[]) =>
    values.reduce((sum, value, i) => sum + (weights[i] ?? 0) * value, 0) / total;
  const x = points.map(({ inFlight }) => Math.log(inFlight));
  const y = points.map(({ throughput }) => Math.log(throughput));
  const [middleX, middleY] = [weighted(x), weighted(y)];
  const squares = weighted(x.map((value) => (value - middleX) ** 2)) * total;
  const value = (weighted(x.map((at, i) => (at - middleX) * ((y[i] ?? 0) - middleY))) * total) / squares;
  const residuals = y.map((at, i) => Math.abs(at - middleY - value * ((x[i] ?? 0) - middleX)));
  return { value, error: 1 / Math.sqrt(squares), worstResidual: Math.max(...residuals) };
}
