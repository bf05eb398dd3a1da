import type { StampUncertainty } from "../run/report.js";
import type { IntervalVitals } from "./aggregate.js";
import { PROBE_UNDER_READING, probePercentile } from "./probe-delays.js";

/** An agent is named from here on: so many times what all agents together have. */
const OUTLIER = 2;

/**
 * How far the stamps of a level's measured intervals may be off, at p99: over all agents' self-probes x 1.6. Where an
 * interval has no probe, its event-loop delay stands in, the worst of them; null where nothing was measured.
 */
export function stampUncertainty(
  stage: number,
  intervals: readonly IntervalVitals[],
  probes: ReadonlyMap<string, readonly number[]>,
): StampUncertainty | null {
  const own = intervals.filter(({ measuredStages }) => measuredStages.includes(stage));
  if (own.length === 0) return null;
  const all = uncertaintyOf(own, [...probes.values()]);
  const intervalsOf = new Map<string, IntervalVitals[]>();
  for (const one of own) {
    const ones = intervalsOf.get(one.agent);
    if (ones === undefined) intervalsOf.set(one.agent, [one]);
    else ones.push(one);
  }
  const byAgent = [...intervalsOf].map(([agent, ones]) => ({
    agent,
    us: uncertaintyOf(ones, [probes.get(agent) ?? []]).p99Us,
  }));
  const worst = byAgent.toSorted((a, b) => b.us - a.us || (a.agent < b.agent ? -1 : 1))[0];
  return { ...all, worst: worst !== undefined && worst.us > OUTLIER * all.p99Us ? worst : null };
}

function uncertaintyOf(
  intervals: readonly IntervalVitals[],
  probes: readonly (readonly number[])[],
): Omit<StampUncertainty, "worst"> {
  let loopDelayUs: number | null = null;
  for (const { vitals } of intervals) {
    if (vitals.selfProbe === undefined) loopDelayUs = Math.max(loopDelayUs ?? 0, vitals.loopDelayP99Us);
  }
  const probed = Math.round((probePercentile(99, probes) ?? 0) * PROBE_UNDER_READING);
  if (loopDelayUs === null) return { p99Us: probed, source: "self-probe" };
  return { p99Us: Math.max(probed, loopDelayUs), source: "event-loop delay" };
}
