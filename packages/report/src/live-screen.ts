import type { LiveAgent, LiveLatency, LiveUpdate } from "@tokenstorm/core";
import { padEnd, printable, truncate, wrap } from "./columns.js";
import { type Paint, paint } from "./paint.js";
import { progressBar, sparkline } from "./sparkline.js";
import { renderTables } from "./table.js";
import { formatClock, formatCount, formatLoad, formatNumber, formatUs, plural } from "./units.js";

export interface LiveOptions {
  readonly width: number;
  /** Lines of the terminal; the table of agents gives way first. */
  readonly height?: number;
  readonly colour: boolean;
}

const NARROWEST = 40;
const LABEL = 15;
const WIDEST_HISTORY = 60;
const MOST_NOTES = 5;
const LONGEST_STAGE_NAME = 24;

/** The live view as lines of at most `width` columns, to be drawn over the ones before. */
export function renderLive(update: LiveUpdate, options: LiveOptions): string[] {
  const width = Math.max(NARROWEST, options.width);
  const colours = paint(options.colour);
  const top = [headLine(update, width, colours), stageLine(update, width, colours)];
  if (update.stage !== null || update.totals.offered > 0) {
    top.push("", ...flowLines(update, width, colours));
    top.push("", ...latencyLines(update, width, colours));
    top.push("", ...countLines(update, width, colours));
  }
  const notes = update.notes
    .slice(-MOST_NOTES)
    .flatMap((note) => wrap(`! ${printable(note)}`, { width, indent: 2 }).map(colours.yellow));
  const room = options.height === undefined ? 16 : options.height - top.length - notes.length - 4;
  const agents = agentLines(update.agents, { width, colours, room: Math.max(1, room) });
  return [...top, "", ...agents, ...(notes.length === 0 ? [] : ["", ...notes])].map((line) =>
    truncate(line, width),
  );
}

function headLine(update: LiveUpdate, width: number, colours: Paint): string {
  const how =
    update.transport === "nats"
      ? `${plural(update.agents.length, "agent")} over NATS`
      : "in one process, not over NATS";
  const name = update.name === "" || update.name === update.run ? "" : ` ${printable(update.name)}`;
  const left = `tokenstorm ${printable(update.run)}${name}`;
  const right = `${update.state}, ${how}`;
  const gap = Math.max(2, width - left.length - right.length);
  return `${colours.bold(left)}${" ".repeat(gap)}${colours.cyan(right)}`;
}

/** Which stage, what part of it, how far, and the time left of it and in all. */
function stageLine(update: LiveUpdate, width: number, colours: Paint): string {
  const { stage } = update;
  if (stage === null) {
    return update.state === "submitted" || update.state === "gathering"
      ? "waiting for agents"
      : `${update.state}: no stage has begun`;
  }
  const words = stageWords(update).join("  ");
  const room = Math.min(40, width - words.length - 2);
  if (update.totalLeftUs === null || room < 8) return words;
  const share = update.runTimeUs / Math.max(1, update.runTimeUs + update.totalLeftUs);
  return `${words}  ${colours.cyan(progressBar(share, room))}`;
}

/** `stage 2 of 4 u100`, `measured`, `0:05 left`, `0:31 in all`. */
export function stageWords(update: LiveUpdate): string[] {
  const { stage, totalLeftUs } = update;
  if (stage === null) return [update.state];
  return [
    `stage ${stage.index + 1} of ${stage.count} ${truncate(printable(stage.name), LONGEST_STAGE_NAME)}`,
    stage.phase,
    ...(stage.leftUs === null ? [] : [`${formatClock(stage.leftUs)} left`]),
    ...(totalLeftUs === null ? [] : [`${formatClock(totalLeftUs)} in all`]),
  ];
}

function flowLines(update: LiveUpdate, width: number, colours: Paint): string[] {
  const { inFlight, rates, history, server } = update;
  const asked = inFlight.asked === null ? "" : `of ${formatNumber(inFlight.asked)}`;
  const rows = [
    { label: "in flight", value: formatNumber(inFlight.measured), more: asked, values: history.inFlight },
    {
      label: "output tok/s",
      value: formatNumber(rates.outputTokensPerS),
      more: "",
      values: history.outputTokensPerS,
    },
  ];
  const lines = rows.map(({ label, value, more, values }) => {
    const head = `${label.padEnd(LABEL)}${value.padStart(10)} ${more.padEnd(10)}  `;
    const bars = sparkline(values, Math.min(WIDEST_HISTORY, width - head.length)).trimEnd();
    return bars === "" ? head.trimEnd() : head + colours.cyan(bars);
  });
  lines.push(
    `${"requests/s".padEnd(LABEL)}${formatNumber(rates.requestsPerS).padStart(10)}   ` +
      `prompt tok/s ${formatNumber(rates.promptTokensPerS)}`,
  );
  const atServer =
    server === null
      ? "no gauges are read at the target"
      : `${formatNumber(server.running).padStart(10)} running, ${formatNumber(server.waiting)} waiting, ` +
        `KV cache ${formatLoad(server.kvUsage)}`;
  lines.push(`${"at the server".padEnd(LABEL)}${server === null ? colours.dim(atServer) : atServer}`);
  return lines;
}

