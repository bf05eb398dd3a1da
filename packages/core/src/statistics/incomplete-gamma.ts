import { logGamma } from "./incomplete-beta.js";

const TINY = 1e-300;
const MAX_TERMS = 100_000;

/** Regularised lower incomplete gamma function P(a, x), by its series (DLMF 8.11.4) or continued fraction (8.9.2). a > 0, x >= 0. */
export function incompleteGamma(x: number, a: number): number {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) return Math.min(1, front * series(x, a));
  return Math.max(0, 1 - front * fraction(x, a));
}

function series(x: number, a: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n <= MAX_TERMS && term > 1e-16 * sum; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** Modified Lentz. */
function fraction(x: number, a: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let value = d;
  for (let n = 1; n <= MAX_TERMS; n += 1) {
    const term = -n * (n - a);
    b += 2;
    d = term * d + b;
    if (Math.abs(d) < TINY) d = TINY;
    c = b + term / c;
    if (Math.abs(c) < TINY) c = TINY;
    d = 1 / d;
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return value;
}
