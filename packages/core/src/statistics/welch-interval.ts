import { momentsOf } from "./moments.js";
import { notConfidence, type Unknown, unknown, unusable } from "./outcome.js";
import { studentTBeyond, studentTQuantile } from "./student-t.js";

/** mean(b) - mean(a). `point`: the difference is known and how far it may be off is not. */
export type DifferenceEstimate =
  | {
      readonly kind: "interval";
      readonly difference: number;
      readonly low: number;
      readonly high: number;
      /** By Satterthwaite; a fraction. */
      readonly degrees: number;
      /** Two-sided, of equal means. */
      readonly pValue: number;
      readonly confidence: number;
    }
  | { readonly kind: "point"; readonly difference: number; readonly because: string }
  | Unknown;

const TOO_LARGE = "the values are too large to be reckoned with";

/**
 * Interval of mean(b) - mean(a) of independent repeats, variances unknown and unequal (Welch 1947, degrees of freedom by
 * Satterthwaite). In the values' own unit.
 */
export function welchInterval(
  a: readonly number[],
  b: readonly number[],
  confidence = 0.95,
): DifferenceEstimate {
  const problem = unusable(a, "values of A") ?? unusable(b, "values of B") ?? notConfidence(confidence);
  if (problem !== null) return unknown(problem);
  const [one, other] = [momentsOf(a), momentsOf(b)];
  const difference = other.mean - one.mean;
  if (!Number.isFinite(difference)) return unknown(TOO_LARGE);
  const alone =
    one.count < 2 && other.count < 2 ? "both sides" : one.count < 2 ? "A" : other.count < 2 ? "B" : null;
  if (alone !== null) {
    return {
      kind: "point",
      difference,
      because: `${alone} with one value: nothing is known of the spread there`,
    };
  }
  const [ofA, ofB] = [one.variance / one.count, other.variance / other.count];
  const variance = ofA + ofB;
  if (!Number.isFinite(variance)) return unknown(TOO_LARGE);
  if (variance === 0) {
    return {
      kind: "point",
      difference,
      because: "all values of a side are equal, on both sides: there is no spread",
    };
  }
  // Shares, so that no square of a variance overflows or vanishes.
  const degrees = 1 / ((ofA / variance) ** 2 / (one.count - 1) + (ofB / variance) ** 2 / (other.count - 1));
  const error = Math.sqrt(variance);
  const half = studentTQuantile(1 - (1 - confidence) / 2, degrees) * error;
  if (!Number.isFinite(half)) return unknown(TOO_LARGE);
  const pValue = studentTBeyond(difference / error, degrees);
  return {
    kind: "interval",
    difference,
    low: difference - half,
    high: difference + half,
    degrees,
    pValue,
    confidence,
  };
}