function latencyLines(update: LiveUpdate, width: number, colours: Paint): string[] {
  const rows: readonly (readonly [string, LiveLatency])[] = [
    ["TTFT", update.latencyUs.ttft],
    ["ITL", update.latencyUs.itl],
    ["E2E", update.latencyUs.e2e],
  ];
  const cell = (latency: LiveLatency, us: number) => (latency.count === 0 ? "-" : formatUs(us));
  const first = { title: "latency", cells: rows.map(([name]) => padEnd(name, LABEL - 2)) };
  const columns = [
    { title: "      p50", cells: rows.map(([, latency]) => cell(latency, latency.p50)) },
    { title: "      p99", cells: rows.map(([, latency]) => cell(latency, latency.p99)) },
    { title: "     samples", cells: rows.map(([, latency]) => formatCount(latency.count)) },
  ];
  return renderTables(first, [{ title: "", columns }], { width, paint: colours });
}

function countLines(update: LiveUpdate, width: number, colours: Paint): string[] {
  const { totals } = update;
  const counts = (["offered", "completed", "failed", "cancelled", "dropped"] as const)
    .filter((name) => totals[name] > 0 || name === "completed" || name === "failed")
    .map((name) => `${formatCount(totals[name])} ${name}`)
    .join(", ");
  const lines = wrap(`${"requests".padEnd(LABEL)}${counts}`, { width, indent: LABEL });
  const failures = failureText(update);
  if (failures !== "") {
    lines.push(...wrap(`${"failures".padEnd(LABEL)}${failures}`, { width, indent: LABEL }).map(colours.red));
  }
  return lines;
}

/** `http-5xx 12, empty 3`, most frequent first. */
export function failureText(update: LiveUpdate): string {
  return Object.entries(update.failures)
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${printable(reason)} ${formatCount(count)}`)
    .join(", ");
}

const RANK = { red: 0, yellow: 1, green: 2 } as const;
const SILENT_MS = 3000;

function agentLines(
  agents: readonly LiveAgent[],
  options: { readonly width: number; readonly colours: Paint; readonly room: number },
): string[] {
  const { colours, room, width } = options;
  if (agents.length === 0) return [colours.dim("no agent yet")];
  // With more agents than lines, the ones in trouble are shown.
  const sorted =
    agents.length > room
      ? [...agents].sort((a, b) => RANK[a.colour] - RANK[b.colour] || b.silentMs - a.silentMs)
      : agents;
  const shown = sorted.slice(0, agents.length > room ? Math.max(1, room - 1) : room);
  const column = (
    title: string,
    cellOf: (agent: LiveAgent) => string,
    align: "left" | "right" = "right",
  ) => ({
    title,
    align,
    cells: shown.map(cellOf),
  });
  const vitals = [
    column("vitals", (agent) => colours[agent.colour](agent.colour), "left"),
    column("state", (agent) => printable(agent.state), "left"),
  ];
  const figures = [
    column("in flight", (agent) => formatNumber(agent.inFlight)),
    column("CPU", (agent) => formatLoad(agent.cpu)),
    column("loop p99", (agent) => formatUs(agent.loopDelayP99Us)),
    column("lag p99", (agent) => formatUs(agent.scheduleLagP99Us)),
  ];
  const seen = shown.some((agent) => agent.silentMs >= SILENT_MS)
    ? [column("silent for", (agent) => (agent.silentMs >= SILENT_MS ? formatUs(agent.silentMs * 1000) : ""))]
    : [];
  const lines = renderTables(
    { title: "agent", cells: shown.map((agent) => printable(agent.id)) },
    [
      { title: "", columns: vitals },
      { title: "", columns: [...figures, ...seen] },
      { title: "", optional: true, columns: [column("host", (agent) => printable(agent.host), "left")] },
    ],
    { width, paint: colours },
  );
  if (shown.length < agents.length) lines.push(colours.dim(`and ${agents.length - shown.length} more`));
  return lines;
}
