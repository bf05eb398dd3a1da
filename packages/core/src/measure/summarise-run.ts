import type { ResolvedStage } from "../load/stages.js";
import type { RunFacts, ServerSample } from "../run/facts.js";
import type { RunReport } from "../run/report.js";
import { isTerminal } from "../run/run-record.js";
import type { AgentIntervals, Aggregate } from "./aggregate.js";
import { judgeThreshold } from "./judge-threshold.js";
import { levelsOf } from "./level-data.js";
import { requestCounts, stageReport, tokenCounts } from "./stage-report.js";
import { parseThreshold } from "./thresholds.js";
import { colourIntervals, type IntervalColours, judgeRun } from "./verdict.js";

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
  const levels = levelsOf(record, stages, aggregate);
  const rows = levels.map((level) => stageReport(level, input));
  const colours = colourIntervals(aggregate, levels);
  const agents = aggregate.agents();
  const completeness = completenessOf(aggregate, agents);
  const isComplete =
    completeness.intervalsReceived === completeness.intervalsExpected &&
    agents.every(({ final }) => final !== null);
  const thresholds = record.plan.thresholds.flatMap((text) => {
    const threshold = parseThreshold(text);
    return "problem" in threshold ? [] : [judgeThreshold(threshold, levels, isComplete)];
  });
  const totals = totalsOf(facts, aggregate);
  const agentsWithoutFinal = agents.filter(({ final }) => final === null).map(({ shard }) => shard.agent);
  return {
    schemaVersion: 1,
    run: runOf(facts, agents),
    totals,
    verdict: judgeRun({ facts, levels, rows, colours, totals, completeness, agentsWithoutFinal, thresholds }),
    completeness,
    agents: agents.map((agent) => agentRow(agent, colours.get(agent.shard.agent))),
    stages: rows,
    thresholds,
  };
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
    state: isTerminal(state) && (state === "completed" || state === "aborted") ? state : "failed",
    model: facts.model,
    reader: agents.find(({ final }) => final !== null)?.final?.reader ?? "",
    problem: record.problem === null ? null : { code: record.problem.code, message: record.problem.message },
  };
}

/** ISO 8601 in UTC of a moment given in us since 1970. */
function isoTime(epochUs: number): string {
  return new Date(epochUs / 1000).toISOString();
}

function totalsOf(facts: RunFacts, aggregate: Aggregate): RunReport["totals"] {
  const due = aggregate.blocks().map((block) => block.due);
  const before = facts.serverBefore;
  const after = facts.serverAfter;
  const isKnown = before !== null && after !== null;
  return {
    requests: requestCounts(due),
    tokens: tokenCounts(due),
    server: {
      prompt: isKnown ? after.counters.promptTokens - before.counters.promptTokens : null,
      output: isKnown ? after.counters.generationTokens - before.counters.generationTokens : null,
      successes: isKnown ? after.counters.successes - before.counters.successes : null,
      prefixHitTokens: isKnown ? after.counters.prefixHits - before.counters.prefixHits : null,
      exact: isKnown && before.quiescent && after.quiescent,
    },
  };
}

function completenessOf(aggregate: Aggregate, agents: readonly AgentIntervals[]): RunReport["completeness"] {
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

function agentRow(
  { shard, received, final }: AgentIntervals,
  colours: IntervalColours | undefined,
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
    measuredIntervals: colours?.measured ?? 0,
  };
}
