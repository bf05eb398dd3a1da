import type { ComparedFigure, ComparedLevel, ComparedName, Comparison, Difference } from "@tokenstorm/core";
import { printable, truncate, wrap } from "./columns.js";
import { type Paint, paint } from "./paint.js";
import { type Column, type ColumnGroup, renderTables } from "./table.js";
import { formatCount, formatNumber, formatShare, formatUs, plural } from "./units.js";

const NARROWEST = 40;
/** Differences that are listed one by one; the tables have all. */
const MOST_LISTED = 12;
/** Of a verdict, on a line each; the run's own report has them whole. */
const MOST_REASONS = 2;
/** Columns of a side's label. */
const LABEL = 3;

export const TITLES: Readonly<Record<ComparedName, string>> = {
  outputTokensPerS: "output tok/s",
  promptTokensPerS: "prompt tok/s",
  requestsPerS: "requests/s",
  inFlight: "in flight, measured",
  success: "success",
  ttftP50Us: "TTFT p50",
  ttftP99Us: "TTFT p99",
  itlP50Us: "ITL p50",
  itlP99Us: "ITL p99",
  tpotP50Us: "TPOT p50",
  tpotP99Us: "TPOT p99",
  e2eP50Us: "E2E p50",
  e2eP99Us: "E2E p99",
};

/** Prompt tokens follow from requests: they are in the JSON alone. */
export const isShown = ({ name }: ComparedFigure): boolean => name !== "promptTokensPerS";

/** A comparison as people read it: conditions first, then each figure level by level. No final newline. */
export function renderComparison(
  comparison: Comparison,
  options: { readonly width: number; readonly colour: boolean },
): string {
  const width = Math.max(NARROWEST, options.width);
  const colours = paint(options.colour);
  const put = (text: string, indent = 2) => wrap(text, { width, indent });
  const labels = comparison.sides.map(({ label }) => label);
  const lines = [
    ...put(headline(comparison), 0).map(colours.bold),
    ...comparison.warnings.flatMap((text) => put(`! ${printable(text)}`).map(colours.yellow)),
    "",
    ...comparison.sides.flatMap((side) => sideLines(side, width, colours)),
    "",
    ...conditionLines(comparison, width, colours),
    "",
    ...findingLines(comparison, width, colours),
    ...figureTables(comparison, { width, paint: colours }),
    ...comparison.levels.flatMap((level) => noteLines(level, width)),
    ...unpairedTexts(comparison).flatMap((text) => put(text)),
    ...spreadTexts(comparison).flatMap((text) => put(text)),
    "",
    ...basisTexts(comparison, labels).flatMap((text) => put(text, 0).map(colours.dim)),
  ];
  return lines
    .filter((line, i) => line !== "" || lines[i - 1] !== "")
    .map((line) => truncate(line, width).trimEnd())
    .join("\n");
}

export function headline({ sides, levels }: Comparison): string {
  const [first, ...others] = sides.map(({ label }) => label);
  const against = others.map((label) => `${label} against ${first}`).join(", ");
  return `${against}: ${plural(levels.length, "level")} in common.`;
}

function sideLines(side: Comparison["sides"][number], width: number, colours: Paint): string[] {
  const { label, runs } = side;
  const worst =
    (["invalid", "degraded"] as const).find((one) => runs.some(({ status }) => status === one)) ?? "valid";
  const colour =
    worst === "valid" ? (same: string) => same : worst === "invalid" ? colours.red : colours.yellow;
  const together = (of: (run: Run) => string): string =>
    [...new Set(runs.map(of))].filter((one) => one !== "").join(" | ");
  const ids = runs.map(({ id }) => printable(id));
  const parts = [
    side.name === undefined ? "" : printable(side.name),
    runs.length === 1 ? `run ${ids[0] ?? ""}` : `${runs.length} runs: ${ids.join(" ")}`,
    together(({ id, name }) => (name === id ? "" : printable(name))),
    together(({ startedAt }) => (startedAt === null ? "never started" : startedAt.replace(/\.\d+Z$/, "Z"))),
    together(({ model }) => (model === null ? "" : `model ${printable(model)}`)),
    together(({ agents }) => plural(agents, "agent")),
    together(({ status }) => status),
  ];
  // The label stands at the edge, what belongs to it beside it.
  const beside = (text: string, head: string) =>
    wrap(text, { width: width - LABEL, indent: 2 }).map(
      (line, at) => (at === 0 ? head.padEnd(LABEL) : " ".repeat(LABEL)) + colour(line),
    );
  const reasons = runs.flatMap(({ id, status, reasons: all }) =>
    status === "valid"
      ? []
      : all.slice(0, MOST_REASONS).map((reason) => `- ${runs.length > 1 ? `${id}: ` : ""}${reason}`),
  );
  return [
    ...beside(parts.filter((part) => part !== "").join(", "), label),
    ...reasons.flatMap((reason) => beside(truncate(printable(reason), width - LABEL), "")),
  ];
}

