import type { DueCounts, FlowCounts, Ledger } from "./snapshot.js";

export function emptyFlow(): FlowCounts {
  return {
    durationUs: 0,
    inFlightUs: 0,
    inFlightMin: 0,
    inFlightMax: 0,
    sent: 0,
    ended: 0,
    completed: 0,
    outputTokens: 0,
    promptTokens: 0,
    arrivals: 0,
    events: 0,
    coalesced: 0,
  };
}

export function emptyDue(): DueCounts {
  return {
    offered: 0,
    sent: 0,
    unsent: 0,
    completed: 0,
    failed: {},
    finish: {},
    cancelled: 0,
    dropped: {},
    unknown: 0,
    censored: 0,
    staleRetries: 0,
    promptTokens: 0,
    cachedPromptTokens: 0,
    outputTokens: 0,
    partialOutputTokens: 0,
    tokenSource: {},
    good: 0,
    askedPromptTokens: 0,
    askedOutputTokens: 0,
    promptsOfUnknownLength: 0,
  };
}

export function emptyLedger(): Ledger {
  return {
    offered: 0,
    sent: 0,
    unsent: 0,
    dropped: 0,
    waiting: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    unknown: 0,
    inFlight: 0,
  };
}

/** Adds to a count by reason, source or name. */
export function addTo<Name extends string>(
  counts: Partial<Record<Name, number>>,
  name: Name,
  by: number,
): void {
  counts[name] = (counts[name] ?? 0) + by;
}

/** Sum over all names. */
export function total(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
