import type { ResolvedStage } from "../load/stages.js";
import { stageLengthUs, stagePhaseAt } from "../load/timeline.js";
import type { Aggregate, IntervalSummary } from "../measure/aggregate.js";
import { createHistogram } from "../measure/hdr-histogram.js";
import type { Histogram } from "../measure/histogram.js";
import { judgeVitals, vitalsFactor } from "../measure/judge-vitals.js";
import type { MetricName, Phase } from "../measure/snapshot.js";
import type { AgentView } from "./agent-view.js";
import type { ServerSample } from "./facts.js";
import type { LiveAgent, LiveLatency, LiveUpdate } from "./live.js";
import { liveStages } from "./live-stages.js";
import { isTerminal, type RunRecord } from "./run-record.js";

/** Latencies are those of the last intervals of the stage, up to this span: one interval may end no long request. */
const LATENCY_SPAN_US = 10_000_000;
const HISTORY = 60;
/** The message must stay below a megabyte; those in trouble come first then. */
const MOST_AGENTS = 2000;
const MOST_NOTES = 100;
const LONGEST_NOTE = 4096;

export interface LiveInput {
  readonly record: RunRecord;
  readonly stages: readonly ResolvedStage[];
  readonly transport: "nats" | "memory";
  /** Run time, us; undefined before a start is committed. */
  readonly runTimeUs: number | undefined;
  /** The run's agents, or those that are there while it still gathers. */
  readonly agents: readonly AgentView[];
  /** Those that the leader has given up. */
  readonly givenUp: readonly string[];
  /** Null before the start. */
  readonly aggregate: Aggregate | null;
  /** The target's last sample. */
  readonly server: ServerSample | null;
  readonly notes: readonly string[];
}

/** The merged message that viewers read. Called by the leader once a second. */
export function buildLiveUpdate(input: LiveInput): LiveUpdate {
  const { record, stages, aggregate } = input;
  const runTimeUs = Math.max(0, input.runTimeUs ?? 0);
  const stage = stageNow(input);
  const intervals = aggregate?.recentIntervals() ?? [];
  const isOver = isTerminal(record.state);
  const factor = vitalsFactor(itlMedianUs(input, stage));
  return {
    run: record.id,
    name: record.name,
    state: record.state,
    transport: input.transport,
    runTimeUs,
    stage:
      stage === null ? null : { index: stage.index, count: stages.length, ...describeStage(stage, input) },
    measuredStage: intervals.at(-1)?.stage,
    totalLeftUs: totalLeftUs(input),
    inFlight: {
      asked: stage === null || isOver ? null : askedInFlight(stage.stage, stage.tUs, stage.phase),
      measured: meanInFlight(intervals.at(-1)),
    },
    server: serverNow(input.server),
    rates: ratesOf(intervals.at(-1)),
    latencyUs: {
      ttft: latencyOf(intervals, "ttft"),
      itl: latencyOf(intervals, "itl"),
      e2e: latencyOf(intervals, "e2e"),
    },
    ...totalsOf(aggregate),
    stages: aggregate === null ? [] : liveStages(stages, aggregate),
    agents: liveAgents(input, factor),
    history: {
      outputTokensPerS: intervals.slice(-HISTORY).map((interval) => ratesOf(interval).outputTokensPerS),
      inFlight: intervals.slice(-HISTORY).map(meanInFlight),
    },
    notes: notesOf(input),
  };
}

interface StageNow {
  readonly index: number;
  readonly stage: ResolvedStage;
  /** Since the stage's start, us. */
  readonly tUs: number;
  readonly phase: Phase;
}

/** The last stage whose start is committed and has come. Null before time zero. */
function stageNow({ record, stages, runTimeUs }: LiveInput): StageNow | null {
  if (runTimeUs === undefined || runTimeUs < 0) return null;
  const index = record.stageStartsUs.findLastIndex((startUs) => startUs !== null && startUs <= runTimeUs);
  const stage = stages[index];
  const startUs = record.stageStartsUs[index];
  if (stage === undefined || startUs == null) return null;
  const tUs = runTimeUs - startUs;
  const isDraining = record.state !== "running";
  const next = record.stageStartsUs[index + 1];
  // With the next start committed, all have done this stage bounded by requests.
  const isBetween = stageLengthUs(stage) === null && next != null;
  const phase = isDraining ? "drain" : isBetween ? "between" : stagePhaseAt(stage, tUs);
  return { index, stage, tUs, phase };
}

function describeStage(now: StageNow, { record, runTimeUs = 0 }: LiveInput) {
  const lengthUs = stageLengthUs(now.stage);
  const next = record.stageStartsUs[now.index + 1];
  const edgeUs = lengthUs === null ? (next ?? null) : runTimeUs - now.tUs + lengthUs;
  const leftUs = edgeUs === null || now.phase === "drain" ? null : Math.max(0, edgeUs - runTimeUs);
  return { name: now.stage.name, phase: now.phase, leftUs };
}

/** Until the end of the last stage; null while a stage bounded by requests is still to end. */
function totalLeftUs({ record, stages, runTimeUs }: LiveInput): number | null {
  if (runTimeUs === undefined) return null;
  if (record.state !== "running") return 0;
  const startUs = record.stageStartsUs.at(-1);
  const last = stages.at(-1);
  const lengthUs = last === undefined ? null : stageLengthUs(last);
  if (startUs == null || lengthUs === null) return null;
  return Math.max(0, startUs + lengthUs - Math.max(0, runTimeUs));
}

