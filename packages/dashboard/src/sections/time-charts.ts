import {
  formatCount,
  formatLoad,
  formatNumber,
  formatUs,
  type RateLine,
  type RunData,
  type RunSeries,
} from "@tokenstorm/report/page";
import { chart } from "../chart/figure.js";
import type { ChartSpec, Mark, Series, Strip, TableSpec } from "../chart/spec.js";
import { axisNumber, axisUs, clock, orDash } from "../words.js";

/** The run over time: what was asked and in flight, what came of it, and how the agents fared. */
export function timeCharts({ report, series }: RunData): HTMLElement[] {
  if (series === null) return [];
  const time = new Time(series, report.agents.length);
  return [
    chart(inFlightChart(time)),
    chart(outputChart(time)),
    chart(requestsChart(time)),
    ...(["ttft", "itl", "e2e"] as const).map((metric) => chart(latencyChart(time, metric))),
    ...(series.server === null ? [] : [chart(kvChart(time))]),
  ];
}

export function vitalsCharts({ report, series }: RunData): HTMLElement[] {
  if (series === null) return [];
  const time = new Time(series, report.agents.length);
  return [chart(agentsChart(time)), chart(delayChart(time)), chart(cpuChart(time))];
}

/** What a point stands for, in words: a reader must not take a mean for a second. */
export function pointText({ intervalsPerPoint, intervalUs, pointUs, points }: RunSeries): string {
  if (intervalsPerPoint === 1)
    return `Each of ${formatCount(points)} points is one interval of ${formatUs(intervalUs)}.`;
  return (
    `Each of ${formatCount(points)} points stands for ${formatCount(intervalsPerPoint)} intervals of ${formatUs(intervalUs)} (${formatUs(pointUs)}): ` +
    "the line is their mean, the band reaches from the least to the greatest single interval; maxima and failures are kept whole."
  );
}

type Values = readonly (number | null)[];

class Time {
  readonly series: RunSeries;
  readonly agents: number;
  readonly x: ChartSpec["x"];
  readonly strips: readonly Strip[];

  constructor(series: RunSeries, agents: number) {
    this.series = series;
    this.agents = agents;
    this.x = {
      label: "run time",
      scale: "time",
      format: clock,
      from: 0,
      to: series.points * series.pointUs,
    };
    this.strips = series.spans.map(({ stage, phase, fromUs, toUs }) => ({
      from: fromUs,
      to: toUs,
      label: stage,
      isMeasured: phase === "measured",
    }));
  }

  at(point: number): number {
    return (point + 0.5) * this.series.pointUs;
  }

  line(name: string, tone: number, values: Values): Series {
    const marks = values.map((y, i): Mark | null => (y === null ? null : { x: this.at(i), y }));
    return { name, tone, kind: "line", marks };
  }

  band(name: string, tone: number, { mean, low, high }: RateLine): Series {
    const hasBand = this.series.intervalsPerPoint > 1;
    const marks = mean.map((y, i): Mark | null =>
      y === null ? null : { x: this.at(i), y, ...(hasBand ? { low: low[i] ?? y, high: high[i] ?? y } : {}) },
    );
    return { name, tone, kind: "line", marks, band: hasBand };
  }

  table(columns: readonly (readonly [string, Values, (value: number) => string])[]): TableSpec {
    return {
      columns: ["from", ...columns.map(([name]) => name)],
      rows: () =>
        Array.from({ length: this.series.points }, (_, i) => [
          clock(i * this.series.pointUs),
          ...columns.map(([, values, format]) => orDash(values[i], format)),
        ]),
    };
  }

  rateColumns(name: string, { mean, low, high }: RateLine): [string, Values, (value: number) => string][] {
    if (this.series.intervalsPerPoint === 1) return [[name, mean, formatNumber]];
    return [
      [`${name}, mean`, mean, formatNumber],
      ["least interval", low, formatNumber],
      ["greatest interval", high, formatNumber],
    ];
  }

  get base() {
    return { x: this.x, strips: this.strips } as const;
  }
}

const most = (values: Values): number => values.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);

function inFlightChart(time: Time): ChartSpec {
  const { inFlight, server, spans } = time.series;
  const asked = spans.flatMap(({ asked, fromUs, toUs, phase }): (Mark | null)[] =>
    asked === null || phase !== "measured" ? [] : [{ x: fromUs, y: asked }, { x: toUs, y: asked }, null],
  );
  // Rates of open load are no number of requests in flight.
  const isClosed = time.series.isClosed;
  return {
    id: "time-in-flight",
    title: "In flight over time",
    summary: `Requests in flight, with ${isClosed ? "the users asked for" : "no level asked for, since the load is open"}${server === null ? "" : ", and what the server said it ran and held waiting"}; the most in one interval is ${formatNumber(most(inFlight.high))}.`,
    ...time.base,
    y: { label: "requests", scale: "linear", format: axisNumber },
    series: [
      ...(isClosed ? [{ name: "asked", tone: 3, kind: "steps" as const, marks: asked }] : []),
      time.band("in flight, measured", 0, inFlight),
      ...(server === null
        ? []
        : [
            time.line("running at the server", 2, server.running),
            time.line("waiting at the server", 1, server.waiting),
          ]),
    ],
    table: time.table([
      ...time.rateColumns("in flight", inFlight),
      ...(server === null
        ? []
        : ([
            ["running at the server", server.running, formatNumber],
            ["waiting at the server", server.waiting, formatNumber],
          ] as const)),
    ]),
  };
}

