/** Between two probes. */
export const PROBE_PERIOD_US = 20_000;
/** A thread that was to wake wakes within a fraction of a millisecond, unless something keeps it from running. */
const LATE_US = 3000;
/** 80 s of them. */
const MOST_MISSED = 4000;

/**
 * Times at which probes were due between two that were sent, where the thread that sends them stood still as well: what
 * had arrived then would have waited. Without them a stop of the whole process would be one sample among many, or none.
 */
export function missedProbes(beforeUs: number, thenUs: number): number[] {
  const gapUs = thenUs - beforeUs - LATE_US;
  const missed = Math.min(MOST_MISSED, Math.max(0, Math.ceil(gapUs / PROBE_PERIOD_US) - 1));
  return Array.from({ length: missed }, (_, i) => beforeUs + (i + 1) * PROBE_PERIOD_US);
}
