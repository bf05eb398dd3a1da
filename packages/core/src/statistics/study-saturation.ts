import { type Unknown, unknown } from "./outcome.js";

/** The reference study's rule for a level, and its limits (the methodology page of its cookbook; docs/study.md names it). */
export const STUDY_RULE = {
  /** FAILING under so much success. */
  failingSuccess: 0.95,
  /** SATURATED under so many times the throughput of the level before. */
  saturatedGrowth: 1.05,
  /** DEGRADED over so many times the p99 of the baseline. */
  degradedTimes: 2,
} as const;

export type StudyStatus = "OK" | "DEGRADED" | "SATURATED" | "FAILING";

/** A level's figures as the study takes them; null where nothing ended. */
export interface StudySaturationLevel {
  /** Users asked for: the study's axis, whatever was in flight. */
  readonly asked: number;
  /** Share of requests that succeeded. */
  readonly success: number | null;
  readonly totalTokensPerS: number | null;
  /** 99th percentile, end to end. */
  readonly e2eP99Us: number | null;
}

export type StudyStatusEstimate = { readonly kind: "status"; readonly status: StudyStatus } | Unknown;

export interface StudySaturation {
  /** One for each level, in the order given. */
  readonly levels: readonly StudyStatusEstimate[];
  /**
   * `found`: the last level before the first SATURATED one. It is a label of the study's axis, and no number in flight. `none`: no level
   * was SATURATED.
   */
  readonly point:
    | {
        readonly kind: "found";
        readonly asked: number;
        readonly saturatedAt: number;
        readonly sentence: string;
      }
    | { readonly kind: "none"; readonly upTo: number; readonly sentence: string }
    | Unknown;
}

/**
 * Status of each level by the study's rule, the first that applies: FAILING, SATURATED, DEGRADED, OK. `baselineE2eP99Us` is the study's
 * one-at-a-time baseline, null where it was not measured; left out, it is the level of one user.
 */
export function studySaturation(
  levels: readonly StudySaturationLevel[],
  options: { readonly baselineE2eP99Us?: number | null } = {},
): StudySaturation {
  const own = () => levels.find(({ asked }) => asked === 1)?.e2eP99Us ?? null;
  const baseline = options.baselineE2eP99Us === undefined ? own() : options.baselineE2eP99Us;
  const statuses = levels.map((level, i) => statusOf(level, levels[i - 1], baseline));
  return { levels: statuses, point: pointOf(levels, statuses) };
}

function statusOf(
  level: StudySaturationLevel,
  before: StudySaturationLevel | undefined,
  baseline: number | null,
): StudyStatusEstimate {
  const { success, totalTokensPerS, e2eP99Us } = level;
  if (!known(success)) return unknown(`no request ended at ${level.asked}`);
  if (success < STUDY_RULE.failingSuccess) return { kind: "status", status: "FAILING" };
  if (!known(totalTokensPerS)) return unknown(`no throughput was measured at ${level.asked}`);
  if (before !== undefined) {
    if (!known(before.totalTokensPerS)) {
      return unknown(`the level before, ${before.asked}, has no throughput to compare with`);
    }
    if (totalTokensPerS < STUDY_RULE.saturatedGrowth * before.totalTokensPerS) {
      return { kind: "status", status: "SATURATED" };
    }
  }
  if (!known(e2eP99Us)) return unknown(`no latency was measured at ${level.asked}`);
  if (!known(baseline)) return unknown("without a baseline nothing is DEGRADED or OK");
  return { kind: "status", status: e2eP99Us > STUDY_RULE.degradedTimes * baseline ? "DEGRADED" : "OK" };
}

const known = (value: number | null): value is number => value !== null && Number.isFinite(value);

function pointOf(
  levels: readonly StudySaturationLevel[],
  statuses: readonly StudyStatusEstimate[],
): StudySaturation["point"] {
  const last = levels.at(-1);
  if (last === undefined) return unknown("there are no levels");
  const at = statuses.findIndex((one) => one.kind === "status" && one.status === "SATURATED");
  const [before, saturated] = [levels[at - 1], levels[at]];
  if (before !== undefined && saturated !== undefined) {
    const sentence = `By the study's rule about ${before.asked}: at ${saturated.asked} the throughput is under ${STUDY_RULE.saturatedGrowth} x that at ${before.asked}.`;
    return { kind: "found", asked: before.asked, saturatedAt: saturated.asked, sentence };
  }
  const open = statuses.find(
    (one) => one.kind === "unknown" && levels.length > 1 && isUndecided(one.because),
  );
  if (open?.kind === "unknown") return open;
  return { kind: "none", upTo: last.asked, sentence: `By the study's rule none up to ${last.asked}.` };
}

/** An unknown baseline leaves open what is DEGRADED, not what is SATURATED. */
const isUndecided = (because: string): boolean => !because.startsWith("without a baseline");
