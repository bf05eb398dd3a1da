import type { RunFacts, ServerSample } from "../run/facts.js";
import {
  REPORT_LATENCIES,
  type ReportLatency,
  type RequestCounts,
  type StageReport,
  type TokenCounts,
} from "../run/report.js";
import { shareLowerBound } from "../statistics/shares.js";
import type { Aggregate } from "./aggregate.js";
import { total } from "./counts.js";
import { fillReasons } from "./fill-reasons.js";
import type { Histogram } from "./histogram.js";
import { type CensoredSample, summariseLatency } from "./latency-summary.js";
import { lengthSummary } from "./length-summary.js";
import { type LevelData, ownersOf } from "./level-data.js";
import { levelNotes } from "./level-notes.js";
import { membersOf } from "./members.js";
import { serverInWindow } from "./server-window.js";
import type { DueCounts, MetricName } from "./snapshot.js";
import { stampUncertainty } from "./stamp-uncertainty.js";
import { workReports } from "./work-report.js";

const CENSORED: Partial<Record<ReportLatency, MetricName>> = {
  ttft: "ttftCensored",
  e2e: "e2eCensored",
  response: "responseCensored",
};

/** One row of the report. Null stands where there is nothing to say; never NaN. */
export function stageReport(
  level: LevelData,
  input: {
    readonly facts: RunFacts;
    readonly aggregate: Aggregate;
    readonly serverSamples: readonly ServerSample[];
  },
): StageReport {
  const { stage, due, flow, windowUs, windowStartUs } = level;
  const failed = total(due.failed);
  return {
    name: stage.name,
    ...(stage.kind === "users" ? { users: stage.users } : { rps: stage.fromRps }),
    steady: level.isSteady,
    tooShort: level.isTooShort,
    notes: levelNotes(level),
    windowStartEpochUs: (input.facts.record.start?.epochUs ?? 0) + windowStartUs,
    windowStartUs,
    windowMs: windowUs / 1000,
    inFlight: {
      asked: level.asked,
      mean: level.inFlightMean,
      minAtLeast: flow.inFlightMin,
      maxAtMost: flow.inFlightMax,
    },
    server: serverInWindow(input.serverSamples, {
      fromUs: windowStartUs,
      toUs: windowStartUs + windowUs,
    }),
    requests: requestCounts([due]),
    success: {
      rate: due.completed + failed === 0 ? null : due.completed / (due.completed + failed),
      lower95: shareLowerBound(due.completed, due.completed + failed),
    },
    goodput: goodputOf(level),
    failures: definite(due.failed),
    drops: definite(due.dropped),
    tokens: tokenCounts([due]),
    rates: ratesOf(level, input.facts.record.plan.target.gpus),
    latencyUs: latenciesOf(level),
    ...furtherFigures(level),
    ...workOf(level, input),
    ...membersOf(input.aggregate.block(stage.index, "measured"), windowUs, input.facts.record),
    stampUncertainty: stampUncertainty(
      input.aggregate.loopDelays(stage.index),
      input.aggregate.probes(stage.index),
    ),
    completedPerUserMin: completedPerUserMin(level, input),
    stimulus: { ...level.stimulus, notFilled: fillReasons(level) },
  };
}

function workOf(
  { stage }: LevelData,
  { aggregate, facts }: { readonly aggregate: Aggregate; readonly facts: RunFacts },
): Pick<StageReport, "work"> {
  const work = workReports(aggregate.block(stage.index, "measured"), facts.record.plan);
  return work.length === 0 ? {} : { work };
}

/** Every request that was due counts, whatever became of it; null where the plan has no limits for one. */
function goodputOf({ due, windowUs, hasSlos }: LevelData): NonNullable<StageReport["goodput"]> | null {
  if (!hasSlos) return null;
  return {
    share: due.offered === 0 ? null : due.good / due.offered,
    requestsPerS: windowUs === 0 ? 0 : (due.good * 1e6) / windowUs,
  };
}

function ratesOf(
  { flow, windowUs, inFlightMean }: LevelData,
  gpus: number | undefined,
): StageReport["rates"] {
  const perS = (count: number) => (windowUs === 0 ? 0 : (count * 1e6) / windowUs);
  const outputTokensPerS = perS(flow.outputTokens);
  return {
    requestsPerS: perS(flow.completed),
    outputTokensPerS,
    promptTokensPerS: perS(flow.promptTokens),
    outputTokensPerSPerGpu: gpus === undefined ? null : outputTokensPerS / gpus,
    outputTokensPerSPerUser: inFlightMean === 0 ? null : outputTokensPerS / inFlightMean,
    eventsPerS: perS(flow.events),
  };
}

/** Of these a request that was cut leaves no age: any figure could be another with what it had still to come. */
const WITHOUT_AGE: ReadonlySet<ReportLatency> = new Set(["itl", "tpot"]);
const ANY_FIGURE = ["p50", "p90", "p95", "p99", "p999", "mean", "max"];

