import type { ComparedFigure, ComparedName, Difference } from "@tokenstorm/core";
import { type ComparisonData, formatCount, formatNumber, formatUs, plural } from "@tokenstorm/report/page";
import { chart } from "./chart/figure.js";
import type { ChartSpec, Mark, Series } from "./chart/spec.js";
import { type Child, h } from "./dom.js";
import { charts, list, pageFrame, type Section } from "./page-frame.js";
import { sideCurves } from "./sections/side-curves.js";
import { table } from "./table.js";
import { axisNumber, axisUs, orDash } from "./words.js";

/** Runs beside each other: what differed in the asking, then every difference with its interval, then all overlaid. */
export function comparisonPage(data: ComparisonData): HTMLElement[] {
  const { comparison } = data;
  return pageFrame({
    title: data.headline,
    line: h(
      "p",
      { class: "run-line" },
      `${plural(comparison.sides.length, "side")}, basis: ${comparison.basis}`,
    ),
    first: sidesBox(data),
    sections: sectionsOf(data),
  });
}

const RANK = { valid: 0, degraded: 1, invalid: 2 } as const;

function sidesBox({ comparison }: ComparisonData): HTMLElement {
  const statuses = comparison.sides.flatMap(({ runs }) => runs.map(({ status }) => status));
  const worst = statuses.reduce((a, b) => (RANK[b] > RANK[a] ? b : a), "valid");
  return h(
    "section",
    { class: `verdict ${worst}`, id: "verdict", "aria-labelledby": "verdict-title" },
    h("h2", { id: "verdict-title" }, worst === "valid" ? "✓ All valid" : `! Worst: ${worst}`),
    h(
      "div",
      {},
      list([...new Set(comparison.warnings)], "reasons warnings"),
      comparison.sides.map(({ label, runs }) => [
        h("p", { class: "side" }, h("strong", {}, label), ` ${runs.map(sideText).join(" | ")}`),
        list(
          [...new Set(runs.flatMap(({ id, reasons }) => reasons.map((reason) => `${id}: ${reason}`)))],
          "reasons",
        ),
      ]),
    ),
  );
}

function sideText(run: ComparisonData["comparison"]["sides"][number]["runs"][number]): string {
  const { id, name, startedAt, model, agents, status } = run;
  return [
    `run ${id}${name === "" || name === id ? "" : ` (${name})`}`,
    startedAt === null ? "never started" : startedAt.replace(/\.\d+Z$/, "Z"),
    ...(model === null ? [] : [model]),
    plural(agents, "agent"),
    status,
  ].join(", ");
}

function sectionsOf(data: ComparisonData): Section[] {
  const { comparison } = data;
  const labels = comparison.sides.map(({ label }) => label);
  return [
    {
      id: "conditions",
      title: "Conditions that differ",
      content:
        comparison.conditions.length === 0
          ? [h("p", {}, "Conditions are the same: plan, model, versions, agents.")]
          : [
              table({
                caption: "Conditions in which the sides differ",
                columns: ["condition", ...labels],
                rows: comparison.conditions.map(({ name, values }) => [name, ...values]),
                isText: true,
              }),
            ],
    },
    {
      id: "differences",
      title: "Differences",
      lead: data.findings.head,
      content: [list(data.findings.lines), charts(differenceCharts(data))],
    },
    {
      id: "overlaid",
      title: "Overlaid",
      lead: "Over what each side measured in flight.",
      content: [charts(overlays(data))],
    },
    { id: "percentiles", title: "Latency by percentile", content: [charts(sideCurves(data))] },
    { id: "figures", title: "All figures", content: data.tables.map(figureTable) },
    { id: "notes", title: "Notes, and what the intervals mean", content: [list(data.notes)] },
  ];
}

function figureTable({ title, columns, rows }: ComparisonData["tables"][number]): Child {
  return table({ caption: title, columns, rows });
}

const CHARTS: readonly (readonly [ComparedName, string])[] = [
  ["outputTokensPerS", "Output tok/s"],
  ["requestsPerS", "Requests/s"],
  ["ttftP50Us", "TTFT p50"],
  ["ttftP99Us", "TTFT p99"],
  ["itlP50Us", "ITL p50"],
  ["itlP99Us", "ITL p99"],
  ["e2eP50Us", "E2E p50"],
  ["e2eP99Us", "E2E p99"],
];

const figureOf = (figures: readonly ComparedFigure[], name: ComparedName) =>
  figures.find((figure) => figure.name === name);

function differenceCharts(data: ComparisonData): HTMLElement[] {
  return CHARTS.flatMap(([name, title]) => {
    const spec = differenceChart(data, name, title);
    return spec === null ? [] : [chart(spec)];
  });
}