/**
 * How many requests the plan wants in flight: the users that have started by then, added ones evenly over the ramp.
 * Null for open load, where the plan asks for arrivals.
 */
export function askedInFlight(stage: ResolvedStage, tInStageUs: number, phase: Phase): number | null {
  if (stage.kind !== "users") return null;
  if (phase === "drain" || phase === "between") return 0;
  const added = stage.users - stage.staying;
  if (tInStageUs >= stage.rampUpUs) return stage.users;
  return stage.staying + Math.min(added, Math.floor((added * Math.max(0, tInStageUs)) / stage.rampUpUs) + 1);
}

function meanInFlight(interval: IntervalSummary | undefined): number {
  if (interval === undefined || interval.toUs <= interval.fromUs) return 0;
  return interval.flow.inFlightUs / (interval.toUs - interval.fromUs);
}

function ratesOf(interval: IntervalSummary | undefined): LiveUpdate["rates"] {
  const seconds = interval === undefined ? 0 : (interval.toUs - interval.fromUs) / 1e6;
  if (interval === undefined || seconds <= 0)
    return { requestsPerS: 0, outputTokensPerS: 0, promptTokensPerS: 0 };
  const { completed, outputTokens, promptTokens } = interval.flow;
  return {
    requestsPerS: completed / seconds,
    outputTokensPerS: outputTokens / seconds,
    promptTokensPerS: promptTokens / seconds,
  };
}

function latencyOf(intervals: readonly IntervalSummary[], metric: MetricName): LiveLatency {
  const last = intervals.at(-1);
  if (last === undefined) return NO_LATENCY;
  const histograms = intervals
    .filter(({ stage, toUs }) => stage === last.stage && toUs > last.toUs - LATENCY_SPAN_US)
    .flatMap((interval) => interval.histograms.get(metric) ?? [])
    .filter((histogram) => histogram.count > 0);
  const [only] = histograms;
  if (only === undefined) return NO_LATENCY;
  const merged = histograms.length === 1 ? only : mergeAll(histograms);
  const value = (percentile: number) => merged.percentile(percentile) ?? 0;
  return { count: merged.count, p50: value(50), p90: value(90), p99: value(99) };
}

const NO_LATENCY: LiveLatency = { count: 0, p50: 0, p90: 0, p99: 0 };

function mergeAll(histograms: readonly Histogram[]): Histogram {
  const merged = createHistogram();
  for (const histogram of histograms) merged.merge(histogram);
  return merged;
}

function serverNow(sample: ServerSample | null): LiveUpdate["server"] {
  return sample === null
    ? null
    : { running: sample.running, waiting: sample.waiting, kvUsage: sample.kvUsage };
}

function totalsOf(aggregate: Aggregate | null): Pick<LiveUpdate, "totals" | "failures"> {
  const totals = { offered: 0, completed: 0, failed: 0, cancelled: 0, dropped: 0 };
  const failures: Record<string, number> = {};
  for (const { due } of aggregate?.blocks() ?? []) {
    totals.offered += due.offered;
    totals.completed += due.completed;
    totals.cancelled += due.cancelled;
    for (const count of Object.values(due.dropped)) totals.dropped += count;
    for (const [reason, count] of Object.entries(due.failed)) {
      totals.failed += count;
      failures[reason] = (failures[reason] ?? 0) + count;
    }
  }
  return { totals, failures };
}

/** The stage's own, in its measured part so far; limits in milliseconds follow it. */
function itlMedianUs({ aggregate }: LiveInput, now: StageNow | null): number | null {
  if (now === null || aggregate === null) return null;
  return aggregate.block(now.index, "measured")?.histograms.get("itl")?.percentile(50) ?? null;
}

function liveAgents({ agents, givenUp }: LiveInput, factor: number): LiveAgent[] {
  const all = agents.map((agent) => liveAgent(agent, givenUp, factor));
  if (all.length <= MOST_AGENTS) return all;
  const rank = (agent: LiveAgent) => (agent.state === "lost" ? 0 : TROUBLE_RANK[agent.colour]);
  return all.sort((a, b) => rank(a) - rank(b)).slice(0, MOST_AGENTS);
}

const TROUBLE_RANK = { red: 1, yellow: 2, green: 3 } as const;

function liveAgent(agent: AgentView, givenUp: readonly string[], factor: number): LiveAgent {
  const { vitals } = agent;
  return {
    id: agent.agent,
    host: agent.host,
    state: givenUp.includes(agent.agent) ? "lost" : agent.state,
    colour: vitals === null ? "green" : judgeVitals(vitals, factor).colour,
    cpu: vitals?.cpu ?? 0,
    loopDelayP99Us: vitals?.loopDelayP99Us ?? 0,
    scheduleLagP99Us: vitals?.scheduleLagP99Us ?? 0,
    inFlight: agent.ledger?.inFlight ?? 0,
    silentMs: Math.round(agent.silentUs / 1000),
  };
}

/** What ended the run stands last, where viewers of few lines see it. */
function notesOf({ record, notes }: LiveInput): string[] {
  const problem = record.problem === null ? [] : [record.problem.message];
  return [...notes, ...problem].slice(-MOST_NOTES).map((note) => note.slice(0, LONGEST_NOTE));
}
