import { type Curve, type CurveMetric, formatCount, formatUs, type RunData } from "@tokenstorm/report/page";
import { chart } from "../chart/figure.js";
import type { ChartSpec, Series } from "../chart/spec.js";
import { axisUs, percentileName } from "../words.js";

const NAMES: Readonly<Record<CurveMetric, string>> = { ttft: "TTFT", itl: "ITL", tpot: "TPOT", e2e: "E2E" };
/** More lines than that nobody tells apart; the table has all levels. */
const MOST_LINES = 8;
const ROWS = [0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999];

interface Named {
  readonly name: string;
  readonly curve: Curve;
}

/** Latency by percentile, one line for each level: the tail that a p99 alone does not show. */
export function percentileCharts({ report, levels }: RunData): HTMLElement[] {
  return (["ttft", "itl", "tpot", "e2e"] as const).flatMap((metric) => {
    const curves = report.stages.flatMap(({ name }, i): Named[] => {
      const curve = levels[i]?.curves[metric];
      return curve === null || curve === undefined ? [] : [{ name, curve }];
    });
    return curves.length === 0 ? [] : [chart(percentileChart(metric, curves))];
  });
}

function percentileChart(metric: CurveMetric, curves: readonly Named[]): ChartSpec {
  const shown = spread(curves, MOST_LINES);
  const last = curves.at(-1);
  const isCut = curves.some(({ curve }) => curve.atLeastFrom !== null);
  const notes = [
    ...(shown.length < curves.length
      ? [`${shown.length} of ${curves.length} levels are drawn; the table has them all.`]
      : []),
    ...(isCut
      ? [
          "Requests that were cut unfinished count with the age they had reached: beyond the percentile that the table names the line is a lower bound.",
        ]
      : []),
  ];
  return {
    id: `percentiles-${metric}`,
    title: `${NAMES[metric]} by percentile`,
    summary:
      last === undefined
        ? ""
        : `${NAMES[metric]} of each level from its least to its greatest value; at ${last.name} the greatest of ${formatCount(last.curve.count)} is ${formatUs(last.curve.points.at(-1)?.[1] ?? 0)}.`,
    x: {
      label: "percentile, by what is left above it",
      scale: "percentile",
      format: percentileName,
      to: Math.max(...curves.map(({ curve }) => curve.count)),
    },
    y: { label: NAMES[metric], scale: "log", format: axisUs },
    series: shown.map(
      ({ name, curve }, i): Series => ({
        name,
        tone: i,
        kind: "line",
        marks: curve.points.map(([x, y]) => ({ x, y: Math.max(1, y) })),
      }),
    ),
    ...(notes.length === 0 ? {} : { note: notes.join(" ") }),
    table: {
      columns: ["percentile", ...curves.map(({ name }) => name)],
      isShort: curves.length <= 8,
      rows: () => [
        ["samples", ...curves.map(({ curve }) => formatCount(curve.count))],
        ...ROWS.map((at) => [percentileName(at), ...curves.map(({ curve }) => valueAt(curve, at))]),
        ["max", ...curves.map(({ curve }) => valueAt(curve, 100))],
      ],
    },
  };
}

/** The first and the last, and between them as evenly as may be. */
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from(
    { length: most },
    (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))],
  ).flatMap((item) => item ?? []);
}

/** The first point at or beyond a percentile; nothing where the sample is too small to have one. */
function valueAt({ points, count, atLeastFrom }: Curve, at: number): string {
  if (at > 0 && at < 100 && ((100 - at) / 100) * count < 1 - 1e-9) return "";
  const point = points.find(([percentile]) => percentile >= at - 1e-9);
  if (point === undefined) return "";
  return `${atLeastFrom !== null && at >= atLeastFrom ? "≥ " : ""}${formatUs(point[1])}`;
}
