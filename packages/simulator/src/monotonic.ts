/**
 * The host's CLOCK_MONOTONIC in whole microseconds, equal to `process.hrtime.bigint() / 1000n`: stamps
 * of different processes on one host can be compared.
 */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1000);
}

const ATTEMPTS = 200;

/** One pair of stamps of the same moment; of many attempts the one with the narrowest window. */
export function mapToEpoch(): { readonly monotonicUs: number; readonly epochUs: number } {
  let best = { monotonicUs: 0, epochUs: 0 };
  let bestWindowMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ATTEMPTS; i++) {
    const before = performance.now();
    const stamp = monotonicUs();
    const after = performance.now();
    // A step of the wall clock after the process started is not seen here, which is what a map needs.
    const epochMs = performance.timeOrigin + (before + after) / 2;
    if (after - before >= bestWindowMs) continue;
    bestWindowMs = after - before;
    best = { monotonicUs: stamp, epochUs: Math.round(epochMs * 1000) };
  }
  return best;
}
