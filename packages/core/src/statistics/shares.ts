import { assert } from "../errors.js";
import { incompleteBeta } from "./incomplete-beta.js";

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
