import { assert } from "../errors.js";
import { incompleteBeta } from "./incomplete-beta.js";

/** P(T <= t) for Student's t of so many degrees of freedom, a fraction too (DLMF 8.17, with x = df / (df + t^2)). */
export function studentTCdf(t: number, degrees: number): number {
  const beyond = incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
  return t < 0 ? beyond : 1 - beyond;
}

/** P(|T| >= |t|): without the cancellation that 1 - P would have far out. */
export function studentTBeyond(t: number, degrees: number): number {
  return incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
}

/** The t below which a share of the distribution lies; 0.5 < share < 1. */
export function studentTQuantile(share: number, degrees: number): number {
  assert(share > 0.5 && share < 1 && degrees > 0, `no quantile: ${share} of ${degrees} degrees of freedom`);
  // Held as what lies beyond: near a share of 1 that keeps its digits. Its resolution ends the doubling.
  const beyond = 2 * (1 - share);
  let high = 1;
  while (studentTBeyond(high, degrees) > beyond && high < 1e150) high *= 2;
  let low = 0;
  for (let i = 0; i < 200 && high - low > 1e-15 * high; i += 1) {
    const middle = (low + high) / 2;
    if (studentTBeyond(middle, degrees) > beyond) low = middle;
    else high = middle;
  }
  return high;
}