type Run = Comparison["sides"][number]["runs"][number];

function conditionLines({ conditions, sides }: Comparison, width: number, colours: Paint): string[] {
  if (conditions.length === 0)
    return wrap("Conditions are the same: plan, model, versions, agents.", { width });
  return [
    ...wrap("Conditions that differ:", { width }).map(colours.bold),
    ...conditions.flatMap(({ name, values }) => {
      const parts = values.map((value, i) => `${sides[i]?.label ?? ""} ${printable(value)}`);
      return wrap(`- ${printable(name)}: ${parts.join(", ")}`, { width, indent: 2 });
    }),
  ];
}

/** What the differences come to: a sentence, and those whose interval leaves 0 out, the largest first. */
export function findingsOf({ levels, sides, confidence }: Comparison) {
  const all = levels.flatMap((level) =>
    level.figures
      .filter(isShown)
      .flatMap((figure) =>
        figure.differences.flatMap((difference, i) =>
          difference.kind === "interval"
            ? [{ level, figure, difference, label: sides[i + 1]?.label ?? "" }]
            : [],
        ),
      ),
  );
  const found = all
    .filter(({ difference }) => difference.sign !== "none")
    .sort(
      (a, b) => Math.abs(b.difference.relative?.change ?? 0) - Math.abs(a.difference.relative?.change ?? 0),
    );
  const byChance = `about ${formatNumber(all.length * (1 - confidence))} of ${formatCount(all.length)} would by chance alone`;
  const head =
    all.length === 0
      ? "No difference has an interval."
      : found.length === 0
        ? `No difference shows: all ${formatCount(all.length)} intervals hold 0.`
        : `${formatCount(found.length)} of ${formatCount(all.length)} intervals leave 0 out (${byChance}); the largest:`;
  const listed = found.slice(0, MOST_LISTED).map(({ level, figure, difference, label }) => ({
    text: `${printable(level.name)}: ${TITLES[figure.name]} of ${label} is ${changeText(figure, difference)} (${rangeText(figure, difference)})`,
    figure,
    difference,
  }));
  const rest = found.length - MOST_LISTED;
  return { head, listed, rest: rest > 0 ? `and ${formatCount(rest)} more in the tables` : null };
}

function findingLines(comparison: Comparison, width: number, colours: Paint): string[] {
  const { head, listed, rest } = findingsOf(comparison);
  return [
    ...wrap(head, { width }).map(colours.bold),
    ...listed.flatMap(({ text, figure, difference }) =>
      wrap(`- ${text}`, { width, indent: 2 }).map(colourOf(figure, difference, colours)),
    ),
    ...(rest === null ? [] : [`  ${rest}`]),
    "",
  ];
}

function colourOf(
  { better }: ComparedFigure,
  difference: Difference,
  colours: Paint,
): (text: string) => string {
  if (difference.kind !== "interval" || difference.sign === "none" || better === "neither")
    return (same) => same;
  return (difference.sign === "higher") === (better === "more") ? colours.green : colours.red;
}

/** A table for each figure: a row for each level, a side's value, the change and its interval beside each other. */
function figureTables(
  { levels, sides }: Comparison,
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  if (levels.length === 0) return ["No level is in common."];
  const first: Column = { title: "level", cells: levels.map(({ name }) => printable(name)) };
  const names = levels[0]?.figures.filter(isShown).map(({ name }) => name) ?? [];
  const groups = names.flatMap((name): ColumnGroup[] => {
    const figures = levels.flatMap((level) => level.figures.find((figure) => figure.name === name) ?? []);
    if (figures.every(({ values }) => values.every(({ value }) => value === null || value === 0))) return [];
    const columns = sides.flatMap(({ label }, i): Column[] => {
      const values = {
        title: label,
        cells: figures.map((figure) => valueText(name, figure.values[i]?.value ?? null)),
      };
      if (i === 0) return [values];
      const cells = (text: (figure: ComparedFigure, difference: Difference) => string) =>
        figures.map((figure) => {
          const difference = figure.differences[i - 1];
          if (difference === undefined) return "-";
          return colourOf(figure, difference, options.paint)(text(figure, difference));
        });
      const against = sides.length > 2 ? `${label}-${sides[0]?.label ?? ""}` : "change";
      return [
        values,
        { title: against, cells: cells(changeText) },
        { title: "95% interval", cells: cells(rangeText) },
      ];
    });
    return [{ title: TITLES[name], columns }];
  });
  return renderTables(first, groups, options);
}

