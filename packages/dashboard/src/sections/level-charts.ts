import type { StageReport } from "@tokenstorm/core";
import {
  formatCount,
  formatNumber,
  formatUs,
  type Interval,
  type LevelData,
  type RunData,
} from "@tokenstorm/report/page";
import { chart } from "../chart/figure.js";
import type { ChartSpec, Mark, TableSpec } from "../chart/spec.js";
import { axisNumber, axisUs, orDash } from "../words.js";

interface Level {
  readonly stage: StageReport;
  readonly data: LevelData | undefined;
}

/** Throughput, latency and the server's own count over what was measured in flight, never over what was asked. */
export function levelCharts({ report, levels }: RunData): HTMLElement[] {
  const all = report.stages
    .map((stage, i): Level => ({ stage, data: levels[i] }))
    .filter(({ stage }) => stage.windowMs > 0)
    .sort((a, b) => a.stage.inFlight.mean - b.stage.inFlight.mean);
  if (all.length === 0) return [];
  const x = xAxis(all);
  return [
    chart(throughputChart(all, x)),
    ...(all.some(({ stage }) => stage.server.runningMean !== null) ? [chart(serverChart(all, x))] : []),
    ...(["ttft", "itl", "e2e"] as const).map((metric) => chart(latencyChart(all, x, metric))),
    ...(all.some(({ stage }) => stage.rates.outputTokensPerSPerGpu !== null)
      ? [chart(perGpuChart(all))]
      : []),
  ];
}

function xAxis(levels: readonly Level[]): ChartSpec["x"] {
  const means = levels.map(({ stage }) => stage.inFlight.mean).filter((mean) => mean > 0);
  const isWide = means.length > 0 && Math.max(...means) / Math.min(...means) > 20;
  return {
    label: `requests in flight, measured mean${isWide ? " (log)" : ""}`,
    scale: isWide ? "log" : "linear",
    format: axisNumber,
    // Of all levels, so that charts below each other have one axis.
    from: means.length === 0 ? 1 : Math.min(...means),
    to: means.length === 0 ? 1 : Math.max(...means),
  };
}

const bounds = (interval: Interval | null | undefined) =>
  interval === null || interval === undefined ? {} : { low: interval.low, high: interval.high };

const rangeOf = (interval: Interval | null | undefined, format: (value: number) => string) =>
  orDash(interval, ({ low, high }) => `${format(low)} to ${format(high)}`);

function throughputChart(levels: readonly Level[], x: ChartSpec["x"]): ChartSpec {
  const measured = levels.map(
    ({ stage, data }): Mark => ({
      x: stage.inFlight.mean,
      y: stage.rates.outputTokensPerS,
      label: stage.name,
      ...bounds(data?.outputTokensPerS),
    }),
  );
  const asked = levels.flatMap(({ stage }): Mark[] =>
    stage.inFlight.asked === null ? [] : [{ x: stage.inFlight.asked, y: stage.rates.outputTokensPerS }],
  );
  const best = levels.reduce((a, b) =>
    b.stage.rates.outputTokensPerS > a.stage.rates.outputTokensPerS ? b : a,
  );
  return {
    id: "throughput",
    title: "Output throughput over requests in flight",
    summary:
      `Output tok/s at ${formatCount(levels.length)} levels; the most is ${formatNumber(best.stage.rates.outputTokensPerS)} ` +
      `tok/s at ${best.stage.name}, with ${formatNumber(best.stage.inFlight.mean)} in flight` +
      `${best.stage.inFlight.asked === null ? "" : ` of ${formatCount(best.stage.inFlight.asked)} asked`}.`,
    x,
    y: { label: "output tok/s", scale: "linear", format: axisNumber },
    series: [
      ...(asked.length === 0
        ? []
        : [{ name: "the same where the level was asked", tone: 3, kind: "hollow" as const, marks: asked }]),
      {
        name: "output tok/s over measured in flight, with its 95 % interval",
        tone: 0,
        kind: "points",
        marks: measured,
      },
    ],
    ...(asked.length === 0
      ? {}
      : {
          note: "A hollow mark that is not around its level's point shows how much less was in flight than was asked for.",
        }),
    table: {
      columns: [
        "level",
        "in flight asked",
        "in flight measured",
        "95 % interval",
        "output tok/s",
        "95 % interval",
        "requests/s",
        "95 % interval",
      ],
      isShort: true,
      rows: () =>
        levels.map(({ stage, data }) => [
          stage.name,
          orDash(stage.inFlight.asked, formatCount),
          formatNumber(stage.inFlight.mean),
          rangeOf(data?.inFlight, formatNumber),
          formatNumber(stage.rates.outputTokensPerS),
          rangeOf(data?.outputTokensPerS, formatNumber),
          formatNumber(stage.rates.requestsPerS),
          rangeOf(data?.requestsPerS, formatNumber),
        ]),
    },
  };
}

