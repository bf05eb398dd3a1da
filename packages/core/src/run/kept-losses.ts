import type { Loss } from "./run-record.js";

/** Losses of one agent that the record names one by one. */
export const MOST_LOSSES_OF_ONE = 4;

/**
 * What the record keeps of losses, in their order: an agent that is lost and found again and again has its earliest ones told as
 * one, from the first silence to the last return, with how many they were. So the record has a bound, however long a run is.
 */
export function keptLosses(losses: readonly Loss[]): readonly Loss[] {
  const kept: Loss[] = [];
  const left = new Map<string, number>();
  for (const { agent } of losses) left.set(agent, (left.get(agent) ?? 0) + 1);
  for (const loss of losses) {
    const place = kept.findIndex(({ agent }) => agent === loss.agent);
    const before = kept[place];
    const more = left.get(loss.agent) ?? 0;
    if (before !== undefined && more >= MOST_LOSSES_OF_ONE) kept[place] = asOne(before, loss);
    else kept.push(loss);
    left.set(loss.agent, more - 1);
  }
  return kept;
}

function asOne(earlier: Loss, later: Loss): Loss {
  return { ...earlier, foundUs: later.foundUs, times: (earlier.times ?? 1) + (later.times ?? 1) };
}
