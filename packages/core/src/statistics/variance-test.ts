import { incompleteBeta } from "./incomplete-beta.js";
import { medianOf, momentsOf } from "./moments.js";
import { type Unknown, unknown, unusable } from "./outcome.js";

/** A test of equal spreads. */
export type VarianceTest =
  | {
      readonly kind: "test";
      /** F of 1 and `degrees` degrees of freedom. */
      readonly statistic: number;
      readonly degrees: number;
      /** Of a statistic so large or larger, were the spreads equal. */
      readonly pValue: number;
      /** Spread of B over that of A (of mean distances from the median); null where A has none. */
      readonly ratio: number | null;
    }
  | Unknown;

/** P(F <= f) of the F distribution (DLMF 8.17.5 with x = d1 f / (d1 f + d2)). f >= 0. */
export function fCdf(f: number, degrees: { readonly above: number; readonly below: number }): number {
  const { above, below } = degrees;
  return f <= 0 ? 0 : incompleteBeta((above * f) / (above * f + below), above / 2, below / 2);
}

/** P(F > f): without the cancellation that 1 - P would have. */
function fBeyond(f: number, { above, below }: { readonly above: number; readonly below: number }): number {
  return f <= 0 ? 1 : incompleteBeta(below / (above * f + below), below / 2, above / 2);
}

/**
 * Whether two groups of repeats have the same spread, by Brown and Forsythe (JASA 69, 1974): an analysis of variance of distances
 * from each group's median. Holds its level where values are not normal, at a price: with five values a side it finds a
 * spread twenty times as large in about two of five cases. For a ladder of levels use `varianceTestOverLevels`.
 */
export function varianceTest(a: readonly number[], b: readonly number[]): VarianceTest {
  const problem = unfit(a, "A") ?? unfit(b, "B");
  if (problem !== null) return unknown(problem);
  return compareDistances(distances(a), distances(b));
}

/**
 * The same over several levels at once: distances from the median, as shares of it, of all levels together. What a group's median fixes is
 * taken out first, without which few values a group make the test blind, or count one distance twice (Hines and Hines,
 * Biometrics 56, 2000). Levels that cannot be used are passed over.
 */
export function varianceTestOverLevels(
  levels: readonly { readonly a: readonly number[]; readonly b: readonly number[] }[],
): VarianceTest {
  const usable = levels.filter(({ a, b }) =>
    [a, b].every((side) => unfit(side, "") === null && medianOf(side) > 0),
  );
  if (usable.length === 0) return unknown("no level has two values above 0 on either side");
  const pool = (side: "a" | "b") =>
    usable.flatMap((level) => {
      const values = level[side];
      const middle = medianOf(values);
      return withoutStructure(distances(values).map((distance) => distance / middle));
    });
  return compareDistances(pool("a"), pool("b"));
}

/**
 * The median of an odd group lies at a distance of 0 from itself. Of an even group the two in the middle lie equally far: turned by 45
 * degrees they are one distance times the root of 2, and a 0.
 */
function withoutStructure(found: readonly number[]): number[] {
  const [first = 0, second = 0, ...rest] = found.toSorted((x, y) => x - y);
  return found.length % 2 === 1 ? [second, ...rest] : [Math.hypot(first, second), ...rest];
}

function unfit(values: readonly number[], side: string): string | null {
  const problem = unusable(values, `values of ${side}`);
  if (problem !== null) return problem;
  return values.length < 2 ? `${side} has one value, and so no spread` : null;
}

function distances(values: readonly number[]): number[] {
  const middle = medianOf(values);
  return values.map((value) => Math.abs(value - middle));
}

/** One-way analysis of variance of two groups; each holds one value or more. */
function compareDistances(a: readonly number[], b: readonly number[]): VarianceTest {
  const count = a.length + b.length;
  const [one, other] = [momentsOf(a), momentsOf(b)];
  if (one.mean === 0 && other.mean === 0) return unknown("no side shows any spread");
  if (count < 3) return unknown("too few values for a test of spreads");
  const scale = Math.max(one.mean, other.mean);
  const degrees = count - 2;
  const within =
    ((one.variance / scale ** 2) * (one.count - 1) + (other.variance / scale ** 2) * (other.count - 1)) /
    degrees;
  const between = (one.count * other.count * ((one.mean - other.mean) / scale) ** 2) / count;
  const ratio = one.mean === 0 ? null : other.mean / one.mean;
  if (!(Number.isFinite(within) && Number.isFinite(between))) {
    return unknown("the values are too large to be reckoned with");
  }
  if (within === 0) {
    return unknown(
      "within each side all values lie equally far from the middle: there is nothing to hold a difference against",
    );
  }
  const statistic = between / within;
  if (!Number.isFinite(statistic) || (ratio !== null && !Number.isFinite(ratio))) {
    return unknown("the spreads are too far apart to be reckoned with");
  }
  return {
    kind: "test",
    statistic,
    degrees,
    pValue: fBeyond(statistic, { above: 1, below: degrees }),
    ratio,
  };
}
