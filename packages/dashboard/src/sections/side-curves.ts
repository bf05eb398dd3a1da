import {
  type ComparisonData,
  type Curve,
  type CurveMetric,
  formatCount,
  formatUs,
} from "@tokenstorm/report/page";
import { chart } from "../chart/figure.js";
import type { Series } from "../chart/spec.js";
import { axisUs, percentileName } from "../words.js";
import { curveValue, NAMED_PERCENTILES, spread } from "./percentile-charts.js";

const METRICS: readonly (readonly [CurveMetric, string])[] = [
  ["ttft", "TTFT"],
  ["itl", "ITL"],
  ["e2e", "E2E"],
];
/** Levels of which curves are drawn; figures of all are in the tables. */
const MOST_LEVELS = 4;

/** For each level and latency one line a side: of its first run, where it is a group. */
export function sideCurves({ comparison, curves }: ComparisonData): HTMLElement[] {
  return spread(comparison.levels, MOST_LEVELS).flatMap(({ name: level, names }) =>
    METRICS.flatMap(([metric, title]) => {
      const lines = comparison.sides.flatMap(({ label }, side) => {
        const curve = curves[side]?.[names[side] ?? ""]?.[metric] ?? null;
        return curve === null ? [] : [{ label, side, curve }];
      });
      return lines.length < 2 ? [] : [chart(curveChart({ level, metric, title, lines }))];
    }),
  );
}

function curveChart(of: {
  readonly level: string;
  readonly metric: CurveMetric;
  readonly title: string;
  readonly lines: readonly { readonly label: string; readonly side: number; readonly curve: Curve }[];
}) {
  const { level, metric, title, lines } = of;
  return {
    id: `curve-${metric}-${level.replaceAll(/\W+/g, "-")}`,
    title: `${title} by percentile, ${level}`,
    summary: `${title} at ${level} from its least to its greatest value: ${lines.map(({ label, curve }) => `${label} to ${formatUs(curve.points.at(-1)?.[1] ?? 0)}`).join(", ")}.`,
    x: {
      label: "percentile, by what is left above it",
      scale: "percentile" as const,
      format: percentileName,
      to: Math.max(...lines.map(({ curve }) => curve.count)),
    },
    y: { label: title, scale: "log" as const, format: axisUs },
    series: lines.map(
      ({ label, side, curve }): Series => ({
        name: label,
        tone: side,
        kind: "line",
        marks: curve.points.map(([x, y]) => ({ x, y: Math.max(1, y) })),
      }),
    ),
    height: 220,
    table: {
      columns: ["percentile", ...lines.map(({ label }) => label)],
      isShort: true,
      rows: () => [
        ["samples", ...lines.map(({ curve }) => formatCount(curve.count))],
        ...NAMED_PERCENTILES.map((at) => [
          percentileName(at),
          ...lines.map(({ curve }) => curveValue(curve, at)),
        ]),
      ],
    },
  };
}
