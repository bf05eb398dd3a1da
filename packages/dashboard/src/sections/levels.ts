import type { LatencySummary, ReportLatency, StageReport } from "@tokenstorm/core";
import {
  formatCount,
  formatLoad,
  formatNumber,
  formatShare,
  formatUs,
  type RunData,
} from "@tokenstorm/report/page";
import { h } from "../dom.js";
import { table } from "../table.js";
import { orDash } from "../words.js";

type Stages = RunData["report"]["stages"];

interface Column {
  readonly group: string;
  readonly title: string;
  readonly cell: (stage: StageReport) => string;
  /** A column in which no level has anything is left out. */
  readonly isKnown?: (stage: StageReport) => boolean;
}

const percentile = (summary: LatencySummary, name: "p50" | "p99"): string =>
  orDash(summary[name], (us) => `${summary.atLeast.includes(name) ? "≥ " : ""}${formatUs(us)}`);

const latency = (group: string, of: ReportLatency): Column[] =>
  (["p50", "p99"] as const).map((name) => ({
    group,
    title: name,
    cell: ({ latencyUs }) => percentile(latencyUs[of], name),
  }));

const known = (value: unknown): boolean => value !== null && value !== undefined;

const COLUMNS: readonly Column[] = [
  {
    group: "requests/s",
    title: "asked",
    cell: ({ rps }) => orDash(rps, formatNumber),
    isKnown: ({ rps }) => known(rps),
  },
  {
    group: "in flight",
    title: "asked",
    cell: ({ inFlight }) => orDash(inFlight.asked, formatCount),
    isKnown: ({ inFlight }) => known(inFlight.asked),
  },
  { group: "in flight", title: "measured", cell: ({ inFlight }) => formatNumber(inFlight.mean) },
  { group: "success", title: "share", cell: ({ success }) => orDash(success.rate, formatShare) },
  { group: "success", title: "at 95 % ≥", cell: ({ success }) => orDash(success.lower95, formatShare) },
  { group: "output tok/s", title: "total", cell: ({ rates }) => formatNumber(rates.outputTokensPerS) },
  {
    group: "output tok/s",
    title: "/GPU",
    cell: ({ rates }) => orDash(rates.outputTokensPerSPerGpu, formatNumber),
    isKnown: ({ rates }) => known(rates.outputTokensPerSPerGpu),
  },
  {
    group: "output tok/s",
    title: "/user",
    cell: ({ rates }) => orDash(rates.outputTokensPerSPerUser, formatNumber),
  },
  ...latency("TTFT", "ttft"),
  ...latency("ITL", "itl"),
  ...latency("E2E", "e2e"),
  {
    group: "at the server",
    title: "running",
    cell: ({ server }) => orDash(server.runningMean, formatNumber),
    isKnown: ({ server }) => known(server.runningMean),
  },
  {
    group: "at the server",
    title: "waiting",
    cell: ({ server }) => orDash(server.waitingMean, formatNumber),
    isKnown: ({ server }) => known(server.waitingMean),
  },
  {
    group: "at the server",
    title: "KV max",
    cell: ({ server }) => orDash(server.kvUsageMax, formatLoad),
    isKnown: ({ server }) => known(server.kvUsageMax),
  },
];

/** What does not fit beside them. */
const MORE: readonly Column[] = [
  { group: "", title: "window", cell: ({ windowMs }) => formatUs(windowMs * 1000) },
  { group: "", title: "requests/s", cell: ({ rates }) => formatNumber(rates.requestsPerS) },
  { group: "", title: "prompt tok/s", cell: ({ rates }) => formatNumber(rates.promptTokensPerS) },
  { group: "", title: "events/s", cell: ({ rates }) => formatNumber(rates.eventsPerS) },
  ...latency("TPOT", "tpot"),
  ...latency("response", "response"),
  ...latency("schedule lag", "scheduleLag"),
  {
    group: "goodput",
    title: "share",
    cell: ({ goodput }) => orDash(goodput?.share, formatShare),
    isKnown: ({ goodput }) => known(goodput),
  },
  {
    group: "goodput",
    title: "requests/s",
    cell: ({ goodput }) => orDash(goodput?.requestsPerS, formatNumber),
    isKnown: ({ goodput }) => known(goodput),
  },
  { group: "tokens each", title: "prompt", cell: ({ tokens }) => orDash(tokens.promptMean, formatNumber) },
  { group: "tokens each", title: "output", cell: ({ tokens }) => orDash(tokens.outputMean, formatNumber) },
  {
    group: "tokens",
    title: "per event",
    cell: ({ tokensPerEvent }) => orDash(tokensPerEvent, formatNumber),
    isKnown: ({ tokensPerEvent }) => known(tokensPerEvent),
  },
  {
    group: "requests per user",
    title: "least",
    cell: ({ completedPerUserMin }) => orDash(completedPerUserMin, formatCount),
    isKnown: ({ completedPerUserMin }) => known(completedPerUserMin),
  },
];

/** One row per level, with the columns of the text report and the notes that a row cannot be read without. */
export function levelTable(stages: Stages): HTMLElement {
  if (stages.length === 0) return h("p", {}, "No level was reached.");
  return h(
    "div",
    {},
    tableOf("Levels: latencies and rates of each measured window", stages, COLUMNS),
    notes(stages),
    h(
      "details",
      { class: "numbers short" },
      h("summary", {}, "Further figures of each level"),
      tableOf("Further figures of each measured window", stages, MORE),
    ),
  );
}

function tableOf(caption: string, stages: Stages, all: readonly Column[]): HTMLElement {
  const columns = all.filter(({ isKnown }) => isKnown === undefined || stages.some(isKnown));
  const groups: { title: string; span: number }[] = [{ title: "", span: 1 }];
  for (const { group } of columns) {
    const last = groups.at(-1);
    if (last !== undefined && groups.length > 1 && last.title === group) last.span += 1;
    else groups.push({ title: group, span: 1 });
  }
  return table({
    caption,
    groups,
    columns: ["level", ...columns.map(({ title }) => title)],
    rows: stages.map((stage) => [
      `${stage.name}${isMarked(stage) ? " !" : ""}`,
      ...columns.map(({ cell }) => cell(stage)),
    ]),
  });
}

function isMarked(stage: StageReport): boolean {
  return stage.tooShort || !stage.steady || stage.notes.length > 0;
}

function notes(stages: Stages): HTMLElement | null {
  const lines = stages.filter(isMarked).map((stage) => {
    const said = [
      ...(stage.tooShort && !stage.notes.some((note) => /short/i.test(note)) ? ["too short"] : []),
      ...(!stage.steady && !stage.notes.some((note) => /steady/i.test(note)) ? ["not steady"] : []),
      ...stage.notes,
    ];
    return `${stage.name} ! ${said.join("; ")}`;
  });
  const isBounded = stages.some(({ latencyUs }) =>
    [latencyUs.ttft, latencyUs.itl, latencyUs.tpot, latencyUs.e2e].some(({ atLeast }) => atLeast.length > 0),
  );
  if (isBounded) lines.push("≥ at least: requests that were cut unfinished could move it up");
  return lines.length === 0
    ? null
    : h(
        "ul",
        { class: "notes" },
        lines.map((line) => h("li", {}, line)),
      );
}
