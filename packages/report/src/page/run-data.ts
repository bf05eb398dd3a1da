import {
  type IntervalVitals,
  intervalVitals,
  measuredWindow,
  type ResolvedStage,
  type RunEvent,
  type RunFacts,
  type RunRecord,
  type RunReport,
  type SummaryInput,
  stageLengthUs,
  summariseRun,
} from "@tokenstorm/core";
import { foldLines, type RunLines } from "../rebuild.js";
import { limitText } from "../text-report.js";
import { vitalsOverTime } from "./agent-lines.js";
import { conditionsOf } from "./conditions.js";
import { IntervalSums } from "./interval-sums.js";
import { levelData } from "./level-curves.js";
import { pageFacts } from "./page-facts.js";
import type { LevelData, PageEvent, RunData, RunSeries, Span } from "./report-data.js";

/**
 * What the page shows of a run, from its directory's lines; the report in it is the one that the other formats show. The
 * proof alone is not in the lines: it is about a second run too.
 */
export async function runData(lines: RunLines, proof?: RunReport["proof"]): Promise<RunData> {
  const { facts } = lines;
  const events = [...lines.events];
  const sums = new IntervalSums({ intervalUs: facts.record.plan.intervalMs * 1000, endUs: facts.endUs });
  const intervals: IntervalVitals[] = [];
  const input = await foldLines({ ...lines, events }, (snapshot) => {
    sums.add(snapshot);
    intervals.push(withoutBuckets(intervalVitals(snapshot)));
  });
  const report = { ...summariseRun(input), ...(proof === undefined ? {} : { proof }) };
  return {
    version: 1,
    kind: "run",
    report,
    limit: limitText(report),
    facts: pageFacts(report),
    conditions: conditionsOf(facts, report),
    levels: levelsOf(report, input),
    series: report.run.startedAt === null ? null : seriesOf(input, intervals, sums),
    events: eventsOf(facts, events),
  };
}

/** Where a report is all that was kept: no curves and no lines over time. */
export function reportOnlyData(report: RunReport): RunData {
  return {
    version: 1,
    kind: "run",
    report,
    limit: limitText(report),
    facts: pageFacts(report),
    conditions: [],
    levels: [],
    series: null,
    events: [],
  };
}

function levelsOf(report: RunReport, { facts, stages, aggregate }: SummaryInput): LevelData[] {
  const { record } = facts;
  return report.stages.map(({ windowStartUs, name }) => {
    const stage = stages.find((one) => one.name === name && windowStartOf(one, record) === windowStartUs);
    if (stage === undefined) return levelData(undefined, []);
    return levelData(aggregate.block(stage.index, "measured"), aggregate.levelIntervals(stage.index));
  });
}

function windowStartOf(stage: ResolvedStage, record: RunRecord): number | null {
  const window = measuredWindow(stage);
  return window === null ? null : (record.stageStartsUs[stage.index] ?? 0) + window.fromUs;
}

function seriesOf(input: SummaryInput, intervals: readonly IntervalVitals[], sums: IntervalSums): RunSeries {
  return {
    points: sums.points,
    pointUs: sums.pointUs,
    intervalUs: sums.intervalUs,
    intervalsPerPoint: sums.intervalsPerPoint,
    spans: spansOf(input),
    isClosed: input.facts.record.plan.load.kind === "users",
    agents: sums.fewestAgents(),
    inFlight: sums.rate((sum, us) => sum.inFlightUs / us),
    outputTokensPerS: sums.rate((sum, us) => (sum.outputTokens * 1e6) / us),
    requestsPerS: sums.rate((sum, us) => (sum.completed * 1e6) / us),
    failed: sums.total(({ failed }) => failed),
    dropped: sums.total(({ dropped }) => dropped),
    latency: { ttft: sums.latency("ttft"), itl: sums.latency("itl"), e2e: sums.latency("e2e") },
    heat: { ttft: sums.heat("ttft"), itl: sums.heat("itl") },
    server: sums.server(input.serverSamples),
    ...vitalsOverTime(input.aggregate, intervals, sums),
  };
}

/** The buckets are most of it, and no line shows them. */
function withoutBuckets(interval: IntervalVitals): IntervalVitals {
  const { selfProbe, ...vitals } = interval.vitals;
  if (selfProbe === undefined) return interval;
  return { ...interval, vitals: { ...vitals, selfProbe: { ...selfProbe, buckets: [] } } };
}

/** Stages and their phases on the time axis, as far as the run came. */
function spansOf({ facts, stages }: SummaryInput): Span[] {
  const { stageStartsUs } = facts.record;
  return stages.flatMap((stage, i): Span[] => {
    const startUs = stageStartsUs[stage.index];
    if (startUs === null || startUs === undefined || startUs >= facts.endUs) return [];
    const nextUs = stageStartsUs[stages[i + 1]?.index ?? -1];
    const lengthUs = stageLengthUs(stage);
    const endUs = Math.min(facts.endUs, lengthUs === null ? (nextUs ?? facts.endUs) : startUs + lengthUs);
    const asked = stage.kind === "users" ? stage.users : stage.toRps;
    const window = measuredWindow(stage);
    const fromUs = window === null ? endUs : Math.min(endUs, startUs + window.fromUs);
    const span = { stage: stage.name, asked };
    const before = { ...span, phase: stage.isWarmUp ? ("warm-up" as const) : ("ramp" as const) };
    return [
      { ...before, fromUs: startUs, toUs: fromUs },
      { ...span, phase: "measured" as const, fromUs, toUs: endUs },
    ].filter((one) => one.toUs > one.fromUs);
  });
}

function eventsOf({ record }: RunFacts, events: readonly RunEvent[]): PageEvent[] {
  const zeroMs = record.start === null ? null : record.start.epochUs / 1000;
  return events.flatMap((event): PageEvent[] => {
    const text = textOf(event);
    if (text === null || !("wallMs" in event)) return [];
    const atUs = zeroMs === null ? null : Math.round((event.wallMs - zeroMs) * 1000);
    return [{ atUs, text }];
  });
}

/** Null for what is no news to a reader. */
function textOf(event: RunEvent): string | null {
  switch (event.kind) {
    case "state":
      return `state: ${event.state}`;
    case "note":
      return event.text;
    default:
      return null;
  }
}
