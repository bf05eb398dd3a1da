import { formatCount, formatUs, type HeatMap, type RunData, type RunSeries } from "@tokenstorm/report/page";
import { chart } from "../chart/figure.js";
import type { Cell, ChartSpec } from "../chart/spec.js";
import { axisUs, clock, orDash } from "../words.js";

/** Of a point's samples, how many a cell holds: its shade. */
const SHADES = [
  { shade: "heat1", name: "under 1 % of the point's samples", from: 0 },
  { shade: "heat2", name: "1 to 5 %", from: 0.01 },
  { shade: "heat3", name: "5 to 15 %", from: 0.05 },
  { shade: "heat4", name: "15 to 40 %", from: 0.15 },
  { shade: "heat5", name: "40 % and more", from: 0.4 },
] as const;

/** All values over time: two modes, or a slow few, show here and in no percentile. */
export function heatMaps({ series }: RunData): HTMLElement[] {
  if (series === null) return [];
  return (["ttft", "itl"] as const).flatMap((metric) => {
    const map = series.heat[metric];
    return map === null ? [] : [chart(heatChart(metric, map, series))];
  });
}

function heatChart(metric: "ttft" | "itl", map: HeatMap, series: RunSeries): ChartSpec {
  const name = metric === "ttft" ? "TTFT" : "ITL";
  const { p50, p99, max } = series.latency[metric];
  const sums = Array.from({ length: series.points }, (_, point) =>
    map.counts.reduce((sum, row) => sum + (row[point] ?? 0), 0),
  );
  const highest = max.reduce<number>((most, us) => Math.max(most, us ?? 0), 0);
  return {
    id: `heat-${metric}`,
    title: `${name} over time, all values`,
    summary: `How the ${formatCount(sums.reduce((a, b) => a + b, 0))} values of ${name} spread at each time, from ${formatUs(map.lowestUs)} to ${formatUs(highest)}.`,
    x: { label: "run time", scale: "time", format: clock, from: 0, to: series.points * series.pointUs },
    y: { label: name, scale: "log", format: axisUs },
    strips: series.spans.map(({ stage, phase, fromUs, toUs }) => ({
      from: fromUs,
      to: toUs,
      label: stage,
      isMeasured: phase === "measured",
    })),
    series: [
      {
        name: "median",
        tone: 1,
        kind: "line",
        marks: p50.map((y, i) => (y === null ? null : { x: (i + 0.5) * series.pointUs, y: Math.max(1, y) })),
      },
    ],
    cells: cellsOf(map, series.pointUs, sums),
    shades: SHADES.map(({ shade, name: text }) => ({ shade, name: text })),
    height: 300,
    table: {
      columns: ["from", "samples", "p50", "p99", "greatest"],
      rows: () =>
        sums.map((count, i) => [
          clock(i * series.pointUs),
          formatCount(count),
          orDash(p50[i], formatUs),
          orDash(p99[i], formatUs),
          orDash(max[i], formatUs),
        ]),
    },
  };
}

function cellsOf({ counts, lowestUs, ratio }: HeatMap, pointUs: number, sums: readonly number[]): Cell[] {
  return counts.flatMap((row, i) =>
    row.flatMap((count, point): Cell[] => {
      if (count === 0) return [];
      const share = count / (sums[point] ?? count);
      const shade = SHADES.findLast(({ from }) => share >= from)?.shade ?? "heat1";
      return [
        {
          fromX: point * pointUs,
          toX: (point + 1) * pointUs,
          fromY: lowestUs * ratio ** i,
          toY: lowestUs * ratio ** (i + 1),
          shade,
        },
      ];
    }),
  );
}
