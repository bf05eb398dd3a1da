import { partingUs } from "./clock-offset.js";

/** One comparison of an agent's clock with its leader's in the course of a run. */
export interface ClockReading {
  readonly agent: string;
  /** Run time by the leader's clock, us; negative before the start. */
  readonly runUs: number;
  /** What must be added to the leader's clock to get the agent's, us. */
  readonly offsetUs: number;
  readonly errorUs: number;
}

/** Between two comparisons the clocks have parted by more than clocks do: one of them was stopped, or set. */
export interface ClockJump {
  readonly fromUs: number;
  readonly toUs: number;
  /** By how much the agent's clock came to be ahead of the leader's, us. */
  readonly byUs: number;
}

/** An agent's clock beside the clock of the leader of one term. Another leader's clock is another reference. */
export interface ClockTrack {
  readonly agent: string;
  readonly term: number;
  readonly comparisons: number;
  readonly first: ClockReading;
  readonly last: ClockReading;
  /** The first of them. */
  readonly jumps: readonly ClockJump[];
}

/** By how much faster an agent's clock runs than its leader's, and how far that may be wrong, parts per million. */
export interface ClockDrift {
  readonly ppm: number;
  readonly errorPpm: number;
}

const MOST_JUMPS = 10;
/** A clock shows whole microseconds: the difference of two is wrong by up to one. */
const READING_US = 1;
/** An estimate that is no better than this tells nothing: no host's clock is that bad. */
const USELESS_PPM = 1000;
const DIGITS = 1000;

/** What the comparisons of each leader say of each agent, by term and agent. `noted`: in any order. */
export function clockTracks(
  noted: readonly { readonly term: number; readonly clocks: readonly ClockReading[] }[],
): ClockTrack[] {
  const readings = noted
    .flatMap(({ term, clocks }) => clocks.map((reading) => ({ term, reading })))
    .sort((a, b) => a.term - b.term || a.reading.runUs - b.reading.runUs);
  const tracks = new Map<string, ClockTrack>();
  for (const { term, reading } of readings) {
    const key = `${term} ${reading.agent}`;
    tracks.set(key, continued(tracks.get(key), term, reading));
  }
  return [...tracks.values()].sort((a, b) => a.term - b.term || (a.agent < b.agent ? -1 : 1));
}

function continued(track: ClockTrack | undefined, term: number, reading: ClockReading): ClockTrack {
  const { agent } = reading;
  if (track === undefined) return { agent, term, comparisons: 1, first: reading, last: reading, jumps: [] };
  const jump = jumpBetween(track.last, reading);
  const jumps = jump === null || track.jumps.length >= MOST_JUMPS ? track.jumps : [...track.jumps, jump];
  return { ...track, comparisons: track.comparisons + 1, last: reading, jumps };
}

function jumpBetween(before: ClockReading, after: ClockReading): ClockJump | null {
  const byUs = after.offsetUs - before.offsetUs;
  const explainedUs = readingErrorUs(before) + readingErrorUs(after) + partingUs(after.runUs - before.runUs);
  return Math.abs(byUs) > explainedUs ? { fromUs: before.runUs, toUs: after.runUs, byUs } : null;
}

/** How far the offset of a comparison may be wrong, us. */
export function readingErrorUs(reading: ClockReading): number {
  return reading.errorUs + READING_US;
}

/**
 * The slope between the first and the last comparison. Each offset is known within its error, so the slope is within their sum
 * by the time between them. Null where that is too short for the errors, and where the clock jumped in between.
 */
export function driftOf({
  first,
  last,
  jumps,
}: Pick<ClockTrack, "first" | "last" | "jumps">): ClockDrift | null {
  const spanUs = last.runUs - first.runUs;
  if (spanUs <= 0 || jumps.length > 0) return null;
  const ppm = Math.round(((last.offsetUs - first.offsetUs) / spanUs) * 1e6 * DIGITS) / DIGITS;
  const roundedBy = 0.5 / DIGITS;
  const boundPpm = ((readingErrorUs(first) + readingErrorUs(last)) / spanUs) * 1e6 + roundedBy;
  const errorPpm = Math.ceil(boundPpm * DIGITS) / DIGITS;
  return errorPpm > USELESS_PPM ? null : { ppm, errorPpm };
}
