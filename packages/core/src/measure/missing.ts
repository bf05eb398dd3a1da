import type { Aggregate } from "./aggregate.js";

/** How much of a level may be missing at most; Infinity where nobody can say. */
export interface Missing {
  readonly requests: number;
  readonly samples: number;
}

/** Agents that were lost on the way: when each had stopped for sure, run time, us, and whose requests are counted otherwise. */
export interface LostAgents {
  readonly stoppedUs: ReadonlyMap<string, number>;
  readonly counted: ReadonlySet<string>;
}

const NOBODY_LOST: LostAgents = { stoppedUs: new Map(), counted: new Set() };
const NOTHING: Missing = { requests: 0, samples: 0 };
const UNBOUNDED: Missing = { requests: Number.POSITIVE_INFINITY, samples: Number.POSITIVE_INFINITY };

/**
 * What could be missing of a level whose requests lived between two moments of run time. An interval that did not
 * come matters to it when it lies in that time; finals say how much was recorded in all, so what is missing is at most
 * what they have more. An agent without a final may have recorded anything since its last interval, until it had stopped
 * for sure.
 */
export function missingBetween(
  aggregate: Aggregate,
  span: { readonly fromUs: number; readonly toUs: number; readonly intervalUs: number },
  lost: LostAgents = NOBODY_LOST,
): Missing {
  const agents = aggregate.agents();
  const isTouched = agents.some(({ shard, missing, expected, final }) => {
    const stoppedUs = lost.stoppedUs.get(shard.agent) ?? Number.POSITIVE_INFINITY;
    const open = { from: expected + 1, to: Math.ceil(stoppedUs / span.intervalUs) };
    const gaps = final === null && open.to >= open.from ? [...missing, open] : missing;
    // Interval k is [(k - 1) x length, k x length).
    return gaps.some(
      ({ from, to }) => (from - 1) * span.intervalUs < span.toUs && to * span.intervalUs > span.fromUs,
    );
  });
  if (!isTouched) return NOTHING;
  let requests = 0;
  let samples = -aggregate.samplesMerged();
  for (const { due } of aggregate.blocks()) requests -= due.offered;
  for (const { shard, final } of agents) {
    if (final === null) {
      if (!lost.counted.has(shard.agent)) return UNBOUNDED;
      // Of its requests all are counted, as unknown at least; how many tokens they had nobody knows.
      requests += aggregate.offeredBy(shard.agent);
      samples = Number.POSITIVE_INFINITY;
      continue;
    }
    requests += final.ledger.offered;
    samples += final.samplesRecorded;
  }
  return { requests: Math.max(0, requests), samples: Math.max(0, samples) };
}
