import type { ArrivalDistance, RunReport, StageReport, StimulusReport } from "@tokenstorm/core";
import { printable } from "./columns.js";
import { formatCount, formatUs } from "./units.js";

type Open = NonNullable<StimulusReport["open"]>;
type Closed = NonNullable<StimulusReport["closed"]>;

/** What was offered, level by level, beside what was asked; none for a report that does not know. */
export function stimulusTexts(stages: RunReport["stages"]): string[] {
  const texts = stages.flatMap((stage) => {
    const text = stimulusOf(stage);
    return text === null ? [] : [{ name: printable(stage.name), text }];
  });
  // Levels of which the same is to be said share a line.
  const namesByText = new Map<string, string[]>();
  for (const { name, text } of texts) namesByText.set(text, [...(namesByText.get(text) ?? []), name]);
  return [...namesByText].map(([text, names]) => `${names.join(", ")}: ${text}`);
}

/** How far apart agents began; null for one alone, and where nobody said. */
export function skewText(report: RunReport): string | null {
  const { start } = report;
  if (start === null || start === undefined || start.agents < 2) return null;
  return `start skew ${formatUs(start.skewUs)} (at most ${formatUs(start.skewAtMostUs)} with the clocks' errors)`;
}

function stimulusOf({ stimulus }: StageReport): string | null {
  if (stimulus === undefined) return null;
  if (stimulus.open !== null) return openText(stimulus.open);
  return stimulus.closed === null ? null : closedText(stimulus.closed);
}

function openText({ planned, offered, handedOver, arrivalDistance }: Open): string {
  const handed =
    planned === null
      ? `${formatCount(handedOver)} of ${formatCount(offered)} offered arrivals were handed to the client`
      : `${formatCount(handedOver)} of ${formatCount(planned)} planned arrivals were handed to the client`;
  return arrivalDistance === null ? handed : `${handed}, their times ${distanceText(arrivalDistance)}`;
}

function distanceText({ atLeast, atMost }: ArrivalDistance): string {
  if (atMost === 0) return "exactly those of the plan";
  const most = `${upwards(atMost)}% off the plan (Kolmogorov-Smirnov)`;
  return atLeast === atMost ? most : `at most ${most}`;
}

/** Two decimals in per cent, never less than it is. */
function upwards(share: number): string {
  return (Math.ceil(share * 10_000 - 1e-6) / 100).toFixed(2);
}

function closedText({ usersAsked, neverStarted, startedLate }: Closed): string {
  if (neverStarted === null || startedLate === null) return "not every agent said which users sent a request";
  const late = startedLate === 0 ? "" : `, ${formatCount(startedLate)} began only in the measured window`;
  if (neverStarted === 0) return `every user sent a request${late}`;
  return `${formatCount(neverStarted)} of ${formatCount(usersAsked)} users sent no request${late}`;
}
