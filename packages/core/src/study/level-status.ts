import type { StudyStatus } from "../statistics/index.js";
import type { StudySaturationReport } from "./study-report.js";

/** What the reference study's rule looks at: means over the repeats. */
export interface StatusLevel {
  readonly name: string;
  readonly users: number | null;
  readonly totalTokensPerS: number | null;
  readonly e2eP99Us: number | null;
  readonly successRate: number | null;
  readonly measuredInFlight: number | null;
}

const FAILING_SUCCESS = 0.95;
const SATURATED_GROWTH = 1.05;
const DEGRADED_TIMES = 2;

/**
 * The reference study's status of a level: FAILING under 95 % success, else SATURATED under 1.05 x the throughput of the
 * level before, else DEGRADED with a p99 over 2 x the baseline's, else OK.
 */
export function levelStatus(
  level: StatusLevel,
  { before, baselineP99Us }: { readonly before: StatusLevel | null; readonly baselineP99Us: number | null },
): { word: StudyStatus | null; because: string } {
  const { successRate, totalTokensPerS, e2eP99Us } = level;
  if (successRate === null || totalTokensPerS === null) return { word: null, because: "no request ended" };
  if (successRate < FAILING_SUCCESS) {
    return { word: "FAILING", because: `${(successRate * 100).toFixed(2)} % success, under 95 %` };
  }
  if (before !== null && before.totalTokensPerS !== null) {
    const growth = totalTokensPerS / before.totalTokensPerS;
    if (growth < SATURATED_GROWTH) {
      return {
        word: "SATURATED",
        because: `${growth.toFixed(3)} x the throughput of ${before.name}, under 1.05`,
      };
    }
  }
  if (baselineP99Us === null || e2eP99Us === null) {
    return {
      word: null,
      because: "neither FAILING nor SATURATED; without a baseline nothing is DEGRADED or OK",
    };
  }
  const times = e2eP99Us / baselineP99Us;
  return times > DEGRADED_TIMES
    ? { word: "DEGRADED", because: `its p99 is ${times.toFixed(2)} x the baseline's` }
    : { word: "OK", because: `its p99 is ${times.toFixed(2)} x the baseline's` };
}

/** The last level before the first that is SATURATED. */
export function saturationByRule(
  levels: readonly StatusLevel[],
  words: readonly (StudyStatus | null)[],
): StudySaturationReport["byStudyRule"] {
  const at = words.indexOf("SATURATED");
  const last = levels.at(-1);
  if (at < 1) {
    const upTo = last === undefined ? "there is no level" : `none up to ${last.name}`;
    return { level: null, users: null, measuredInFlight: null, sentence: `By the study's rule: ${upTo}.` };
  }
  const [point, next] = [levels[at - 1], levels[at]];
  const inFlight = point?.measuredInFlight ?? null;
  return {
    level: point?.name ?? null,
    users: point?.users ?? null,
    measuredInFlight: inFlight,
    sentence:
      `By the study's rule throughput stops growing at ${point?.name ?? ""}: ${next?.name ?? ""} has under 1.05 x as much` +
      `${inFlight === null ? "" : `; ${inFlight.toFixed(1)} requests were in flight there on average`}.`,
  };
}