function outputChart(time: Time): ChartSpec {
  const { outputTokensPerS } = time.series;
  return {
    id: "time-output",
    title: "Output tokens over time",
    summary: `Output tok/s, counted when received; the most in one interval is ${formatNumber(most(outputTokensPerS.high))}.`,
    ...time.base,
    y: { label: "tok/s", scale: "linear", format: axisNumber },
    series: [time.band("output tok/s", 0, outputTokensPerS)],
    table: time.table(time.rateColumns("output tok/s", outputTokensPerS)),
  };
}

function requestsChart(time: Time): ChartSpec {
  const { requestsPerS, failed, dropped, pointUs } = time.series;
  const perS = (counts: readonly number[]) => counts.map((count) => (count * 1e6) / pointUs);
  const lost = failed.reduce((a, b) => a + b, 0) + dropped.reduce((a, b) => a + b, 0);
  return {
    id: "time-requests",
    title: "Requests completed and failed over time",
    summary: `Requests completed per second; ${lost === 0 ? "none failed or was dropped" : `${formatCount(lost)} failed or were dropped`}.`,
    ...time.base,
    y: { label: "requests/s", scale: "linear", format: axisNumber },
    series: [
      time.band("completed", 0, requestsPerS),
      ...(lost === 0 ? [] : [time.line("failed", 1, perS(failed)), time.line("dropped", 3, perS(dropped))]),
    ],
    height: 210,
    table: time.table([
      ...time.rateColumns("completed/s", requestsPerS),
      ["failed", failed, formatCount],
      ["dropped", dropped, formatCount],
    ]),
  };
}

const NAMES = { ttft: "TTFT", itl: "ITL", e2e: "E2E" } as const;

function latencyChart(time: Time, metric: "ttft" | "itl" | "e2e"): ChartSpec {
  const { p50, p99, max } = time.series.latency[metric];
  const name = NAMES[metric];
  return {
    id: `time-${metric}`,
    title: `${name} over time`,
    summary: `${name} of what was measured in each point's time; the greatest is ${formatUs(most(max))}.`,
    ...time.base,
    y: { label: name, scale: "log", format: axisUs },
    series: [time.line("p50", 0, p50), time.line("p99", 1, p99), time.line("greatest", 7, max)],
    height: 220,
    note: "By the time at which it was measured, not at which the request was due. Percentiles to 2.2 %, the greatest is exact.",
    table: time.table([
      ["p50", p50, formatUs],
      ["p99", p99, formatUs],
      ["greatest", max, formatUs],
    ]),
  };
}

function kvChart(time: Time): ChartSpec {
  const kv = time.series.server?.kvUsage ?? [];
  const percent = kv.map((share) => (share === null ? null : share * 100));
  return {
    id: "time-kv",
    title: "KV cache use at the server over time",
    summary: `Greatest use in each point's time; the most is ${formatNumber(most(percent))} %.`,
    ...time.base,
    y: { label: "KV use", scale: "linear", format: (value) => `${axisNumber(value)} %`, to: 100 },
    series: [time.line("KV use", 4, percent)],
    height: 180,
    table: time.table([["KV use", kv, formatLoad]]),
  };
}

function agentsChart(time: Time): ChartSpec {
  const { agents } = time.series;
  const least = Math.min(...agents.slice(0, -1), time.agents);
  return {
    id: "time-agents",
    title: "Agents whose interval is in, over time",
    summary: `Fewest agents in any interval of the point; of ${formatCount(time.agents)} agents the fewest before the end are ${formatCount(least)}.`,
    ...time.base,
    y: { label: "agents", scale: "linear", format: axisNumber, to: time.agents },
    series: [{ ...time.line("agents", 0, agents), kind: "steps" }],
    height: 150,
    table: time.table([["agents", agents, formatCount]]),
  };
}

function delayChart(time: Time): ChartSpec {
  const { loopDelayP99Us, scheduleLagP99Us, selfProbeP99Us } = time.series.vitals;
  const hasProbe = selfProbeP99Us.max.some((value) => value !== null);
  const positive = (values: Values) => values.map((value) => (value === null || value <= 0 ? null : value));
  return {
    id: "time-delay",
    title: "How late the agents' own processes were",
    summary: `Each agent's worst interval of a point, the greatest over all agents and the median; the greatest event-loop delay is ${formatUs(most(loopDelayP99Us.max))}.`,
    ...time.base,
    y: { label: "p99 of an interval", scale: "log", format: axisUs },
    series: [
      time.line("event-loop delay, worst agent", 1, positive(loopDelayP99Us.max)),
      time.line("event-loop delay, median agent", 0, positive(loopDelayP99Us.median)),
      time.line("schedule lag, worst agent", 3, positive(scheduleLagP99Us.max)),
      ...(hasProbe ? [time.line("self-probe, worst agent", 2, positive(selfProbeP99Us.max))] : []),
    ],
    height: 230,
    table: time.table([
      ["event-loop delay, worst", loopDelayP99Us.max, formatUs],
      ["event-loop delay, median", loopDelayP99Us.median, formatUs],
      ["schedule lag, worst", scheduleLagP99Us.max, formatUs],
      ["schedule lag, median", scheduleLagP99Us.median, formatUs],
      ...(hasProbe ? [["self-probe, worst", selfProbeP99Us.max, formatUs] as const] : []),
    ]),
  };
}

function cpuChart(time: Time): ChartSpec {
  const { cpu } = time.series.vitals;
  return {
    id: "time-cpu",
    title: "CPU of the agents' processes over time",
    summary: `100 % is one core; the greatest of one agent in one interval is ${formatLoad(most(cpu.max))}.`,
    ...time.base,
    y: { label: "CPU", scale: "linear", format: formatLoad, to: 1 },
    series: [time.line("busiest agent", 1, cpu.max), time.line("median agent", 0, cpu.median)],
    height: 180,
    table: time.table([
      ["busiest agent", cpu.max, formatLoad],
      ["median agent", cpu.median, formatLoad],
    ]),
  };
}
