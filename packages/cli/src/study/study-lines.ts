import {
  type Cost,
  formatDurationMs,
  type RunReport,
  type StudyRun,
  type StudyStep,
  type StudySuiteCost,
} from "@tokenstorm/core";
import { formatNumber, plural, printable } from "@tokenstorm/report";
import { hookText } from "./hook-process.js";

/** A step as it is told before it is taken. */
export function startLine(step: StudyStep, { number, total }: { number: number; total: number }): string {
  switch (step.kind) {
    case "switch":
      return `- ${stepText(step)}`;
    case "health":
      return `- ${stepText(step)}`;
    case "warm-up":
      return `- ${stepText(step)}`;
    case "run":
      return `[${number}/${total}] ${stepText(step)}`;
  }
}

/** One step of a schedule, for people. */
export function stepText(step: StudyStep): string {
  switch (step.kind) {
    case "switch": {
      if (step.how === "manual") return `a person switches the server to ${step.condition}`;
      const commands = [step.switch, step.serve].flatMap((words) =>
        words === null ? [] : [hookText(words)],
      );
      return `switch to ${step.condition}: ${commands.join("; ")}`;
    }
    case "health":
      return step.waitMs === 0
        ? `${printable(step.url)} is not asked`
        : `${printable(step.url)} must be healthy, within ${formatDurationMs(step.waitMs)}`;
    case "warm-up":
      return `warm-up of ${step.run.condition}`;
    case "run": {
      const { suite, condition, repeat, repeats, timeScale } = step.run;
      const scale = timeScale === 1 ? "" : `, ${timeScale} x faster than real`;
      return `${suite}, ${condition}, repeat ${repeat} of ${repeats}${scale}`;
    }
  }
}

/** A run that is over, in a line. */
export function runLine(run: StudyRun, { verdict, stages }: RunReport): string {
  const best = stages.reduce(
    (most, { rates }) => Math.max(most, rates.promptTokensPerS + rates.outputTokensPerS),
    0,
  );
  const why = verdict.reasons[0] === undefined ? "" : `: ${printable(verdict.reasons[0])}`;
  return `    ${verdict.status}; at most ${formatNumber(best / run.timeScale)} tok/s (prompt and output)${why}`;
}

/** The schedule with its cost, before anything is done. */
export function scheduleLines(
  steps: readonly StudyStep[],
  cost: { readonly total: Cost; readonly bySuite: readonly StudySuiteCost[] },
  { all }: { readonly all: boolean },
): string[] {
  const runs = steps.filter(({ kind }) => kind === "run").length;
  const switches = steps.filter(({ kind }) => kind === "switch").length;
  const listed = all || steps.length <= MOST_LISTED ? steps : steps.slice(0, MOST_LISTED);
  return [
    `${plural(runs, "run")}, ${plural(switches, "switch").replace("switchs", "switches")} of the server: ${costText(cost.total)}`,
    ...cost.bySuite.map(
      ({ suite, runs: own, cost: of }) => `  ${suite}: ${plural(own, "run")}, ${costText(of)}`,
    ),
    ...cost.total.unknown.map((what) => `  not known, and not in it: ${what}`),
    ...listed.map((step, i) => `  ${String(i + 1).padStart(4)}. ${stepText(step)}`),
    ...(listed.length < steps.length
      ? [`  ... and ${steps.length - listed.length} more; --dry-run lists all`]
      : []),
  ];
}

const MOST_LISTED = 20;

/** `about 1.52 h (0.91 to 3.20 h)`. */
export function costText({ aboutMs, atLeastMs, atMostMs, unknown }: Cost): string {
  const most = Number.isFinite(atMostMs) ? `at most ${hours(atMostMs)}` : "no limit: a person is waited for";
  return `${unknown.length > 0 ? "more than " : "about "}${hours(aboutMs)} (at least ${hours(atLeastMs)}, ${most})`;
}

function hours(ms: number): string {
  const value = ms / 3_600_000;
  return `${value < 1 ? value.toFixed(2) : value.toFixed(1)} h`;
}
