import type { LatencySummary, RunReport, StageReport } from "@tokenstorm/core";
import { printable } from "./columns.js";
import type { Paint } from "./paint.js";
import { type Column, type ColumnGroup, renderTables } from "./table.js";
import { formatCount, formatLoad, formatNumber, formatShare, formatUs } from "./units.js";

type Stages = RunReport["stages"];

/** One row per level: what was asked, what was in flight, success, throughput and latency. */
export function renderLevels(
  stages: Stages,
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  if (stages.length === 0) return ["No level was reached."];
  const first: Column = { title: "level", cells: stages.map((stage) => levelName(stage, options.paint)) };
  const groups = [
    rateGroup(stages),
    inFlightGroup(stages),
    successGroup(stages, options.paint),
    outputGroup(stages),
    latencyGroup("TTFT", stages, (stage) => stage.latencyUs.ttft),
    latencyGroup("ITL", stages, (stage) => stage.latencyUs.itl),
    latencyGroup("E2E", stages, (stage) => stage.latencyUs.e2e),
    responseGroup(stages),
    serverGroup(stages),
    doneGroup(stages),
  ];
  return renderTables(
    first,
    groups.filter((group) => group !== undefined),
    options,
  );
}

/** A level whose row cannot be read without its notes carries a mark. */
export function isMarked(stage: StageReport): boolean {
  return stage.tooShort || !stage.steady || stage.notes.length > 0;
}

function levelName(stage: StageReport, paint: Paint): string {
  const name = printable(stage.name);
  return isMarked(stage) ? `${name}${paint.yellow("!")}` : name;
}

const orDash = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? "-" : format(value);

/** Open load alone: the rate that was asked is the level. */
function rateGroup(stages: Stages): ColumnGroup | undefined {
  if (stages.every((stage) => stage.rps === undefined)) return undefined;
  return {
    title: "requests/s",
    columns: [
      { title: "asked", cells: stages.map((stage) => orDash(stage.rps, formatNumber)) },
      { title: "done", cells: stages.map((stage) => formatNumber(stage.rates.requestsPerS)) },
    ],
  };
}

function inFlightGroup(stages: Stages): ColumnGroup {
  const measured = { title: "measured", cells: stages.map((stage) => formatNumber(stage.inFlight.mean)) };
  if (stages.every((stage) => stage.inFlight.asked === null)) {
    return { title: "in flight", columns: [measured] };
  }
  const asked = stages.map((stage) => orDash(stage.inFlight.asked, formatCount));
  return { title: "in flight", columns: [{ title: "asked", cells: asked }, measured] };
}

function successGroup(stages: Stages, paint: Paint): ColumnGroup {
  const rates = stages.map((stage) => {
    const text = orDash(stage.success.rate, formatShare);
    return stage.success.rate !== null && stage.success.rate < 1 ? paint.red(text) : text;
  });
  const isImperfect = (stage: StageReport) => stage.success.rate !== null && stage.success.rate < 1;
  const rate: Column = { title: "success", cells: rates };
  if (!stages.some(isImperfect)) return { title: "", columns: [rate] };
  const bounds = stages.map((stage) =>
    isImperfect(stage) ? orDash(stage.success.lower95, (lower) => `>=${formatShare(lower)}`) : "",
  );
  return { title: "", columns: [rate, { title: "at 95%", cells: bounds }] };
}

function outputGroup(stages: Stages): ColumnGroup {
  const column = (
    title: string,
    read: (rates: StageReport["rates"]) => number | null,
  ): Column | undefined => {
    if (stages.every((stage) => read(stage.rates) === null)) return undefined;
    return { title, cells: stages.map((stage) => orDash(read(stage.rates), formatNumber)) };
  };
  const columns = [
    column("total", (rates) => rates.outputTokensPerS),
    column("/GPU", (rates) => rates.outputTokensPerSPerGpu),
    column("/user", (rates) => rates.outputTokensPerSPerUser),
  ];
  return { title: "output tok/s", columns: columns.filter((one) => one !== undefined) };
}

function latencyGroup(
  title: string,
  stages: Stages,
  summaryOf: (stage: StageReport) => LatencySummary,
): ColumnGroup {
  return {
    title,
    columns: [
      { title: "p50", cells: stages.map((stage) => percentileCell(summaryOf(stage), "p50")) },
      { title: "p99", cells: stages.map((stage) => percentileCell(summaryOf(stage), "p99")) },
    ],
  };
}

/** `>=` where requests that were still unfinished could move the percentile. */
function percentileCell(summary: LatencySummary, name: "p50" | "p99"): string {
  return orDash(summary[name], (us) => `${summary.atLeast.includes(name) ? ">=" : ""}${formatUs(us)}`);
}

/** From the due time: under open load it is what a user would have waited. */
function responseGroup(stages: Stages): ColumnGroup | undefined {
  if (stages.every((stage) => stage.rps === undefined)) return undefined;
  return { ...latencyGroup("from due", stages, (stage) => stage.latencyUs.response), optional: true };
}

function serverGroup(stages: Stages): ColumnGroup | undefined {
  if (stages.every((stage) => stage.server.runningMean === null)) return undefined;
  return {
    title: "at the server",
    optional: true,
    columns: [
      { title: "running", cells: stages.map((stage) => orDash(stage.server.runningMean, formatNumber)) },
      { title: "waiting", cells: stages.map((stage) => orDash(stage.server.waitingMean, formatNumber)) },
      { title: "KV max", cells: stages.map((stage) => orDash(stage.server.kvUsageMax, formatLoad)) },
    ],
  };
}

function doneGroup(stages: Stages): ColumnGroup | undefined {
  if (stages.some((stage) => stage.rps !== undefined)) return undefined;
  const done = stages.map((stage) => formatNumber(stage.rates.requestsPerS));
  return { title: "", optional: true, columns: [{ title: "requests/s", cells: done }] };
}
