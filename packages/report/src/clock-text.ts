import type { AgentClock, RunReport } from "@tokenstorm/core";
import { bestDrift, signedPpm } from "./best-drift.js";
import { printable } from "./columns.js";
import { formatNumber, formatUs, plural } from "./units.js";

type Term = AgentClock["terms"][number];

/** How the agents' clocks went, in a line, and a sentence for each thing amiss; none where they were not compared. */
export function clockTexts(report: RunReport): { text: string; colour: "plain" | "yellow" }[] {
  const clocks = report.agents.flatMap(({ id, clock }) => (clock == null ? [] : [{ id, clock }]));
  if (clocks.length === 0) return [];
  const terms = clocks.flatMap(({ clock }) => clock.terms);
  const parts = [comparedText(terms), driftText(clocks), ...skewText(clocks)];
  return [
    { text: parts.join("; "), colour: "plain" },
    ...(report.clocks?.sentences ?? []).map((text) => ({ text: printable(text), colour: "yellow" as const })),
  ];
}

function comparedText(terms: readonly Term[]): string {
  const times = Math.max(...terms.map(({ comparisons }) => comparisons));
  const spanMs = Math.max(...terms.map(({ first, last }) => last.atMs - first.atMs));
  const leaders = new Set(terms.map(({ term }) => term)).size;
  const by = leaders === 1 ? "the coordinator's" : `those of ${leaders} leaders one after the other`;
  return `compared with ${by} ${times === 1 ? "once" : `${times} times over ${formatUs(spanMs * 1000)}`}`;
}

/** Of each agent that of the leader under which it is known best. */
function driftText(clocks: readonly { readonly id: string; readonly clock: AgentClock }[]): string {
  const drifts = clocks.flatMap(({ id, clock }) => {
    const drift = bestDrift(clock);
    return drift === null ? [] : [{ id, ...drift }];
  });
  const [first] = drifts;
  if (first === undefined) return "for too short a time to tell a drift";
  const slowest = drifts.reduce((one, other) => (other.ppm < one.ppm ? other : one), first);
  const fastest = drifts.reduce((one, other) => (other.ppm > one.ppm ? other : one), first);
  const within = `known within ${formatNumber(Math.max(...drifts.map(({ errorPpm }) => errorPpm)))} ppm`;
  const named = (one: typeof first) => `${signedPpm(one.ppm, formatNumber)} ppm (${printable(one.id)})`;
  const range = drifts.length === 1 ? named(first) : `${named(slowest)} to ${named(fastest)}`;
  const untold = clocks.length - drifts.length;
  return `drift ${range}, ${within}${untold === 0 ? "" : `; of ${plural(untold, "agent")} it cannot be told`}`;
}

function skewText(clocks: readonly { readonly clock: AgentClock }[]): string[] {
  const skews = clocks.flatMap(({ clock }) => clock.skew ?? []);
  if (skews.length === 0) return [];
  const most = Math.max(...skews.map(({ us }) => Math.abs(us)));
  const within = Math.max(...skews.map(({ errorUs }) => errorUs));
  const atUs = Math.max(...skews.map(({ atMs }) => atMs)) * 1000;
  return [`skew at ${formatUs(atUs)} at most ${formatUs(most)}, known within ${formatUs(within)}`];
}
