/**
 * exp and ln from additions, multiplications and divisions alone. The platform's Math.exp and Math.log may differ in
 * the last bit between engines and processors (fused multiply-add); these give every agent the same bits, and so
 * the same microsecond.
 */

const LN_2 = Math.LN2;
const SQRT_HALF = Math.SQRT1_2;

/** -ln(u) for u in (0, 1]; relative error below 1e-15. For Exp(1) and the polar method. */
export function negativeLn(u: number): number {
  // u = m * 2^-halvings with m in [sqrt(1/2), sqrt(2)); doubling is exact.
  let m = u;
  let doublings = 0;
  while (m < SQRT_HALF) {
    m *= 2;
    doublings += 1;
  }
  // ln(m) = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.1716: the series' next term is below 1e-17.
  const s = (m - 1) / (m + 1);
  const q = s * s;
  let series = 1 / 21;
  series = series * q + 1 / 19;
  series = series * q + 1 / 17;
  series = series * q + 1 / 15;
  series = series * q + 1 / 13;
  series = series * q + 1 / 11;
  series = series * q + 1 / 9;
  series = series * q + 1 / 7;
  series = series * q + 1 / 5;
  series = series * q + 1 / 3;
  series = series * q + 1;
  return doublings * LN_2 - 2 * s * series;
}

const EXP_TERMS = 18;

/** e^x for |x| up to 100; relative error below 1e-14. */
export function exp(x: number): number {
  const twos = Math.round(x / LN_2);
  const rest = x - twos * LN_2;
  // Horner form of the Taylor series; |rest| <= ln(2) / 2.
  let sum = 1;
  for (let n = EXP_TERMS; n >= 1; n -= 1) sum = 1 + (sum * rest) / n;
  for (let i = 0; i < twos; i += 1) sum *= 2;
  for (let i = 0; i > twos; i -= 1) sum /= 2;
  return sum;
}