function serverChart(levels: readonly Level[], x: ChartSpec["x"]): ChartSpec {
  const marks = (read: (server: StageReport["server"]) => number | null) =>
    levels.map(({ stage }): Mark | null => {
      const y = read(stage.server);
      return y === null ? null : { x: stage.inFlight.mean, y };
    });
  const last = levels.at(-1)?.stage;
  return {
    id: "at-server",
    title: "Running and waiting at the server over requests in flight",
    summary:
      last === undefined
        ? ""
        : `At ${last.name} the server ran ${orDash(last.server.runningMean, formatNumber)} and held ${orDash(last.server.waitingMean, formatNumber)} waiting, of ${formatNumber(last.inFlight.mean)} in flight here.`,
    x,
    y: { label: "requests", scale: "linear", format: axisNumber },
    series: [
      {
        name: "running at the server, mean",
        tone: 2,
        kind: "points",
        marks: marks(({ runningMean }) => runningMean),
      },
      {
        name: "waiting at the server, mean",
        tone: 1,
        kind: "points",
        marks: marks(({ waitingMean }) => waitingMean),
      },
      {
        name: "in flight here (both together, were the way there and back nothing)",
        tone: 7,
        kind: "line",
        marks: levels.map(({ stage }) => ({ x: stage.inFlight.mean, y: stage.inFlight.mean })),
      },
    ],
    table: {
      columns: ["level", "in flight measured", "running", "waiting", "KV use, most", "preemptions"],
      isShort: true,
      rows: () =>
        levels.map(({ stage: { name, inFlight, server } }) => [
          name,
          formatNumber(inFlight.mean),
          orDash(server.runningMean, formatNumber),
          orDash(server.waitingMean, formatNumber),
          orDash(server.kvUsageMax, (share) => `${Math.round(share * 100)} %`),
          orDash(server.preemptions, formatCount),
        ]),
    },
  };
}

const NAMES = { ttft: "TTFT", itl: "ITL", tpot: "TPOT", e2e: "E2E" } as const;

function latencyChart(
  levels: readonly Level[],
  x: ChartSpec["x"],
  metric: "ttft" | "itl" | "e2e",
): ChartSpec {
  const name = NAMES[metric];
  const marks = (of: "p50" | "p99") =>
    levels.map(({ stage, data }): Mark | null => {
      const { [of]: us, atLeast } = stage.latencyUs[metric];
      if (us === null) return null;
      const label = atLeast.includes(of) ? { label: "≥" } : {};
      return { x: stage.inFlight.mean, y: us, ...label, ...bounds(data?.percentiles[metric][of]) };
    });
  const last = levels.findLast(({ stage }) => stage.latencyUs[metric].p50 !== null)?.stage;
  const said = ({ latencyUs }: StageReport, of: "p50" | "p99") =>
    `${latencyUs[metric].atLeast.includes(of) ? "at least " : ""}${orDash(latencyUs[metric][of], formatUs)}`;
  const isBounded = levels.some(({ stage }) => stage.latencyUs[metric].atLeast.length > 0);
  return {
    id: `level-${metric}`,
    title: `${name} over requests in flight`,
    summary:
      last === undefined
        ? "Nothing was measured."
        : `At ${last.name} ${name} is ${said(last, "p50")} at the median and ${said(last, "p99")} at p99.`,
    x,
    y: { label: name, scale: "log", format: axisUs },
    series: [
      { name: "p50", tone: 0, kind: "points", marks: marks("p50") },
      { name: "p99", tone: 1, kind: "points", marks: marks("p99") },
    ],
    height: 230,
    ...(isBounded
      ? { note: "Where ≥ stands, requests that were cut unfinished could move the point up." }
      : {}),
    table: latencyTable(levels, metric),
  };
}

function latencyTable(levels: readonly Level[], metric: "ttft" | "itl" | "e2e"): TableSpec {
  const columns = [
    "level",
    "samples",
    "mean",
    "min",
    "p50",
    "95 % interval",
    "p90",
    "p95",
    "p99",
    "95 % interval",
    "p99.9",
    "max",
  ];
  return {
    columns,
    isShort: true,
    rows: () =>
      levels.map(({ stage, data }) => {
        const summary = stage.latencyUs[metric];
        const cell = (of: "mean" | "min" | "p50" | "p90" | "p95" | "p99" | "p999" | "max") =>
          orDash(summary[of], (us) => `${summary.atLeast.includes(of) ? "≥ " : ""}${formatUs(us)}`);
        const range = (of: "p50" | "p99") => rangeOf(data?.percentiles[metric][of], formatUs);
        return [
          stage.name,
          formatCount(summary.count),
          cell("mean"),
          cell("min"),
          cell("p50"),
          range("p50"),
          cell("p90"),
          cell("p95"),
          cell("p99"),
          range("p99"),
          cell("p999"),
          cell("max"),
        ];
      }),
  };
}

function perGpuChart(levels: readonly Level[]): ChartSpec {
  const marks = levels.flatMap(({ stage }): Mark[] => {
    const { outputTokensPerSPerGpu: y, outputTokensPerSPerUser: x } = stage.rates;
    return x === null || y === null ? [] : [{ x, y, label: stage.name }];
  });
  const last = levels.at(-1)?.stage.rates;
  return {
    id: "per-gpu",
    title: "Output per GPU over output per user",
    summary: `What a user's speed costs in throughput: the fastest user and the busiest GPU are the two ends. At the last level ${orDash(last?.outputTokensPerSPerGpu, formatNumber)} tok/s per GPU, ${orDash(last?.outputTokensPerSPerUser, formatNumber)} per user.`,
    x: { label: "output tok/s per user", scale: "linear", format: axisNumber },
    y: { label: "output tok/s per GPU", scale: "linear", format: axisNumber },
    series: [{ name: "level", tone: 0, kind: "points", marks }],
    table: {
      columns: ["level", "output tok/s per user", "output tok/s per GPU"],
      isShort: true,
      rows: () =>
        levels.map(({ stage: { name, rates } }) => [
          name,
          orDash(rates.outputTokensPerSPerUser, formatNumber),
          orDash(rates.outputTokensPerSPerGpu, formatNumber),
        ]),
    },
  };
}
