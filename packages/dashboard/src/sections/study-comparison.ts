import type { LevelMetric, StudyComparison } from "@tokenstorm/core";
import { formatCount, formatNumber, formatPercent, formatUs, plural } from "@tokenstorm/report/page";
import { chart } from "../chart/figure.js";
import type { Mark } from "../chart/spec.js";
import { type Child, h } from "../dom.js";
import { table } from "../table.js";
import { axisNumber, orDash } from "../words.js";

const TITLES: Readonly<Record<LevelMetric, string>> = {
  totalTokensPerS: "prompt + output tok/s",
  outputTokensPerS: "output tok/s",
  requestsPerS: "requests/s",
  measuredInFlight: "in flight, measured",
  e2eP50Us: "E2E p50",
  e2eP99Us: "E2E p99",
  ttftP50Us: "TTFT p50",
  ttftP99Us: "TTFT p99",
  tpotP50Us: "TPOT p50",
};

const DRAWN = ["totalTokensPerS", "e2eP99Us"] as const satisfies readonly LevelMetric[];

/** The change of each level in per cent with Welch's interval. */
export function comparisonCharts({ a, b, levels }: StudyComparison, id: string): HTMLElement[] {
  return DRAWN.flatMap((metric) => {
    const marks = levels.map(({ figures }, i): Mark | null => {
      const figure = figures.find((one) => one.metric === metric);
      if (figure === undefined || figure.differencePct === null) return null;
      const { interval95Pct: bounds } = figure;
      return { x: i + 1, y: figure.differencePct, ...(bounds === null ? {} : bounds) };
    });
    const known = marks.flatMap((mark) => mark ?? []);
    if (known.length === 0) return [];
    const apart = known.filter(
      ({ low, high }) => low !== undefined && high !== undefined && (low > 0 || high < 0),
    );
    return [
      chart({
        id: `${id}-${metric}`,
        title: `${TITLES[metric]}: ${b} against ${a}`,
        summary: `Change in per cent of ${a} at ${plural(levels.length, "level")}, Welch's 95 % interval over repeats; ${formatCount(apart.length)} of ${formatCount(known.length)} leave 0 out.`,
        x: {
          label: "level",
          scale: "linear",
          format: (value) => levels[Math.round(value) - 1]?.level ?? "",
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
        series: [{ name: `${b} against ${a}`, tone: 0, kind: "dots", marks }],
        height: 190,
        table: {
          columns: ["level", "change", "95 % interval"],
          rows: () =>
            levels.map(({ level }, i) => {
              const mark = marks[i];
              return [
                level,
                formatPercent(mark?.y ?? null),
                mark?.low === undefined || mark.high === undefined
                  ? "-"
                  : `${formatPercent(mark.low)} to ${formatPercent(mark.high)}`,
              ];
            }),
        },
      }),
    ];
  });
}

export function comparisonTables({ a, b, levels }: StudyComparison): Child {
  const format = (metric: LevelMetric) => (metric.endsWith("Us") ? formatUs : formatNumber);
  return levels.map(({ level, figures }) =>
    h(
      "details",
      { class: "numbers short" },
      h("summary", {}, `All figures at ${level}: ${b} against ${a}`),
      table({
        caption: `${level}: ${b} against ${a}`,
        columns: ["figure", a, b, "change", "95 % interval", "in words"],
        rows: figures.map(({ metric, a: one, b: other, differencePct, interval95Pct, sentence }) => [
          TITLES[metric],
          orDash(one.mean, format(metric)),
          orDash(other.mean, format(metric)),
          formatPercent(differencePct),
          orDash(interval95Pct, ({ low, high }) => `${formatPercent(low)} to ${formatPercent(high)}`),
          sentence,
        ]),
      }),
    ),
  );
}
