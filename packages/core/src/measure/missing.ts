import type { Aggregate } from "./aggregate.js";

/** How much of a level may be missing at most; Infinity where nobody can say. */
export interface Missing {
  readonly requests: number;
  readonly samples: number;
}

const NOTHING: Missing = { requests: 0, samples: 0 };
const UNBOUNDED: Missing = { requests: Number.POSITIVE_INFINITY, samples: Number.POSITIVE_INFINITY };

/**
 * What could be missing of a level whose requests lived between two moments of run time. An interval that did not
 * come matters to it when it lies in that time; finals say how much was recorded in all, so what is missing is at most
 * what they have more. An agent without a final may have recorded anything since its last interval.
 */
export function missingBetween(
  aggregate: Aggregate,
  span: { readonly fromUs: number; readonly toUs: number; readonly intervalUs: number },
): Missing {
  const agents = aggregate.agents();
  const isTouched = agents.some(({ missing, expected, final }) => {
    const gaps =
      final === null ? [...missing, { from: expected + 1, to: Number.POSITIVE_INFINITY }] : missing;
    // Interval k is [(k - 1) x length, k x length).
    return gaps.some(
      ({ from, to }) => (from - 1) * span.intervalUs < span.toUs && to * span.intervalUs > span.fromUs,
    );
  });
  if (!isTouched) return NOTHING;
  let requests = 0;
  let samples = -aggregate.samplesMerged();
  for (const { due } of aggregate.blocks()) requests -= due.offered;
  for (const { final } of agents) {
    if (final === null) return UNBOUNDED;
    requests += final.ledger.offered;
    samples += final.samplesRecorded;
  }
  return { requests: Math.max(0, requests), samples: Math.max(0, samples) };
}