export function valueText(name: ComparedName, value: number | null): string {
  if (value === null) return "-";
  if (name === "success") return formatShare(value);
  return name.endsWith("Us") ? formatUs(value) : formatNumber(value);
}

/** In per cent of the first side; of success in points. */
export function changeText({ name }: ComparedFigure, difference: Difference): string {
  if (difference.kind === "unknown") return "?";
  if (name === "success") return points(difference.difference);
  if (difference.kind === "point") return difference.relative === null ? "?" : percent(difference.relative);
  return difference.relative === null ? "?" : percent(difference.relative.change);
}

export function rangeText({ name }: ComparedFigure, difference: Difference): string {
  if (difference.kind !== "interval") return "?";
  if (name === "success") return `${points(difference.low)}..${points(difference.high)}`;
  const { relative } = difference;
  return relative === null ? "?" : `${percent(relative.low)}..${percent(relative.high)}`;
}

const signed = (text: string): string => (text.startsWith("-") ? text : `+${text}`);
function percent(share: number): string {
  const value = 100 * share;
  return `${signed(value.toFixed(Math.abs(value) < 99.95 ? 1 : 0))}%`;
}
const points = (share: number): string => `${signed((100 * share).toFixed(2))}pt`;

function noteLines(level: ComparedLevel, width: number): string[] {
  return level.notes.flatMap(({ side, text }) =>
    wrap(`${printable(level.name)}! ${side}: ${printable(text)}`, { width, indent: 2 }),
  );
}

export function unpairedTexts({ unpaired, sides }: Comparison): string[] {
  return sides.flatMap(({ label }) => {
    const own = unpaired.filter(({ side }) => side === label).map(({ level }) => printable(level));
    return own.length === 0 ? [] : [`Not compared, ${label} has it and not all others: ${own.join(", ")}`];
  });
}

export function spreadTexts({ spread, sides }: Comparison): string[] {
  return spread.map((test, i) => {
    const [first, label] = [sides[0]?.label ?? "", sides[i + 1]?.label ?? ""];
    const head = `Spread of output tok/s between repeats, ${label} against ${first}, all levels together`;
    if (test.kind === "unknown") return `${head}: unknown, ${printable(test.because)}.`;
    const times = test.ratio === null ? "some against none" : `${formatNumber(test.ratio)} x`;
    const verdict = test.pValue < 0.05 ? "it differs" : "no difference shown";
    return `${head}: ${times}, ${verdict} (Brown-Forsythe, p ${test.pValue < 0.001 ? "< 0.001" : `= ${test.pValue.toFixed(3)}`}).`;
  });
}

/** What the intervals mean, and each reason why there is none. */
export function basisTexts(comparison: Comparison, labels: readonly string[]): string[] {
  const reasons = new Map<string, Set<string>>();
  for (const { name, figures } of comparison.levels) {
    for (const figure of figures.filter(isShown)) {
      for (const difference of figure.differences) {
        if (difference.kind === "interval") continue;
        const found = reasons.get(difference.because) ?? new Set();
        reasons.set(difference.because, found.add(`${name} ${TITLES[figure.name]}`));
      }
    }
  }
  const [first] = labels;
  const how =
    comparison.basis === "runs"
      ? `Intervals are of the difference between means of repeats (Welch, 95 %), in per cent of ${first}'s mean.`
      : `One run a side: intervals show how much each varied within its window (rates by ten equal parts, percentiles by order statistics, 95 %), not how much a second run would differ. Repeats (compare A1,A2,A3 B1,B2,B3) show that.`;
  const unknowns = [...reasons].map(([because, where]) => {
    const named = [...where].slice(0, 3).map(printable).join(", ");
    return `? ${printable(because)}: ${named}${where.size > 3 ? ` and ${where.size - 3} more` : ""}`;
  });
  return [...unknowns, how];
}
