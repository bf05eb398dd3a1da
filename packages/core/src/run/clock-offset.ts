import { assert } from "../errors.js";

/** One exchange: t0 and t3 on the leader's monotonic clock, t1 and t2 on the agent's, us. */
export interface ClockExchange {
  readonly t0: number;
  readonly t1: number;
  readonly t2: number;
  readonly t3: number;
}

/** What must be added to the leader's clock to get the agent's, and how far that may be wrong, us. */
export interface ClockOffset {
  readonly offsetUs: number;
  readonly errorUs: number;
  readonly rttUs: number;
}

/** An offset, and when it held by the leader's clock, us. */
export interface ClockComparison extends ClockOffset {
  readonly atUs: number;
}

/**
 * Two hosts' monotonic clocks part by no more, however badly they are kept: Linux slews one by 500 ppm at most
 * (MAXFREQ, adjtimex(2)).
 */
export const CLOCKS_PART_PPM = 1000;

/** By how much two clocks may part within this time, us. */
export function partingUs(spanUs: number): number {
  return (Math.abs(spanUs) * CLOCKS_PART_PPM) / 1e6;
}

/**
 * Offset of an agent's clock, from the quarter of the exchanges with the shortest round trip. Each says that the offset
 * lies within rtt/2 of ((t1 - t0) + (t2 - t3)) / 2 (RFC 5905, section 8); what all of them allow is where it is
 * (Marzullo's intersection), never further off than half the shortest round trip. Where they contradict each other,
 * because a clock drifted, the shortest round trip alone decides. It holds for the middle of these exchanges; by what clocks
 * may part on the way there the error is wider.
 */
export function estimateOffset(exchanges: readonly ClockExchange[]): ClockComparison {
  assert(exchanges.length > 0, "no clock exchange to estimate from");
  const bounds = exchanges
    .map(boundsOf)
    .sort((a, b) => a.rttUs - b.rttUs)
    .slice(0, Math.ceil(exchanges.length / 4));
  const rttUs = bounds[0]?.rttUs ?? 0;
  const least = Math.max(...bounds.map((bound) => bound.leastUs));
  const most = Math.min(...bounds.map((bound) => bound.mostUs));
  const [shortest] = bounds;
  const [from, to] =
    least <= most || shortest === undefined ? [least, most] : [shortest.leastUs, shortest.mostUs];
  const beganUs = Math.min(...bounds.map(({ t0 }) => t0));
  const endedUs = Math.max(...bounds.map(({ t3 }) => t3));
  return {
    offsetUs: Math.round((from + to) / 2),
    errorUs: Math.ceil((to - from) / 2 + partingUs(endedUs - beganUs) / 2),
    rttUs,
    atUs: Math.round((beganUs + endedUs) / 2),
  };
}

/** The agent's clock showed t1 not before t0, and t2 not after t3. */
function boundsOf({ t0, t1, t2, t3 }: ClockExchange) {
  return { t0, t3, rttUs: t3 - t0 - (t2 - t1), leastUs: t2 - t3, mostUs: t1 - t0 };
}
