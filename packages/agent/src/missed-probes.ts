/** Between two probes. */
export const PROBE_PERIOD_US = 10_000;
/** The thread wakes among others: what is late by less than half a period misses nothing. */
const MISSED_FROM_US = 1.5 * PROBE_PERIOD_US;
/** 80 s of them. */
const MOST_MISSED = 8000;

/**
 * Times at which probes were due between two that were sent, where the thread that sends them stood still as well: what
 * had arrived then would have waited. Without them a stop of the whole process would be one sample among hundreds.
 */
export function missedProbes(beforeUs: number, thenUs: number): number[] {
  const gapUs = thenUs - beforeUs;
  if (gapUs < MISSED_FROM_US) return [];
  const missed = Math.min(MOST_MISSED, Math.round(gapUs / PROBE_PERIOD_US) - 1);
  return Array.from({ length: missed }, (_, i) => beforeUs + (i + 1) * PROBE_PERIOD_US);
}
