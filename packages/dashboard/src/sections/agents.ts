import {
  bestDrift,
  driftWords,
  formatCount,
  formatLoad,
  formatNumber,
  formatUs,
  type RunData,
  type RunSeries,
} from "@tokenstorm/report/page";
import { chart } from "../chart/figure.js";
import type { Cell, ChartSpec } from "../chart/spec.js";
import { h } from "../dom.js";
import { table } from "../table.js";
import { clock, orDash } from "../words.js";

const SHADES: Readonly<Record<string, { readonly shade: string; readonly name: string }>> = {
  g: { shade: "green", name: "green: the agent kept up" },
  y: { shade: "yellow", name: "yellow: near a limit" },
  r: { shade: "red", name: "red: not to be trusted" },
  ".": { shade: "unmeasured", name: "outside the measured windows" },
  "-": { shade: "unheard", name: "nothing was heard" },
};

/** Each agent's intervals by colour, a row for each. What is blank was never heard of. */
export function agentStrips({ series, report }: RunData): HTMLElement[] {
  if (series === null || series.agentLines.length === 0) return [];
  return [chart(stripChart(series, report))];
}

function stripChart(series: RunSeries, report: RunData["report"]): ChartSpec {
  const { agentLines, pointUs, points, spans } = series;
  const rows = agentLines.length;
  const cells = agentLines.flatMap(({ colours }, row) => cellsOf(colours, row, rows, pointUs));
  const used = [..."gyr.-"].filter((letter) => agentLines.some(({ colours }) => colours.includes(letter)));
  const red = report.agents.filter(({ redIntervals }) => redIntervals > 0).length;
  const yellow = report.agents.filter(({ yellowIntervals }) => yellowIntervals > 0).length;
  return {
    id: "agent-strips",
    title: "Agents' vitals over time",
    summary: `A row for each of ${formatCount(rows)} agents in the order of their shards, the first at the top; ${formatCount(red)} had a red measured interval and ${formatCount(yellow)} a yellow one. A point shows its worst interval.`,
    x: { label: "run time", scale: "time", format: clock, from: 0, to: points * pointUs },
    y: {
      label: "agent",
      scale: "linear",
      format: (value) => agentLines[Math.round(rows - value - 0.5)]?.id ?? "",
      from: 0,
      to: rows,
      isExact: true,
      ticks: rowTicks(rows),
    },
    strips: spans.map(({ stage, phase, fromUs, toUs }) => ({
      from: fromUs,
      to: toUs,
      label: stage,
      isMeasured: phase === "measured",
    })),
    series: [],
    cells,
    shades: used.flatMap((letter) => SHADES[letter] ?? []),
    height: Math.min(640, Math.max(120, rows * 14 + 64)),
    table: {
      columns: ["agent", "host", "red", "yellow", "measured", "worst interval at", "because"],
      rows: () =>
        report.agents.map((agent) => {
          const worst = agentLines.find(({ id }) => id === agent.id)?.worst;
          return [
            agent.id,
            agent.host,
            formatCount(agent.redIntervals),
            formatCount(agent.yellowIntervals),
            formatCount(agent.measuredIntervals),
            orDash(worst, ({ atUs }) => clock(atUs)),
            orDash(worst, ({ reasons }) => (reasons.length === 0 ? "green" : reasons.join(", "))),
          ];
        }),
    },
  };
}

/** The middle of each row that has room for a name. */
function rowTicks(rows: number): number[] {
  const every = Math.max(1, Math.ceil(rows / 40));
  return Array.from({ length: rows }, (_, row) => row)
    .filter((row) => row % every === 0)
    .map((row) => rows - row - 0.5);
}

/** Neighbours of one colour are one rectangle. */
function cellsOf(colours: string, row: number, rows: number, pointUs: number): Cell[] {
  const cells: Cell[] = [];
  for (let from = 0; from < colours.length; ) {
    const letter = colours[from] ?? "-";
    let to = from + 1;
    while (colours[to] === letter) to += 1;
    const shade = SHADES[letter]?.shade;
    const gap = rows > 60 ? 0.02 : 0.1;
    if (shade !== undefined) {
      cells.push({
        fromX: from * pointUs,
        toX: to * pointUs,
        fromY: rows - row - 1 + gap,
        toY: rows - row - gap,
        shade,
      });
    }
    from = to;
  }
  return cells;
}

/** The agents with their clocks and how they fared. */
export function agentsTable({ report, series }: RunData): HTMLElement {
  const { agents } = report;
  if (agents.length === 0) return h("p", {}, "None took part.");
  const rows = agents.map((agent) => {
    const line = series?.agentLines.find(({ id }) => id === agent.id);
    const delays = (line?.loopDelayP99Us ?? []).flatMap((us) => us ?? []);
    const cpus = (line?.cpu ?? []).flatMap((cpu) => cpu ?? []);
    return [
      agent.id,
      agent.host,
      agent.version,
      formatCount(agent.intervals),
      formatCount(agent.measuredIntervals),
      formatCount(agent.redIntervals),
      formatCount(agent.yellowIntervals),
      delays.length === 0 ? "-" : formatUs(Math.max(...delays)),
      cpus.length === 0 ? "-" : formatLoad(Math.max(...cpus)),
      orDash(agent.startErrorUs, formatUs),
      formatUs(agent.clockOffsetUs),
      formatUs(agent.clockErrorUs),
      orDash(agent.clock == null ? null : bestDrift(agent.clock), (drift) => driftWords(drift, formatNumber)),
      orDash(agent.clock?.skew, ({ us, errorUs }) => `${formatUs(us)} ± ${formatUs(errorUs)}`),
    ];
  });
  const made = table({
    caption: "Agents",
    columns: [
      "agent",
      "host",
      "version",
      "intervals",
      "measured",
      "red",
      "yellow",
      "loop delay p99, worst",
      "CPU, most",
      "start error",
      "clock offset",
      "clock error",
      "clock drift",
      "skew when compared last",
    ],
    rows,
  });
  if (agents.length <= 16) return made;
  return h(
    "details",
    { class: "numbers" },
    h("summary", {}, `All ${formatCount(agents.length)} agents`),
    made,
  );
}
