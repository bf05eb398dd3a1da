import { incompleteGamma } from "./incomplete-gamma.js";
import { momentsOf } from "./moments.js";
import { notConfidence, percentText, type Unknown, unknown, unusable } from "./outcome.js";
import { studentTQuantile } from "./student-t.js";

/** A mean of repeats. `point`: the mean is known and how far it may be off is not; `because` says why. */
export type MeanEstimate =
  | {
      readonly kind: "interval";
      readonly count: number;
      readonly mean: number;
      /** Sample standard deviation, n - 1 below. */
      readonly deviation: number;
      readonly low: number;
      readonly high: number;
      readonly confidence: number;
    }
  | { readonly kind: "point"; readonly count: number; readonly mean: number; readonly because: string }
  | Unknown;

/**
 * Mean of independent repeats with its interval by Student's t of n - 1 degrees of freedom (Student 1908): mean +- t s / sqrt(n).
 * In the values' own unit.
 */
export function meanInterval(values: readonly number[], confidence = 0.95): MeanEstimate {
  const problem = unusable(values) ?? notConfidence(confidence);
  if (problem !== null) return unknown(problem);
  const { count, mean, variance } = momentsOf(values);
  if (count === 1) {
    return {
      kind: "point",
      count,
      mean,
      because: "one value says nothing of how far a second one would lie",
    };
  }
  if (variance === 0) {
    const because = `all ${count} values are equal: they show no spread to make an interval from`;
    return { kind: "point", count, mean, because };
  }
  const deviation = Math.sqrt(variance);
  const half = (studentTQuantile(1 - (1 - confidence) / 2, count - 1) * deviation) / Math.sqrt(count);
  if (!Number.isFinite(half)) return unknown("the values are too large to be reckoned with");
  return { kind: "interval", count, mean, deviation, low: mean - half, high: mean + half, confidence };
}

/** A coefficient of variation; all figures are shares of the mean. */
export type VariationEstimate =
  | {
      readonly kind: "value";
      readonly count: number;
      /** Sample standard deviation (n - 1 below) over mean. */
      readonly cov: number;
      /** cov x (1 + 1/4n): few values show too little spread in the mean (Sokal and Rohlf, Biometry, 4.10; normal values). */
      readonly corrected: number;
      /**
       * Where the population's lies, for normal values (Vangel 1996); null where the values show no spread, or so much that
       * nothing bounds it on that side.
       */
      readonly low: number | null;
      readonly high: number | null;
      readonly confidence: number;
      /** What a reader must know of so few values. */
      readonly note: string;
    }
  | Unknown;

/**
 * Standard deviation over mean, with the interval that shows how little a few repeats tell of it: Vangel's modification of McKay's
 * (The American Statistician 50, 1996), good for a CoV under a third.
 */
export function coefficientOfVariation(values: readonly number[], confidence = 0.95): VariationEstimate {
  const problem = unusable(values) ?? notConfidence(confidence);
  if (problem !== null) return unknown(problem);
  const { count, mean, variance } = momentsOf(values);
  if (count === 1) return unknown("one value has no spread");
  if (mean <= 0) return unknown("a spread is a share of a mean above 0 alone");
  const cov = Math.sqrt(variance) / mean;
  if (!Number.isFinite(cov)) return unknown("the values are too large to be reckoned with");
  const risk = (1 - confidence) / 2;
  const [low, high] =
    variance === 0 ? [null, null] : [vangel(cov, count, 1 - risk), vangel(cov, count, risk)];
  const corrected = cov * (1 + 1 / (4 * count));
  return {
    kind: "value",
    count,
    cov,
    corrected,
    low,
    high,
    confidence,
    note: noteOn({ count, cov, low, high, confidence }),
  };
}

function noteOn(found: {
  readonly count: number;
  readonly cov: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
}): string {
  const { count, cov, low, high, confidence } = found;
  if (cov === 0) return `all ${count} values are equal: that does not show that a further one would be`;
  const text = (share: number) => `${(100 * share).toPrecision(2)} %`;
  const to = high === null ? "any size" : text(high);
  return `from ${count} values: the true one lies between ${low === null ? "0 %" : text(low)} and ${to} at ${percentText(confidence)}`;
}

/** One end; null where McKay's formula has none. */
function vangel(cov: number, count: number, share: number): number | null {
  const u = chiSquareQuantile(share, count - 1);
  const square = ((u + 2) / count - 1) * cov ** 2 + u / (count - 1);
  return square <= 0 ? null : cov / Math.sqrt(square);
}

/** The value below which a share of the chi-square distribution of so many degrees of freedom lies. */
export function chiSquareQuantile(share: number, degrees: number): number {
  let low = 0;
  let high = degrees;
  while (incompleteGamma(high / 2, degrees / 2) < share && high < 1e15) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-14 * high; i += 1) {
    const middle = (low + high) / 2;
    if (incompleteGamma(middle / 2, degrees / 2) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
