import {
  type SaturationLevel,
  type StudyStatusEstimate,
  saturationEstimate,
  studySaturation,
} from "../statistics/index.js";
import { knownOf } from "./repeat-figure.js";
import type { StudyLevelReport, StudySaturationReport } from "./study-report.js";

export interface JudgedLevels {
  /** One for each level. */
  readonly statuses: readonly StudyLevelReport["status"][];
  readonly saturation: StudySaturationReport;
}

/**
 * Every level's status and the saturation point by the reference study's rule, from means over the repeats; and our own from
 * what was measured in flight.
 */
export function judgeLevels(levels: readonly StudyLevelReport[], baselineP99Us: number | null): JudgedLevels {
  const byMeasuredInFlight = saturationEstimate(levels.map(measuredLevel));
  if (levels.some(({ users }) => users === null)) {
    const because = "the study's rule is for levels of users, not of arrivals";
    return {
      statuses: levels.map(() => ({ word: null, because })),
      saturation: {
        byStudyRule: {
          level: null,
          users: null,
          measuredInFlight: null,
          sentence: `No saturation point: ${because}.`,
        },
        byMeasuredInFlight,
      },
    };
  }
  const found = studySaturation(
    levels.map(({ users, statistics, successByStudy }) => ({
      asked: users ?? 0,
      success: successByStudy.rate,
      totalTokensPerS: statistics.totalTokensPerS.mean,
      e2eP99Us: statistics.e2eP99Us.mean,
    })),
    { baselineE2eP99Us: baselineP99Us },
  );
  return {
    statuses: levels.map((level, i) =>
      statusText(found.levels[i], { level, before: levels[i - 1], baselineP99Us }),
    ),
    saturation: { byStudyRule: pointOf(levels, found.point), byMeasuredInFlight },
  };
}

/** The status with the figure that it follows from. */
function statusText(
  estimate: StudyStatusEstimate | undefined,
  of: {
    readonly level: StudyLevelReport;
    readonly before: StudyLevelReport | undefined;
    readonly baselineP99Us: number | null;
  },
): StudyLevelReport["status"] {
  if (estimate === undefined) return { word: null, because: "not judged" };
  if (estimate.kind === "unknown") return { word: null, because: estimate.because };
  const { status: word } = estimate;
  const { level, before, baselineP99Us } = of;
  const ratio = (now: number | null | undefined, then: number | null | undefined) =>
    now == null || !then ? "?" : (now / then).toFixed(3);
  switch (word) {
    case "FAILING":
      return { word, because: `${((level.successByStudy.rate ?? 0) * 100).toFixed(2)} % success` };
    case "SATURATED": {
      const growth = ratio(level.statistics.totalTokensPerS.mean, before?.statistics.totalTokensPerS.mean);
      return { word, because: `${growth} x the throughput of ${before?.name ?? "the level before"}` };
    }
    case "DEGRADED":
    case "OK":
      return {
        word,
        because: `its p99 is ${ratio(level.statistics.e2eP99Us.mean, baselineP99Us)} x the baseline's`,
      };
  }
}

function pointOf(
  levels: readonly StudyLevelReport[],
  point: ReturnType<typeof studySaturation>["point"],
): StudySaturationReport["byStudyRule"] {
  if (point.kind !== "found") {
    const sentence =
      point.kind === "none" ? point.sentence : `By the study's rule it cannot be told: ${point.because}.`;
    return { level: null, users: null, measuredInFlight: null, sentence };
  }
  const level = levels.find(({ users }) => users === point.asked);
  const measuredInFlight = level?.statistics.measuredInFlight.mean ?? null;
  const seen =
    measuredInFlight === null
      ? ""
      : ` There ${measuredInFlight.toFixed(1)} requests were in flight on average.`;
  return {
    level: level?.name ?? null,
    users: point.asked,
    measuredInFlight,
    sentence: `${point.sentence}${seen}`,
  };
}

/** A level by what was in flight, whatever it is called; every repeat counts on its own, so that the interval is one over repeats. */
function measuredLevel({ statistics, repeats, success }: StudyLevelReport): SaturationLevel {
  const measured = repeats.flatMap((repeat) => {
    const { totalTokensPerS } = repeat.figures;
    return totalTokensPerS === null ? [] : [{ ...repeat, totalTokensPerS }];
  });
  const known = (values: readonly (number | null)[]) => {
    const found = knownOf(values);
    return found.length === values.length ? found : [];
  };
  return {
    inFlight: statistics.measuredInFlight.mean ?? 0,
    throughput: measured.map(({ totalTokensPerS }) => totalTokensPerS),
    success: success.rate,
    waitingShares: known(measured.map(({ waitingShare }) => waitingShare)),
    serverRunning: known(measured.map(({ serverRunning }) => serverRunning)),
  };
}
