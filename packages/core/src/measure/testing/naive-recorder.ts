import { emptyDue, emptyFlow } from "../counts.js";
import type { DueCounts, FlowCounts, MetricName, Phase } from "../snapshot.js";
import type { ScriptedRequest, ScriptedRun } from "./scripted-run.js";

export interface NaiveBlock {
  readonly flow: FlowCounts;
  readonly due: DueCounts;
  readonly values: Partial<Record<MetricName, number[]>>;
}

/** What a recorder must say of a run, request by request and segment by segment, with no care for speed. */
export function naiveBlocks(run: ScriptedRun): Map<string, NaiveBlock> {
  const blocks = new Map<string, NaiveBlock>();
  const blockOf = (key: string): NaiveBlock => {
    const block = blocks.get(key) ?? { flow: emptyFlow(), due: emptyDue(), values: {} };
    blocks.set(key, block);
    return block;
  };
  const segments = naiveSegments(run);
  for (const { key, fromUs, toUs } of segments) {
    blockOf(key).flow.durationUs += toUs - fromUs;
    for (const { sentUs, end } of run.requests) {
      const overlapUs = Math.min(end?.tUs ?? 0, toUs) - Math.max(sentUs ?? 0, fromUs);
      if (sentUs !== null && end !== null && overlapUs > 0) blockOf(key).flow.inFlightUs += overlapUs;
    }
  }
  for (const request of run.requests) {
    countFlow(request, (tUs) => blockOf(segments.find((one) => tUs < one.toUs)?.key ?? "none").flow);
    countDue(run, request, blockOf(duePhase(run, request)));
  }
  return blocks;
}

interface NaiveSegment {
  readonly key: string;
  readonly fromUs: number;
  readonly toUs: number;
}

/** Written out by hand for the stages of `randomRun`. */
function naiveSegments(run: ScriptedRun): NaiveSegment[] {
  const points: [number, string][] = [
    [0, "0 warm-up"],
    [217_000, "0 between"],
    [300_000, "1 ramp"],
    [500_000, "1 measured"],
    [1_000_000, "2 measured"],
    [1_330_000, "3 measured"],
    [1_580_000, "4 ramp"],
    [1_700_000, "5 measured"],
    [2_150_000, "5 drain"],
  ];
  const { stopUs } = run;
  const kept = points.filter(([tUs]) => stopUs === null || tUs < stopUs);
  if (stopUs !== null) kept.push([stopUs, `${kept.at(-1)?.[1].split(" ")[0]} drain`]);
  return kept.map(([fromUs, key], i) => ({ key, fromUs, toUs: kept[i + 1]?.[0] ?? run.finishUs }));
}

function duePhase(run: ScriptedRun, { stage, dueUs }: ScriptedRequest): string {
  const phases: readonly Phase[] = ["warm-up", "measured", "measured", "measured", "ramp", "measured"];
  const isRamp = stage === 1 && dueUs < (run.startsUs[1] ?? 0) + 200_000;
  return `${stage} ${isRamp ? "ramp" : phases[stage]}`;
}

/** When the count of a request's stage is closed; events at that moment come too late. */
export function closeUs(run: ScriptedRun, stage: number): number {
  const edges = [217_000, 1_000_000, 1_330_000, 1_580_000, 1_700_000, 2_150_000];
  const edgeUs = edges[stage] ?? 0;
  return Math.min(edgeUs, run.stopUs ?? edgeUs) + run.graceUs;
}

function countFlow(request: ScriptedRequest, flowAt: (tUs: number) => FlowCounts): void {
  const { sentUs, events, end } = request;
  if (sentUs !== null) flowAt(sentUs).sent += 1;
  let tokens = 0;
  for (const event of events) {
    if (event.tokens === 0) continue;
    const flow = flowAt(event.tUs);
    flow.events += 1;
    flow.outputTokens += event.tokens;
    if (event.sameRead) flow.coalesced += 1;
    else flow.arrivals += 1;
    tokens += event.tokens;
  }
  if (end === null) return;
  const flow = flowAt(end.tUs);
  if (sentUs !== null) flow.ended += 1;
  if (end.how.outcome.kind === "completed") flow.completed += 1;
  if (end.how.usage === null) return;
  flow.promptTokens += end.how.usage.prompt;
  flow.outputTokens += end.how.usage.output - tokens;
}

