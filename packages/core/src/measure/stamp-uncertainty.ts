import type { StampUncertainty } from "../run/report.js";
import { PROBE_UNDER_READING, probePercentile } from "./probe-delays.js";

/** An agent is named from here on: so many times what all agents together have. */
const OUTLIER = 2;

/**
 * How far the stamps of a level's measured intervals may be off, at p99: over all agents' self-probes x 1.6. Where an
 * interval has no probe, its event-loop delay stands in, the worst of them; null where nothing was measured.
 * `loopDelays`: of each agent that measured the level, see `Aggregate.loopDelays`. `probes`: buckets, by agent.
 */
export function stampUncertainty(
  loopDelays: ReadonlyMap<string, number | null>,
  probes: ReadonlyMap<string, readonly number[]>,
): StampUncertainty | null {
  if (loopDelays.size === 0) return null;
  const all = uncertaintyOf([...loopDelays.values()], [...probes.values()]);
  const byAgent = [...loopDelays].map(([agent, us]) => ({
    agent,
    us: uncertaintyOf([us], [probes.get(agent) ?? []]).p99Us,
  }));
  const worst = byAgent.toSorted((a, b) => b.us - a.us || (a.agent < b.agent ? -1 : 1))[0];
  return { ...all, worst: worst !== undefined && worst.us > OUTLIER * all.p99Us ? worst : null };
}

function uncertaintyOf(
  loopDelays: readonly (number | null)[],
  probes: readonly (readonly number[])[],
): Omit<StampUncertainty, "worst"> {
  const unprobed = loopDelays.filter((us) => us !== null);
  const probed = Math.round((probePercentile(99, probes) ?? 0) * PROBE_UNDER_READING);
  if (unprobed.length === 0) return { p99Us: probed, source: "self-probe" };
  return { p99Us: Math.max(probed, ...unprobed), source: "event-loop delay" };
}
