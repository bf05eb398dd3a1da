import type { LiveLatency, LiveUpdate } from "@tokenstorm/core";
import { displayWidth, printable, truncate } from "./columns.js";
import { failureText, stageWords } from "./live-screen.js";
import { formatClock, formatNumber, formatUs } from "./units.js";

/**
 * One interval as one line, for `--ui plain` and logs. Notes of a run under way are lines of their own. Where a width is given, the parts that matter least are left
 * out until it fits.
 */
export function renderLiveLine(update: LiveUpdate, options: { readonly width?: number } = {}): string {
  const parts = lineParts(update);
  const join = () => parts.map((part) => part.text).join(" | ");
  if (options.width === undefined) return join();
  while (parts.length > 1 && displayWidth(join()) > options.width) {
    const last = Math.max(...parts.map((part) => part.rank));
    parts.splice(
      parts.findLastIndex((part) => part.rank === last),
      1,
    );
  }
  return truncate(join(), options.width);
}

/** In the order in which they stand; the highest rank goes first when there is no room. */
function lineParts(update: LiveUpdate): { text: string; rank: number }[] {
  const { inFlight, server, rates, latencyUs, agents } = update;
  const failures = failureText(update);
  const asked = inFlight.asked === null ? "" : `/${formatNumber(inFlight.asked)}`;
  const poor = agents.filter((agent) => agent.colour !== "green");
  const colours = poor.length === 0 ? "" : `, ${poor.length} not green`;
  const parts = [
    { text: [formatClock(update.runTimeUs), ...stageWords(update)].join(" "), rank: 0 },
    { text: `in flight ${formatNumber(inFlight.measured)}${asked}`, rank: 1 },
    { text: `${formatNumber(rates.outputTokensPerS)} tok/s`, rank: 2 },
    { text: `${formatNumber(rates.requestsPerS)} req/s`, rank: 6 },
    { text: latencyText("TTFT", latencyUs.ttft), rank: 4 },
    { text: latencyText("ITL", latencyUs.itl), rank: 5 },
    { text: latencyText("E2E", latencyUs.e2e), rank: 7 },
    ...(server === null
      ? []
      : [{ text: `server ${formatNumber(server.running)}+${formatNumber(server.waiting)}`, rank: 8 }]),
    { text: failures === "" ? "no failures" : `FAILED ${failures}`, rank: failures === "" ? 10 : 3 },
    { text: `agents ${agents.length}${colours}`, rank: poor.length === 0 ? 9 : 3 },
  ];
  if (update.stage !== null) return parts;
  // Before the first stage there is nothing to measure: only what is waited for.
  const note = update.notes.at(-1);
  const waiting = [...parts.slice(0, 1), { text: `agents ${agents.length}`, rank: 1 }];
  return note === undefined ? waiting : [...waiting, { text: printable(note), rank: 2 }];
}

function latencyText(name: string, latency: LiveLatency): string {
  return latency.count === 0 ? `${name} -` : `${name} ${formatUs(latency.p50)}/${formatUs(latency.p99)}`;
}