/** The change of each level in per cent with its interval; null where no level has one. */
function differenceChart(
  { comparison, tables }: ComparisonData,
  name: ComparedName,
  title: string,
): ChartSpec | null {
  const { levels, sides } = comparison;
  const [first, ...others] = sides.map(({ label }) => label);
  const series = others.map((label, side): Series => {
    const marks = levels.map(({ figures }, i): Mark | null => {
      const difference = figureOf(figures, name)?.differences[side];
      const shift = others.length === 1 ? 0 : (side - (others.length - 1) / 2) * 0.16;
      return difference === undefined ? null : changeMark(difference, i + 1 + shift);
    });
    return { name: `${label} against ${first}`, tone: side, kind: "dots", marks };
  });
  const known = series.flatMap(({ marks }) => marks.flatMap((mark) => mark ?? []));
  if (known.length === 0) return null;
  const apart = known.filter(
    ({ low, high }) => low !== undefined && high !== undefined && (low > 0 || high < 0),
  );
  const own = tables.find((one) => one.name === name);
  return {
    id: `change-${name}`,
    title: `${title}: change`,
    summary: `Change against ${first} in per cent at ${plural(levels.length, "level")}, with its 95 % interval; ${formatCount(apart.length)} of ${formatCount(known.length)} leave 0 out.`,
    x: {
      label: "level",
      scale: "linear",
      format: (value) => levels[Math.round(value) - 1]?.name ?? "",
      from: 0.5,
      to: levels.length + 0.5,
      isExact: true,
      ticks: levels.map((_, i) => i + 1),
    },
    y: {
      label: "change",
      scale: "linear",
      format: (value) => `${value > 0 ? "+" : ""}${axisNumber(value)} %`,
    },
    rules: [0],
    series,
    height: 200,
    table: {
      columns: own?.columns ?? [],
      isShort: false,
      rows: () => own?.rows ?? [],
    },
  };
}

function changeMark(difference: Difference, x: number): Mark | null {
  if (difference.kind === "unknown" || difference.relative === null) return null;
  if (difference.kind === "point") return { x, y: 100 * difference.relative };
  const { change, low, high } = difference.relative;
  return { x, y: 100 * change, low: 100 * low, high: 100 * high };
}

function overlays({ comparison }: ComparisonData): HTMLElement[] {
  return CHARTS.flatMap(([name, title]) => {
    const isTime = name.endsWith("Us");
    const format = isTime ? formatUs : formatNumber;
    const series = comparison.sides.map(({ label }, side): Series => {
      const marks = comparison.levels
        .map(({ name: level, figures }): Mark | null => {
          const at = figureOf(figures, "inFlight")?.values[side]?.value;
          const value = figureOf(figures, name)?.values[side];
          if (at == null || value?.value == null) return null;
          const bounds = value.mean.kind === "interval" ? { low: value.mean.low, high: value.mean.high } : {};
          return { x: at, y: value.value, ...(side === 0 ? { label: level } : {}), ...bounds };
        })
        .sort((a, b) => (a?.x ?? 0) - (b?.x ?? 0));
      return { name: label, tone: side, kind: "points", marks };
    });
    if (series.every(({ marks }) => marks.every((mark) => mark === null))) return [];
    const means = series.flatMap(({ marks }) => marks.flatMap((mark) => mark?.x ?? []));
    const isWide = Math.max(...means) / Math.min(...means) > 20;
    return [
      chart({
        id: `overlay-${name}`,
        title: `${title} over requests in flight`,
        summary: `${title} of ${comparison.sides.map(({ label }) => label).join(", ")} at the ${plural(comparison.levels.length, "level")} that they have in common${comparison.basis === "runs" ? ", means of repeats with their 95 % intervals" : ""}.`,
        x: {
          label: `requests in flight, measured mean${isWide ? " (log)" : ""}`,
          scale: isWide ? "log" : "linear",
          format: axisNumber,
        },
        y: { label: title, scale: isTime ? "log" : "linear", format: isTime ? axisUs : axisNumber },
        series,
        height: 230,
        table: {
          columns: [
            "level",
            ...comparison.sides.flatMap(({ label }) => [`${label} in flight`, `${label} ${title}`]),
          ],
          isShort: true,
          rows: () =>
            comparison.levels.map(({ name: level, figures }) => [
              level,
              ...comparison.sides.flatMap((_, side) => [
                orDash(figureOf(figures, "inFlight")?.values[side]?.value, formatNumber),
                orDash(figureOf(figures, name)?.values[side]?.value, format),
              ]),
            ]),
        },
      }),
    ];
  });
}
