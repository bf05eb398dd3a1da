import type { RunReport } from "../run/report.js";
import type { AgentIntervals, Aggregate } from "./aggregate.js";

/** What was recorded, as the agents say themselves, beside what came. */
export function completenessOf(
  aggregate: Aggregate,
  agents: readonly AgentIntervals[],
): RunReport["completeness"] {
  const samplesMerged = aggregate.samplesMerged();
  const hasAllFinals = agents.every(({ final }) => final !== null);
  const said = agents.reduce((sum, { final }) => sum + (final?.samplesRecorded ?? 0), 0);
  return {
    intervalsExpected: agents.reduce((sum, { expected }) => sum + expected, 0),
    intervalsReceived: agents.reduce((sum, { received }) => sum + received, 0),
    // An agent without a final word recorded at least what came of it.
    samplesRecorded: hasAllFinals ? said : Math.max(said, samplesMerged),
    samplesMerged,
    missing: agents.flatMap(({ shard, missing }) =>
      missing.map(({ from, to }) => ({ agent: shard.agent, from, to })),
    ),
  };
}

/** Gaps that a sentence names; the report lists all. */
const MOST_GAPS = 5;

/** What is missing, a sentence each, with the names of agents. */
export function missingReasons(
  completeness: RunReport["completeness"],
  agents: readonly AgentIntervals[],
  intervalMs: number,
): string[] {
  const { intervalsExpected, intervalsReceived, samplesRecorded, samplesMerged, missing } = completeness;
  const reasons: string[] = [];
  if (intervalsReceived < intervalsExpected) {
    const gaps = missing.slice(0, MOST_GAPS).map(({ agent, from, to }) => {
      const window = `${((from - 1) * intervalMs) / 1000}-${(to * intervalMs) / 1000} s`;
      return `${agent} ${from === to ? from : `${from}-${to}`}: ${window}`;
    });
    const more = missing.length > MOST_GAPS ? `; and ${missing.length - MOST_GAPS} more gaps` : "";
    const lost = intervalsExpected - intervalsReceived;
    reasons.push(`${lost} of ${intervalsExpected} intervals are missing (${gaps.join("; ")}${more})`);
  }
  if (samplesMerged !== samplesRecorded) {
    reasons.push(`${samplesMerged} latency samples were merged of ${samplesRecorded} recorded`);
  }
  for (const { shard, final } of agents) {
    if (final !== null && final.evicted > 0 && missing.some(({ agent }) => agent === shard.agent)) {
      reasons.push(`${shard.agent} gave up ${final.evicted} intervals before they were confirmed`);
    }
  }
  const silent = agents.filter(({ final }) => final === null);
  if (silent.length > 0) {
    const last = silent.map(({ shard, expected }) => `${shard.agent} (known to have cut ${expected})`);
    reasons.push(`no final word came from ${last.join(", ")}: what else is missing is not known`);
  }
  return reasons;
}