function countDue(run: ScriptedRun, request: ScriptedRequest, block: NaiveBlock): void {
  const { due, values } = block;
  const closedUs = closeUs(run, request.stage);
  const put = (metric: MetricName, value: number, times = 1) => {
    const list = values[metric] ?? [];
    values[metric] = list;
    for (let i = 0; i < times; i += 1) list.push(value);
  };
  const { dueUs, beginUs, sentUs, headersUs, drop, end } = request;
  due.offered += 1;
  if (beginUs !== null && beginUs < closedUs) {
    put("scheduleLag", beginUs - dueUs);
    if (request.connectUs !== null) put("connect", request.connectUs);
    if (request.staleRetry) due.staleRetries += 1;
  }
  const hasSent = sentUs !== null && sentUs < closedUs;
  if (hasSent) due.sent += 1;
  const seen = request.events.filter((event) => event.tUs < closedUs);
  const arrivals = arrivalsOf(seen);
  if (hasSent) {
    if (headersUs !== null && headersUs < closedUs) put("headers", headersUs - sentUs);
    if (seen[0] !== undefined) put("firstEvent", seen[0].tUs - sentUs);
    const firstContent = seen.find(({ content }) => content);
    if (firstContent !== undefined) put("firstContent", firstContent.tUs - sentUs);
    if (arrivals[0] !== undefined) put("ttft", arrivals[0].tUs - sentUs);
    for (const [i, arrival] of arrivals.entries()) {
      const before = arrivals[i - 1];
      if (before === undefined) continue;
      put("gap", arrival.tUs - before.tUs);
      put("itl", Math.round((arrival.tUs - before.tUs) / arrival.tokens), arrival.tokens);
    }
  }
  const received = seen.reduce((sum, { tokens }) => sum + tokens, 0);
  const finishedUs = drop?.tUs ?? end?.tUs ?? Number.POSITIVE_INFINITY;
  if (finishedUs >= closedUs) {
    due.censored += 1;
    due.partialOutputTokens += received;
    if (arrivals.length === 0) put("ttftCensored", hasSent ? closedUs - sentUs : 0);
    put("e2eCensored", hasSent ? closedUs - sentUs : 0);
    put("responseCensored", closedUs - dueUs);
  } else if (drop !== null) due.dropped[drop.reason] = (due.dropped[drop.reason] ?? 0) + 1;
  else if (end !== null) countEnd(request, { block, put, arrivals, received, end });
}

interface Arrival {
  readonly tUs: number;
  tokens: number;
}

function arrivalsOf(events: ScriptedRequest["events"]): Arrival[] {
  const arrivals: Arrival[] = [];
  for (const { tUs, tokens, sameRead } of events) {
    if (tokens === 0) continue;
    const last = arrivals.at(-1);
    if (sameRead && last !== undefined) last.tokens += tokens;
    else arrivals.push({ tUs, tokens });
  }
  return arrivals;
}

function countEnd(
  request: ScriptedRequest,
  facts: {
    readonly block: NaiveBlock;
    readonly put: (metric: MetricName, value: number) => void;
    readonly arrivals: readonly Arrival[];
    readonly received: number;
    readonly end: NonNullable<ScriptedRequest["end"]>;
  },
): void {
  const { put, arrivals, received, end } = facts;
  const { due } = facts.block;
  const { outcome, usage, tokenSource, finish } = end.how;
  const { dueUs, sentUs } = request;
  if (sentUs === null) due.unsent += 1;
  if (finish !== null && outcome.kind !== "cancelled") due.finish[finish] = (due.finish[finish] ?? 0) + 1;
  if (outcome.kind !== "completed" || sentUs === null) {
    due.partialOutputTokens += received;
    if (outcome.kind === "cancelled") due.cancelled += 1;
    if (outcome.kind === "failed") {
      due.failed[outcome.reason] = (due.failed[outcome.reason] ?? 0) + 1;
      put("failedE2e", end.tUs - dueUs);
      if (sentUs !== null) put("failedService", end.tUs - sentUs);
    }
    return;
  }
  const tokens = usage?.output ?? received;
  const first = arrivals[0]?.tUs ?? 0;
  const tpotUs = tokens < 2 ? null : Math.round(((arrivals.at(-1)?.tUs ?? 0) - first) / (tokens - 1));
  due.completed += 1;
  due.outputTokens += tokens;
  due.askedPromptTokens += 7;
  due.askedOutputTokens += 9;
  due.tokenSource[tokenSource] = (due.tokenSource[tokenSource] ?? 0) + 1;
  put("e2e", end.tUs - sentUs);
  put("response", end.tUs - dueUs);
  put("outputTokens", tokens);
  if (tpotUs !== null) put("tpot", tpotUs);
  if (usage !== null) {
    due.promptTokens += usage.prompt;
    due.cachedPromptTokens += usage.cachedPrompt;
    put("inputTokens", usage.prompt);
  }
  const isGood = first - sentUs <= 60_000 && (tpotUs ?? 0) <= 25_000 && end.tUs - sentUs <= 250_000;
  if (isGood) due.good += 1;
}
