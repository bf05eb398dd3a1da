import { assert } from "../errors.js";

/** Coefficients of Lanczos' approximation with g = 7, n = 9 (Godfrey's tables); relative error below 1e-13. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;

function logGamma(z: number): number {
  let sum: number = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += (LANCZOS[i] ?? 0) / (z - 1 + i);
  const t = z + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (z - 0.5) * Math.log(t) - t + Math.log(sum);
}

/**
 * Regularised incomplete beta function I_x(a, b), by the continued fraction of DLMF 8.17.22 (modified Lentz).
 * a, b > 0; 0 <= x <= 1.
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast only below the mean; above it the mirror image is taken.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front =
    Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  return Math.min(1, front * betaFraction(x, a, b));
}

const TINY = 1e-300;
const MAX_TERMS = 100_000;

function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / keptFromZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= MAX_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let factor = 1;
    for (const term of [even, odd]) {
      d = 1 / keptFromZero(1 + term * d);
      c = keptFromZero(1 + term / c);
      value *= d * c;
      factor = d * c;
    }
    if (Math.abs(factor - 1) < 1e-14) return value;
  }
  return value;
}

const keptFromZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value);

/**
 * One-sided lower bound, at the given confidence, of a share of which `successes` of `trials` were seen
 * (Clopper and Pearson 1934): the p at which so many or more successes have probability 1 - confidence.
 * Null without trials.
 */
export function shareLowerBound(successes: number, trials: number, confidence = 0.95): number | null {
  assert(successes >= 0 && successes <= trials, `${successes} successes of ${trials} trials`);
  if (trials === 0) return null;
  if (successes === 0) return 0;
  const alpha = 1 - confidence;
  if (successes === trials) return alpha ** (1 / trials);
  let low = 0;
  let high = successes / trials;
  // P(X >= successes | p) = I_p(successes, trials - successes + 1), which grows with p.
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, successes, trials - successes + 1) < alpha) low = middle;
    else high = middle;
  }
  return low;
}

/** P(X <= k) for X binomial over n trials of probability p. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incompleteBeta(1 - p, n - k, k + 1);
}

/**
 * Ranks (from 1) of the order statistics between which a percentile of the population lies with at least the given
 * confidence, half of the risk on each side (David and Nagaraja, Order Statistics, 7.1). `lower` 0 or `upper` null:
 * no sample of this size bounds it on that side.
 */
export function percentileRankBounds(
  count: number,
  percentile: number,
  confidence = 0.95,
): { readonly lower: number; readonly upper: number | null } {
  const p = percentile / 100;
  const risk = (1 - confidence) / 2;
  // X = how many samples lie at or below the population's percentile; rank r is above it when X < r.
  const lower = lastWhere(count, (rank) => binomialCdf(rank - 1, count, p) <= risk);
  const upper = lastWhere(count, (rank) => binomialCdf(rank - 1, count, p) < 1 - risk) + 1;
  return { lower, upper: upper > count ? null : upper };
}

/** Largest rank in 1..count for which a falling claim holds; 0 when it holds for none. */
function lastWhere(count: number, holds: (rank: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