function latenciesOf({ histograms, due }: LevelData): StageReport["latencyUs"] {
  const of = (name: ReportLatency) => {
    const censored = CENSORED[name];
    const sample: CensoredSample = {
      known: histograms.get(name),
      censored: censored === undefined ? undefined : histograms.get(censored),
    };
    const summary = summariseLatency(sample);
    const isOpen = WITHOUT_AGE.has(name) && due.censored + due.unknown > 0 && summary.count > 0;
    return [name, isOpen ? { ...summary, atLeast: ANY_FIGURE } : summary] as const;
  };
  const [ttft, itl, tpot, e2e, response, scheduleLag] = REPORT_LATENCIES.map((name) => of(name)[1]);
  const none = summariseLatency({ known: undefined, censored: undefined });
  return {
    ttft: ttft ?? none,
    itl: itl ?? none,
    tpot: tpot ?? none,
    e2e: e2e ?? none,
    response: response ?? none,
    scheduleLag: scheduleLag ?? none,
  };
}

/** What a level has beside its row: each is said in docs/measuring.md. */
function furtherFigures({ histograms, due, flow }: LevelData) {
  const summary = (known: Histogram | undefined) => summariseLatency({ known, censored: undefined });
  // A request that was cut may have had its first event, or its longest gap, still to come.
  const open = (known: Histogram | undefined) => {
    const summed = summary(known);
    const isOpen = due.censored + due.unknown > 0 && summed.count > 0;
    return isOpen ? { ...summed, atLeast: ANY_FIGURE } : summed;
  };
  return {
    moreLatencyUs: {
      firstEvent: open(histograms.get("firstEvent")),
      firstContent: open(histograms.get("firstContent")),
      headers: open(histograms.get("headers")),
      connect: summary(histograms.get("connect")),
      gap: open(histograms.get("gap")),
    },
    failureLatencyUs: {
      fromSent: summary(histograms.get("failedService")),
      fromDue: summary(histograms.get("failedE2e")),
    },
    tokensPerEvent: flow.events === 0 ? null : flow.outputTokens / flow.events,
    eventsPerArrival: flow.arrivals === 0 ? null : flow.events / flow.arrivals,
    // A completed request told one: where none is counted, the agents are older.
    finishReasons: due.completed > 0 && total(due.finish) === 0 ? null : definite(due.finish),
    outputLength: lengthSummary(histograms.get("outputTokens"), due),
  };
}

/** Of all users of the level; null where an agent did not say, and for open load. */
function completedPerUserMin(
  { stage }: LevelData,
  { facts, aggregate }: { readonly facts: RunFacts; readonly aggregate: Aggregate },
): number | null {
  if (stage.kind !== "users") return null;
  let fewest: number | null = null;
  for (const { final } of ownersOf(facts.record, stage, aggregate)) {
    if (final === null) return null;
    const own = final.completedPerUserMin[String(stage.index)];
    // An agent may have no user in this level.
    if (own !== undefined) fewest = fewest === null ? own : Math.min(fewest, own);
  }
  return fewest;
}

function definite(counts: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const entries = Object.entries(counts).flatMap(([name, count]) =>
    count === undefined || count === 0 ? [] : [[name, count] as const],
  );
  return Object.fromEntries(entries);
}

/** Sums of one or several blocks' requests. */
export function requestCounts(blocks: readonly DueCounts[]): RequestCounts {
  const sum = (of: (due: DueCounts) => number) => blocks.reduce((so, due) => so + of(due), 0);
  return {
    offered: sum((due) => due.offered),
    sent: sum((due) => due.sent),
    completed: sum((due) => due.completed),
    failed: sum((due) => total(due.failed)),
    cancelled: sum((due) => due.cancelled),
    dropped: sum((due) => total(due.dropped)),
    unknown: sum((due) => due.unknown),
    censored: sum((due) => due.censored),
    staleRetries: sum((due) => due.staleRetries),
  };
}

/** Tokens of completed requests; measured means beside what was asked for. */
export function tokenCounts(blocks: readonly DueCounts[]): TokenCounts {
  const sum = (of: (due: DueCounts) => number) => blocks.reduce((so, due) => so + of(due), 0);
  const completed = sum((due) => due.completed);
  const mean = (all: number) => (completed === 0 ? null : all / completed);
  const prompt = sum((due) => due.promptTokens);
  const output = sum((due) => due.outputTokens);
  const sources = {
    usage: sum((due) => due.tokenSource.usage ?? 0),
    continuous: sum((due) => due.tokenSource.continuous ?? 0),
    events: sum((due) => due.tokenSource.events ?? 0),
    none: sum((due) => due.tokenSource.none ?? 0),
  };
  const names = ["usage", "continuous", "events", "none"] as const;
  const most = names.toSorted((a, b) => sources[b] - sources[a])[0];
  return {
    prompt,
    cachedPrompt: sum((due) => due.cachedPromptTokens),
    output,
    source: most === undefined || sources[most] === 0 ? "none" : most,
    sources,
    // Of a sum to which some prompts add nothing there is no mean.
    askedPromptMean: blocks.some((due) => due.promptsOfUnknownLength > 0)
      ? null
      : mean(sum((due) => due.askedPromptTokens)),
    askedOutputMean: mean(sum((due) => due.askedOutputTokens)),
    promptMean: mean(prompt),
    outputMean: mean(output),
  };
}
