import { plannedArrivals } from "../load/planned-arrivals.js";
import type { ResolvedStage } from "../load/stages.js";
import type { RunFacts, ServerSample } from "../run/facts.js";
import type { AgentClock, RunReport } from "../run/report.js";
import type { Problem } from "../run/run-record.js";
import { longestAsked } from "../workload/members.js";
import type { AgentIntervals, Aggregate } from "./aggregate.js";
import { clocksOf } from "./clocks.js";
import { completenessOf, missingReasons } from "./completeness.js";
import { colourIntervals, type IntervalColours } from "./interval-colours.js";
import { judgeThreshold } from "./judge-threshold.js";
import { leadingOf } from "./leading.js";
import { type LevelData, levelsOf, lostOnSlopes, settledDue, unreachedLevels } from "./level-data.js";
import { lossesOf } from "./losses.js";
import { runSaturation } from "./run-saturation.js";
import { serverChecks, serverLatencyChecks } from "./server-checks.js";
import { serverTotals } from "./server-window.js";
import { requestCounts, stageReport, tokenCounts } from "./stage-report.js";
import { startOf } from "./stimulus.js";
import { parseThreshold } from "./thresholds.js";
import { judgeRun } from "./verdict.js";

export interface SummaryInput {
  readonly facts: RunFacts;
  readonly stages: readonly ResolvedStage[];
  readonly aggregate: Aggregate;
  readonly serverSamples: readonly ServerSample[];
}

/**
 * The whole report from what a run left behind; the same input gives the same report, whoever folds it. Called by the
 * leader at the verdict and by whoever reads a run directory.
 */
export function summariseRun(input: SummaryInput): RunReport {
  const { facts, stages, aggregate } = input;
  const { record } = facts;
  const planned = plannedArrivals(record.plan, stages);
  const levels = levelsOf({ record, stages, aggregate, planned });
  const rows = levels.map((level) => stageReport(level, input));
  const colours = colourIntervals(aggregate, levels);
  const agents = aggregate.agents();
  const completeness = completenessOf(aggregate, agents);
  const missing = missingReasons(completeness, agents, record.plan.intervalMs);
  const leading = leadingOf(facts, agents);
  const losses = lossesOf(record, stages);
  const lost = sumOfLost(levels) + lostOnSlopes({ record, stages, aggregate, planned });
  const totals = totalsOf(facts, aggregate, { isWhole: missing.length === 0, lost });
  const thresholds = judgeThresholds(input, levels);
  // Clocks are compared again up to the start: the record knows better than the fold that was opened before it.
  const { clocks, byAgent: clockOf } = clocksOf(facts);
  const agentRows = agents.map((agent) => {
    const { agent: id } = agent.shard;
    const shard = record.shards.find((one) => one.agent === id) ?? agent.shard;
    return agentRow({ ...agent, shard }, colours.get(id), clockOf.get(id) ?? null);
  });
  const saturation = runSaturation(levels, { aggregate, rows });
  return {
    schemaVersion: 1,
    run: runOf(facts, agents),
    totals,
    verdict: judgeRun({ ...input, levels, rows, colours, totals, missing, thresholds }),
    completeness,
    agents: agentRows,
    ...(clocks === null ? {} : { clocks }),
    start: startOf(agentRows),
    stages: rows,
    thresholds,
    ...(leading === null ? {} : { leading }),
    ...(losses.length === 0 ? {} : { losses }),
    ...(saturation === null ? {} : { saturation }),
  };
}

/** The plan's schema has checked that each can be read. */
function judgeThresholds(
  { facts, stages }: SummaryInput,
  levels: readonly LevelData[],
): RunReport["thresholds"] {
  const unreached = unreachedLevels(stages, levels);
  return facts.record.plan.thresholds.flatMap((text) => {
    const threshold = parseThreshold(text);
    if ("problem" in threshold) return [];
    const judged = judgeThreshold(threshold, levels, unreached);
    // What ended the run stays failed, whatever the requests would have become that this has cut.
    const isCause = facts.record.problem?.threshold === threshold.expression;
    return [isCause ? { ...judged, result: "failed" } : judged];
  });
}

function runOf(facts: RunFacts, agents: readonly AgentIntervals[]): RunReport["run"] {
  const { record } = facts;
  const { state } = record;
  return {
    id: record.id,
    name: record.name,
    startedAt: record.start === null ? null : isoTime(record.start.epochUs),
    durationMs: facts.endUs / 1000,
    seed: record.plan.seed,
    salt: record.salt,
    transport: facts.transport,
    version: facts.version,
    planDigest: record.planDigest,
    // One that is not over yet has no other word in a report.
    state: state === "completed" || state === "aborted" ? state : "failed",
    model: facts.model,
    reader: [...new Set(agents.flatMap(({ final }) => final?.reader ?? []))].sort().join(", "),
    ...(facts.record.plan.target.facts === undefined ? {} : { facts: facts.record.plan.target.facts }),
    problem: problemOf(record.problem),
  };
}

function problemOf(problem: Problem | null): RunReport["run"]["problem"] {
  if (problem === null) return null;
  const { code, message, threshold } = problem;
  return { code, message, ...(threshold === undefined ? {} : { threshold }) };
}

/** ISO 8601 in UTC of a moment given in us since 1970. */
function isoTime(epochUs: number): string {
  return new Date(epochUs / 1000).toISOString();
}

/** Of all levels: what lost agents were to send, and no interval tells of. */
function sumOfLost(levels: readonly LevelData[]): number {
  return levels.reduce((sum, { lost }) => sum + lost.unknown, 0);
}

/** Requests by what became of them; tokens as they were received, also those of requests that did not complete. */
function totalsOf(
  facts: RunFacts,
  aggregate: Aggregate,
  { isWhole, lost }: { readonly isWhole: boolean; readonly lost: number },
): RunReport["totals"] {
  const blocks = aggregate.blocks();
  const due = blocks.map(settledDue);
  const requests = requestCounts(due);
  const totals = {
    requests: { ...requests, offered: requests.offered + lost, unknown: requests.unknown + lost },
    tokens: {
      ...tokenCounts(due),
      prompt: blocks.reduce((sum, { flow }) => sum + flow.promptTokens, 0),
      output: blocks.reduce((sum, { flow }) => sum + flow.outputTokens, 0),
    },
    server: serverTotals(facts),
  };
  const longest = longestAsked(facts.record.plan);
  const checks = {
    checks: serverChecks({ ...totals, isWhole, longest }),
    latencies: serverLatencyChecks(facts, blocks),
  };
  return { ...totals, server: { ...totals.server, ...checks } };
}

function agentRow(
  { shard, received, final }: AgentIntervals,
  colours: IntervalColours | undefined,
  clock: AgentClock | null,
): RunReport["agents"][number] {
  return {
    id: shard.agent,
    host: shard.host,
    shard: shard.index,
    version: shard.version,
    clockOffsetUs: shard.clockOffsetUs,
    clockErrorUs: shard.clockErrorUs,
    startErrorUs: final?.startErrorUs ?? null,
    intervals: received,
    redIntervals: colours?.red ?? 0,
    yellowIntervals: colours?.yellow ?? 0,
    builtLate: final?.builtLate ?? null,
    measuredIntervals: colours?.measured ?? 0,
    clock,
  };
}
