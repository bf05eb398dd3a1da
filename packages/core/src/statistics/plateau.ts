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
  readonly served: Readonly<Record<ServedSource, Served | null>>;
}

/** The server's own gauge, or what follows from the client's times. */
export type ServedSource = "server" | "timing";

/** Requests that had their turn, the others of those in flight waiting. */
export interface Served {
  readonly mean: number;
  /** Relative standard error over the repeats; null where there was one. */
  readonly error: number | null;
}

/** From what the values of each level differ by among themselves, pooled: a level alone has too few. */
export function levelNoise(
  levels: readonly SaturationLevel[],
  rule: { readonly assumedNoise: number; readonly leastNoise: number; readonly confidence: number },
): Noise {
  const { cov: spread, degrees } = pooledSpread(levels.map(({ throughput }) => throughput));
  if (degrees === 0) {
    return { cov: rule.assumedNoise, factor: studentTQuantile(rule.confidence, 1e6), isAssumed: true };
  }
  const cov = Math.max(rule.leastNoise, spread);
  return { cov, factor: studentTQuantile(rule.confidence, degrees), isAssumed: false };
}

/** Relative standard deviation within groups of values, pooled over the groups. */
function pooledSpread(groups: readonly (readonly number[])[]): {
  readonly cov: number;
  readonly degrees: number;
} {
  let squares = 0;
  let degrees = 0;
  for (const { count, mean, variance } of groups.map(momentsOf)) {
    if (count < 2) continue;
    squares += (count - 1) * (Math.sqrt(variance) / mean) ** 2;
    degrees += count - 1;
  }
  return { cov: degrees === 0 ? 0 : Math.sqrt(squares / degrees), degrees };
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
    const waiting = group.map(({ waitingShares = [] }) => waitingShares.filter(isShare));
    return {
      inFlight: momentsOf(group.map(({ inFlight }) => inFlight)).mean,
      throughput: momentsOf(values).mean,
      error: noise.cov / Math.sqrt(values.length),
      waitingShare: waiting.every(({ length }) => length > 0) ? momentsOf(waiting.flat()).mean : null,
      served: {
        // More than are in flight are somebody else's too: the gauge then tells nothing about this load.
        server: servedOf(
          group.map(({ inFlight, serverRunning = [] }) =>
            serverRunning.every((count) => count > 0 && count <= same * inFlight) ? serverRunning : [],
          ),
        ),
        // Little's law for the phase in which a request receives tokens.
        timing: servedOf(
          group.map(({ inFlight }, i) => (waiting[i] ?? []).map((share) => inFlight * (1 - share))),
        ),
      },
    };
  });
}

const isShare = (value: number): boolean => value >= 0 && value <= 1;

/** Values of each of the levels that are one point; null unless all of them have some. */
function servedOf(levels: readonly (readonly number[])[]): Served | null {
  const values = levels.flat();
  if (levels.some(({ length }) => length === 0) || !values.every((value) => value > 0)) return null;
  const { cov, degrees } = pooledSpread(levels);
  return {
    mean: momentsOf(levels.map((level) => momentsOf(level).mean)).mean,
    error: degrees === 0 ? null : cov / Math.sqrt(values.length),
  };
}

/** Weighted by what each is worth. Relative error. */
export function meanOf(points: readonly Point[]): { readonly throughput: number; readonly error: number } {
  const weight = points.reduce((sum, { error }) => sum + 1 / error ** 2, 0);
  const log =
    points.reduce((sum, { error, throughput }) => sum + Math.log(throughput) / error ** 2, 0) / weight;
  return { throughput: Math.exp(log), error: 1 / Math.sqrt(weight) };
}

/** Proven not to grow, and its lowest level not below the others: that one would still be rising. */
export function isFlat(
  points: readonly Point[],
  noise: Noise,
  { flatElasticity }: { readonly flatElasticity: number },
): boolean {
  const [first, ...rest] = points;
  if (first === undefined || rest.length === 0) return false;
  const slope = slopeOf(points);
  if (slope.value + noise.factor * slope.error >= flatElasticity) return false;
  const others = meanOf(rest);
  const error = Math.hypot(first.error, others.error);
  const isBelow = first.throughput < others.throughput * (1 - noise.factor * error);
  return !isBelow && slope.worstResidual <= Math.max(0.02, 3 * error);
}

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
