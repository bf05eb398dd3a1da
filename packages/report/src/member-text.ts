import type { MemberReport, RunReport, StageReport } from "@tokenstorm/core";
import { printable } from "./columns.js";
import type { Paint } from "./paint.js";
import { type Column, type ColumnGroup, renderTables } from "./table.js";
import { formatCount, formatNumber, formatShare, formatUs, plural } from "./units.js";

type Stages = RunReport["stages"];
type Outlier = NonNullable<StageReport["outliers"]>[number];

/** Outliers that a report names; the rest are in its JSON. */
const MOST_OUTLIERS = 4;
/** Rows of the table of targets, in the order of the plan. */
const MOST_TARGETS = 16;

/** Several targets side by side, of the last level that has them; nothing for one. */
export function renderTargets(
  stages: Stages,
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  const stage = stages.findLast(({ byTarget }) => (byTarget ?? []).length > 1);
  const targets = stage?.byTarget ?? [];
  if (stage === undefined) return [];
  const shown = targets.slice(0, MOST_TARGETS);
  const first: Column = {
    title: `targets, ${printable(stage.name)}`,
    cells: shown.map(({ id }) => printable(id)),
  };
  const column = (title: string, cell: (member: MemberReport) => string): Column => ({
    title,
    cells: shown.map(cell),
  });
  const orDash = (us: number | null) => (us === null ? "-" : formatUs(us));
  const latency = (title: string, name: "ttft" | "itl" | "e2e"): ColumnGroup => ({
    title,
    columns: [
      column("p50", ({ latencyUs }) => orDash(latencyUs[name].p50)),
      column("p99", ({ latencyUs }) => orDash(latencyUs[name].p99)),
    ],
  });
  const groups: ColumnGroup[] = [
    { title: "", columns: [column("requests", ({ offered }) => formatCount(offered))] },
    { title: "", columns: [column("failed", ({ failed }) => formatCount(failed))] },
    { title: "", columns: [column("output tok/s", (member) => formatNumber(member.outputTokensPerS))] },
    latency("TTFT", "ttft"),
    latency("ITL", "itl"),
    latency("E2E", "e2e"),
  ];
  const left = (stage.notApart?.targets ?? 0) + targets.length - shown.length;
  return [
    "",
    ...renderTables(first, groups, options),
    ...(left > 0 ? [`${plural(left, "more target")} in the merged figures alone`] : []),
  ];
}

/** Who differs from the others and in what, a sentence for each member of a level. */
export function outlierTexts(stages: Stages): string[] {
  const texts = stages.flatMap((stage) => {
    const byMember = new Map<string, Outlier[]>();
    for (const outlier of stage.outliers ?? []) {
      const key = `${outlier.of} ${outlier.id}`;
      byMember.set(key, [...(byMember.get(key) ?? []), outlier]);
    }
    return [...byMember].map(([who, outliers]) => {
      const what = outliers.map(outlierText).join(", ");
      return `${printable(stage.name)}: ${printable(who)} stands apart from the others: ${what}`;
    });
  });
  const more = texts.length - MOST_OUTLIERS;
  return more > 0 ? [...texts.slice(0, MOST_OUTLIERS), `and ${formatCount(more)} more`] : texts;
}

function outlierText({ figure, value, others }: Outlier): string {
  if (figure === "failures.share") return `${formatShare(value)} failed (others ${formatShare(others)})`;
  const [metric = "", stat = ""] = figure.split(".");
  return `${metric.toUpperCase()} ${stat} ${formatUs(value)} (others ${formatUs(others)})`;
}

/** How answers ended and how long they were, and when failed requests failed; levels alike share a line. */
export function answerTexts(stages: Stages): string[] {
  return byLevels(stages, (stage) => {
    const said = [finishText(stage), lengthText(stage)].filter((text) => text !== "");
    return said.join("; ");
  });
}

export function failureTimeTexts(stages: Stages): string[] {
  return byLevels(stages, ({ failureLatencyUs }) => {
    const { fromSent } = failureLatencyUs ?? {};
    if (fromSent === undefined || fromSent.p50 === null || fromSent.p99 === null) return "";
    return `${formatUs(fromSent.p50)} after sent at the median, ${formatUs(fromSent.p99)} at p99`;
  });
}

function finishText({ finishReasons }: StageReport): string {
  const reasons = Object.entries(finishReasons ?? {}).sort((a, b) => b[1] - a[1]);
  const all = reasons.reduce((sum, [, count]) => sum + count, 0);
  const [only] = reasons;
  if (only === undefined) return "";
  if (reasons.length === 1) return `all ended by ${printable(only[0])}`;
  return `ended by ${reasons.map(([name, count]) => `${printable(name)} ${formatShare(count / all)}`).join(", ")}`;
}

function lengthText({ outputLength }: StageReport): string {
  if (outputLength === undefined) return "";
  const { min, max, p50, p90, askedMean } = outputLength;
  if (min === null || max === null || p50 === null || p90 === null || askedMean === null) return "";
  const asked = `${formatNumber(askedMean)} asked`;
  if (min === max) return `${plural(min, "token")} each, ${asked}`;
  const [low, high] = [formatCount(min), formatCount(max)];
  return `${low} to ${high} tokens, median ${formatCount(p50)}, p90 ${formatCount(p90)}, ${asked}`;
}

function byLevels(stages: Stages, textOf: (stage: StageReport) => string): string[] {
  const names = new Map<string, string[]>();
  for (const stage of stages) {
    const text = textOf(stage);
    if (text !== "") names.set(text, [...(names.get(text) ?? []), printable(stage.name)]);
  }
  return [...names].map(([text, of]) => `${of.join(", ")}: ${text}`);
}
