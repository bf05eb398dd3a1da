import { assert } from "../errors.js";
import { incompleteBeta } from "./statistics.js";

/** P(T <= t) for Student's t of so many degrees of freedom, a fraction too (DLMF 8.17, with x = df / (df + t^2)). */
export function studentTCdf(t: number, degrees: number): number {
  const beyond = incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
  return t < 0 ? beyond : 1 - beyond;
}

/** The t below which a share of the distribution lies; 0.5 < share < 1. */
export function studentTQuantile(share: number, degrees: number): number {
  assert(share > 0.5 && share < 1 && degrees > 0, `no quantile: ${share} of ${degrees} degrees of freedom`);
  let high = 1;
  while (studentTCdf(high, degrees) < share) high *= 2;
  let low = 0;
  for (let i = 0; i < 100; i += 1) {
    const middle = (low + high) / 2;
    if (studentTCdf(middle, degrees) < share) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Interval of mean(b) - mean(a) at the given confidence, variances unknown and unequal (Welch 1947, degrees of freedom by
 * Satterthwaite). Null with fewer than two values on a side.
 */
export function welchInterval(
  a: readonly number[],
  b: readonly number[],
  confidence = 0.95,
): { readonly low: number; readonly high: number } | null {
  if (a.length < 2 || b.length < 2) return null;
  const [one, other] = [moments(a), moments(b)];
  const difference = other.mean - one.mean;
  const variance = one.ofMean + other.ofMean;
  if (variance === 0) return { low: difference, high: difference };
  const degrees = variance ** 2 / (one.ofMean ** 2 / (a.length - 1) + other.ofMean ** 2 / (b.length - 1));
  const half = studentTQuantile(1 - (1 - confidence) / 2, degrees) * Math.sqrt(variance);
  return { low: difference - half, high: difference + half };
}

/** Mean, and the variance of that mean. */
function moments(values: readonly number[]): { readonly mean: number; readonly ofMean: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, ofMean: squares / (values.length - 1) / values.length };
}
