import { STUDY_RULE } from "../../statistics/study-saturation.js";
import { total } from "../counts.js";
import { type DefinedValue, type FigureOf, unknown, value } from "./definitions.js";
import { ratePerS, type WholeLevel } from "./whole-level.js";

/** A level with those that its status is judged against. */
export interface StudyLevel extends WholeLevel {
  readonly before: WholeLevel | null;
  /** The level of one user; null without one. */
  readonly baseline: WholeLevel | null;
}

/** Each level with the one before it and the baseline. */
export function studyLevels(levels: readonly WholeLevel[]): StudyLevel[] {
  const baseline = levels.find(({ users }) => users === 1) ?? null;
  return levels.map((level, i) => ({ ...level, before: levels[i - 1] ?? null, baseline }));
}

const ended = ({ due }: WholeLevel) => due.completed + total(due.failed);
const successOf = (level: WholeLevel) => (ended(level) === 0 ? null : level.due.completed / ended(level));
const p99Of = (level: WholeLevel) => level.histogram("e2e").percentile(99);
const totalRate = (level: WholeLevel) => ratePerS(level.due.promptTokens + level.due.outputTokens, level);

/** Figures of the study's tables (docs/measuring.md names it). */
export const STUDY_FIGURES: readonly FigureOf<StudyLevel>[] = [
  {
    name: "concurrency",
    unit: "users",
    how: "users asked for",
    differs:
      "there it was a limit, and no more than the requests of the level were ever in flight; here it is held",
    of: ({ users }) => value(users, "an open load asks for a rate, not for users"),
  },
  {
    name: "requests",
    unit: "requests",
    how: "completed and failed requests due in the level, ramp included",
    differs: "there a fixed number per level",
    of: (level) => ({ kind: "value", value: ended(level) }),
  },
  {
    name: "total_tok_s",
    unit: "tokens/s",
    how: "(prompt + output tokens of completed requests, by usage) / (level's start to its last end)",
    differs:
      "prompt tokens from the prefix cache count as any other; the last end is known to one interval, in a level bounded by requests exactly",
    of: totalRate,
  },
  {
    name: "output_tok_s",
    unit: "tokens/s",
    how: "output tokens of completed requests / the same time",
    differs: null,
    of: (level) => ratePerS(level.due.outputTokens, level),
  },
  {
    name: "p99_s",
    unit: "s",
    how: "99th percentile of E2E from sent, completed requests, to 3 digits",
    differs: "how theirs interpolates is not published",
    of: (level) => {
      const us = p99Of(level);
      return value(us === null ? null : us / 1e6, "no request completed");
    },
  },
  {
    name: "success",
    unit: "share",
    how: "completed / (completed + failed)",
    differs:
      "there a status of 200 with a body of the right shape was enough; here length and finish are looked at too",
    of: (level) => value(successOf(level), "no request ended"),
  },
  {
    name: "status",
    unit: "",
    how:
      "FAILING under 95 % success, else SATURATED under 1.05 x the total_tok_s of the level before, " +
      "else DEGRADED over 2 x the p99 of the level of one user, else OK",
    differs: "their baseline had answers of another length than the levels judged against it",
    of: statusOf,
  },
];

function statusOf(level: StudyLevel): DefinedValue {
  const success = successOf(level);
  if (success === null) return unknown("no request ended");
  if (success < STUDY_RULE.failingSuccess) return { kind: "word", word: "FAILING" };
  const isSaturated = saturation(level);
  if (isSaturated === null)
    return unknown("the bounds of total_tok_s leave open whether it grew by 1.05 over the level before");
  if (isSaturated) return { kind: "word", word: "SATURATED" };
  const [p99, base] = [p99Of(level), level.baseline === null ? null : p99Of(level.baseline)];
  if (p99 === null || base === null)
    return unknown("neither FAILING nor SATURATED; without a level of one user nothing is DEGRADED or OK");
  return { kind: "word", word: p99 > STUDY_RULE.degradedTimes * base ? "DEGRADED" : "OK" };
}

/** Null where the bounds of both rates allow either. */
function saturation(level: StudyLevel): boolean | null {
  if (level.before === null) return false;
  const [now, before] = [totalRate(level), totalRate(level.before)];
  if (now.kind !== "between" || before.kind !== "between") return false;
  if (now.atMost < STUDY_RULE.saturatedGrowth * before.atLeast) return true;
  return now.atLeast >= STUDY_RULE.saturatedGrowth * before.atMost ? false : null;
}

export const STUDY_BASIS: readonly string[] = [
  "Each level stands for one of the study's: all requests due in it, ramp included, followed to their end.",
  "Its concurrency was a limit over a fixed number of requests (100 in most tables), so a level here can be equal to one of its levels only where that many were in flight.",
];

export const STUDY_NOT: readonly { readonly name: string; readonly why: string }[] = [
  { name: "mean, 95 % interval and CoV", why: "they are of five runs; this is one" },
  { name: "image tokens apart", why: "the study does not tell them apart, nor does the server's usage" },
];
