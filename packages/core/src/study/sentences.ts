import { shareLowerBound } from "../statistics/index.js";
import type {
  StudyConditionReport,
  StudyLevelReport,
  StudySaturationReport,
  StudySuiteReport,
} from "./study-report.js";

/** Under this share of the users asked for a level was not what its label says. */
const FULL_SHARE = 0.95;

/** What must be known before any figure of a study. */
export function studyBasis(of: {
  readonly conditions: readonly StudyConditionReport[];
  readonly suites: readonly StudySuiteReport[];
  readonly runsDone: number;
  readonly runsAsked: number;
}): string[] {
  const { conditions, suites, runsDone, runsAsked } = of;
  const simulated = conditions.filter((one) => one.simulated !== null).map(({ name }) => name);
  const published = suites.flatMap(({ cells }) =>
    cells.flatMap(({ levels }) => levels.flatMap((level) => level.published ?? [])),
  );
  const basis: string[] = [];
  if (runsDone < runsAsked)
    basis.push(`${runsDone} of ${runsAsked} runs are done: the rest is missing below.`);
  if (simulated.length > 0) {
    basis.push(
      `The target of ${simulated.join(", ")} is the simulator: what agrees with published rows shows that client, phases and arithmetic are right on a server whose behaviour is known, and is no evidence about any hardware.`,
    );
  }
  if (published.some(({ mark }) => mark === "calibrated")) {
    basis.push(
      "Rows marked calibrated are those that the simulator's step times were fitted to; predicted are the others.",
    );
  }
  const hasRuns = ({ cells }: StudySuiteReport) => cells.some(({ runs }) => runs.length > 0);
  const scales = suites.filter((suite) => suite.timeScale !== 1 && hasRuns(suite));
  if (scales.length > 0) {
    const told = scales.map(({ name, timeScale }) => `${name} ${timeScale} x`).join(", ");
    basis.push(`Run faster than real (${told}); every rate and time is given in the server's own time.`);
  }
  const marked = suites.flatMap(({ cells }) => cells.flatMap(({ runs }) => runs));
  const bad = marked.filter(({ verdict }) => verdict === "invalid").length;
  if (bad > 0)
    basis.push(
      `${bad} of ${marked.length} runs have the verdict invalid: their figures are shown, and not to be trusted.`,
    );
  return basis;
}

/** What stands out in a suite under one condition. */
export function studySentences(
  levels: readonly StudyLevelReport[],
  { byStudyRule, byMeasuredInFlight }: StudySaturationReport,
): string[] {
  const ours =
    byMeasuredInFlight.kind === "unknown"
      ? `By what was measured in flight it cannot be told: ${byMeasuredInFlight.because}.`
      : `By what was measured in flight: ${byMeasuredInFlight.sentence}`;
  return [
    ...neverInFlight(levels),
    byStudyRule.sentence,
    ...pointOfTheRequests(levels, byStudyRule),
    ours,
    ...pastTheRule(levels, byStudyRule, byMeasuredInFlight.kind === "none"),
    ...successes(levels),
  ];
}

/** Over all levels and repeats, strictly and as the reference study counts. */
function successes(levels: readonly StudyLevelReport[]): string[] {
  const sum = (of: (level: StudyLevelReport) => number) => levels.reduce((so, level) => so + of(level), 0);
  const due = sum(({ success }) => success.due);
  if (due === 0) return [];
  const told = (completed: number) => {
    const least = shareLowerBound(completed, due) ?? 0;
    return `${completed} of ${due} requests (at least ${(Math.floor(least * 1e5) / 1e3).toFixed(3)} %, at 95 %)`;
  };
  const strict = sum(({ success }) => success.completed);
  const loose = sum(({ successByStudy }) => successByStudy.completed);
  const more = loose === strict ? "; by the study's definition the same" : `; by the study's ${told(loose)}`;
  return [`Succeeded, by the strict definition: ${told(strict)}${more}.`];
}

/** Levels with fewer requests than users cannot have been what they are called. */
function neverInFlight(levels: readonly StudyLevelReport[]): string[] {
  const short = levels.filter(
    ({ users, requests }) => users !== null && requests !== null && requests < users,
  );
  if (short.length === 0) return [];
  const names = short.map(({ users }) => users).join(", ");
  const most = Math.max(...short.map(({ requests }) => requests ?? 0));
  const seen = Math.max(0, ...short.flatMap(({ repeats }) => repeats.map(({ maxInFlight }) => maxInFlight)));
  return [
    `The levels asked as ${names} have at most ${most} requests each, so no more could be in flight at once` +
      `${seen > 0 ? ` (at most ${seen} were)` : ""}: whatever differs between them is not concurrency.`,
  ];
}

/** A point past which no level had more requests to send is one of the requests, not of the server. */
function pointOfTheRequests(
  levels: readonly StudyLevelReport[],
  { level }: StudySaturationReport["byStudyRule"],
): string[] {
  const at = levels.findIndex(({ name }) => name === level);
  const [point, ...after] = at < 0 ? [] : levels.slice(at);
  const mostOf = ({ users, requests }: StudyLevelReport) =>
    Math.min(users ?? Number.POSITIVE_INFINITY, requests ?? Number.POSITIVE_INFINITY);
  if (point === undefined || after.length === 0 || !after.every((one) => mostOf(one) <= mostOf(point)))
    return [];
  return [
    `That point is where the requests end: no level past ${point.name} had more than ${mostOf(point)} to have in flight, whatever the server could do.`,
  ];
}

/** Where levels were really held, and throughput went on rising past the point that the rule names. */
function pastTheRule(
  levels: readonly StudyLevelReport[],
  { level, users }: StudySaturationReport["byStudyRule"],
  isStillGrowing: boolean,
): string[] {
  const point = levels.find(({ name }) => name === level);
  const last = levels.at(-1);
  const inFlight = last?.statistics.measuredInFlight.mean ?? null;
  const [then, now] = [point?.statistics.totalTokensPerS.mean, last?.statistics.totalTokensPerS.mean];
  if (last?.users == null || inFlight === null) return [];
  const isHeld = last.requests === null && inFlight >= FULL_SHARE * last.users;
  const held = isHeld
    ? [`At the level asked as ${last.users}, ${inFlight.toFixed(1)} requests were in flight on average.`]
    : [];
  if (point === undefined || point === last || then == null || now == null || users === null) return held;
  const growth = 100 * (now / then - 1);
  if (!isHeld || growth <= 0) return held;
  const rising = isStillGrowing ? ": it went on rising" : "";
  return [...held, `Throughput there is ${growth.toFixed(1)} % above that of ${point.name}${rising}.`];
}
