import { total } from "./counts.js";
import { fillReasons, neverOffered } from "./fill-reasons.js";
import { type LevelData, WINDOW_RESPONSES } from "./level-data.js";

/** What a reader must know of a level, a phrase each; those that make a result less than valid come first. */
export function levelNotes(level: LevelData): string[] {
  return [
    ...levelTroubles(level),
    ...cutNotes(level),
    ...boundNotes(level),
    ...startNotes(level),
    ...outcomeNotes(level),
  ];
}

/** Why the level cannot stand for a steady state of its size; each continues "level x is". */
export function levelTroubles(level: LevelData): string[] {
  const troubles: string[] = [];
  if (level.isTooShort) troubles.push(`too short: ${shortness(level)}`);
  if (level.isNeverFull && level.windowUs > 0) {
    const { inFlightMean, asked } = level;
    troubles.push(
      `never full, so not steady: ${inFlightMean.toFixed(1)} in flight of ${asked} asked for` +
        because(fillReasons(level)),
    );
  }
  const { dropped, due } = level;
  const unsent = dropped + neverOffered(level);
  if (unsent > 0) {
    troubles.push(
      `not the load that was asked for: ${unsent} of ${due.offered + neverOffered(level)} due requests were never sent` +
        because(fillReasons(level)),
    );
  }
  return troubles;
}

function because(reasons: readonly string[]): string {
  return reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
}

function shortness(level: LevelData): string {
  const { windowUs, medianE2e, due } = level;
  if (windowUs === 0) return "its measured window was never reached";
  if (due.offered > 0 && medianE2e !== null) {
    return (
      `its window of ${duration(windowUs)} is under ${WINDOW_RESPONSES} x its median E2E of ` +
      `${median(level)}; ${enough(level)}`
    );
  }
  const nobody = `no request was due in its window of ${duration(windowUs)}`;
  return medianE2e === null
    ? nobody
    : `${nobody}: those before it took ${median(level)} (median E2E); ${enough(level)}`;
}

function median({ medianE2e }: LevelData): string {
  return `${medianE2e?.isAtLeast === true ? "at least " : ""}${duration(medianE2e?.us ?? 0)}`;
}

/** The duration that would do. */
function enough({ medianE2e }: LevelData): string {
  const us = WINDOW_RESPONSES * (medianE2e?.us ?? 0);
  const rounded = us < 1e6 ? Math.ceil(us / 1e5) * 1e5 : Math.ceil(us / 1e6) * 1e6;
  return `a window of ${medianE2e?.isAtLeast === true ? "at least " : ""}${duration(rounded)} would do`;
}

function cutNotes({ windowUs, plannedUs }: LevelData): string[] {
  if (plannedUs === null || windowUs === 0 || windowUs >= plannedUs) return [];
  return [`only ${duration(windowUs)} of its window of ${duration(plannedUs)} were measured`];
}

function boundNotes({ stage }: LevelData): string[] {
  if (stage.kind !== "users" || stage.bound.kind !== "requests") return [];
  const { requests } = stage.bound;
  const notes = ["bounded by requests: measured whole, its beginning and its end included, and not steady"];
  if (requests < stage.users) {
    notes.push(
      `${stage.users} users share ${requests} requests: no more than ${requests} could ever be in flight, ` +
        `so its figures belong to ${requests} in flight, whatever was asked for`,
    );
  }
  return notes;
}

/** A level that is full but for a few says so too; where it is not, this stands among the reasons. */
function startNotes({ isNeverFull, stimulus: { closed } }: LevelData): string[] {
  if (isNeverFull || closed === null || closed.neverStarted === null || closed.neverStarted === 0) return [];
  return [`${closed.neverStarted} of ${closed.usersAsked} users sent no request in it`];
}

function outcomeNotes({ due }: LevelData): string[] {
  const failed = total(due.failed);
  const dropped = total(due.dropped);
  if (due.offered === 0 || due.completed > 0) return [];
  if (failed > 0) return [`no request completed: ${failed} of ${due.offered} failed`];
  if (dropped > 0) return [`no request completed: ${dropped} of ${due.offered} were dropped`];
  return [`no request completed: all ${due.offered} were cut, cancelled or lost`];
}

function duration(us: number): string {
  if (us < 1e6) return `${Math.round(us / 1000)} ms`;
  return `${Number((us / 1e6).toFixed(us < 1e7 ? 1 : 0))} s`;
}
