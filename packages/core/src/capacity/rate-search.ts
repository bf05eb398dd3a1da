import type { ReaderCapacity } from "./capacity.js";
import type { LevelOutcome } from "./judge-level.js";

/** A level that was tried, as far as the search is concerned. */
export interface Trial {
  readonly askedEventsPerS: number;
  readonly eventsPerS: number;
  readonly outcome: LevelOutcome;
  readonly isClientClean: boolean;
}

/** Rates that are tried, events/s, rising; and the one to begin with. */
export interface RateLadder {
  readonly rates: readonly number[];
  readonly firstEventsPerS: number;
}

/** Levels in a row that end the climb: one may be the host's doing. */
const UNCLEAN_IN_A_ROW = 2;
/** A gap between clean and unclean that is no wider than this is not looked into. */
const NARROW_GAP = 1.25;
const ROUND_TO = 500;

/**
 * The rate to try next; null when the search is over. From the first rate downwards until one is clean, then upwards
 * until two in a row are not, then between the two sides until they are near each other. The highest clean rate counts, whatever was below it.
 */
export function nextRate({ rates, firstEventsPerS }: RateLadder, trials: readonly Trial[]): number | null {
  const tried = new Set(trials.map((trial) => trial.askedEventsPerS));
  const untried = rates.filter((rate) => !tried.has(rate));
  if (trials.length === 0) return rates.find((rate) => rate >= firstEventsPerS) ?? rates.at(-1) ?? null;
  const best = bestClean(trials);
  const lowest = Math.min(...tried);
  if (best === 0) {
    const lower = untried.findLast((rate) => rate < lowest);
    if (lower !== undefined) return lower;
  }
  const above = trials.filter((trial) => trial.askedEventsPerS > best);
  const higher = untried.find((rate) => rate > best);
  if (above.length < UNCLEAN_IN_A_ROW && higher !== undefined) return higher;
  return best === 0 ? null : between(best, above);
}

/**
 * The highest rate that was carried. At least that where nothing above it showed the client unclean: the server was the
 * limit, the highest rate was clean, or the time was up.
 */
export function carriedRate(trials: readonly Trial[]): ReaderCapacity {
  const best = Math.max(
    bestClean(trials),
    // A server that was late is a harder one: what was read clean of it was read clean.
    ...trials
      .filter((trial) => trial.outcome === "server-limited" && trial.isClientClean)
      .map((trial) => Math.floor(Math.min(trial.askedEventsPerS, trial.eventsPerS))),
  );
  const isAtLeast = !trials.some((trial) => trial.outcome === "unclean" && trial.askedEventsPerS > best);
  return { eventsPerS: best, isAtLeast };
}

/** The lowest of several: what a process carries whatever the number of its streams. */
export function lowestCapacity(found: readonly ReaderCapacity[]): ReaderCapacity {
  return found.reduce((low, one) => (isLower(one, low) ? one : low));
}

/** Of two equal ones, the one that is known to be the limit. */
function isLower(one: ReaderCapacity, other: ReaderCapacity): boolean {
  if (one.eventsPerS !== other.eventsPerS) return one.eventsPerS < other.eventsPerS;
  return other.isAtLeast && !one.isAtLeast;
}

function bestClean(trials: readonly Trial[]): number {
  return Math.max(
    0,
    ...trials.filter(({ outcome }) => outcome === "clean").map((trial) => trial.askedEventsPerS),
  );
}

function between(best: number, above: readonly Trial[]): number | null {
  const next = Math.min(...above.map((trial) => trial.askedEventsPerS));
  if (!Number.isFinite(next) || next <= best * NARROW_GAP) return null;
  const middle = Math.round(Math.sqrt(best * next) / ROUND_TO) * ROUND_TO;
  return middle > best && middle < next ? middle : null;
}
