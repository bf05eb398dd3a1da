import type { ShardAssignment } from "../run/run-record.js";
import type { FoldedBlock } from "./aggregate.js";
import { addTo, emptyDue, emptyFlow, total } from "./counts.js";
import { HdrHistogram } from "./hdr-histogram.js";
import type { DecodedPayloads } from "./hdr-payload.js";
import { MemberFold } from "./member-fold.js";
import {
  type Block,
  type DueCounts,
  type FlowCounts,
  isCounted,
  METRICS,
  type MetricName,
  type Phase,
  WORK_METRICS,
  type WorkMetric,
  type WorkPart,
} from "./snapshot.js";
import { SparseHistogram } from "./sparse-histogram.js";
import { addWork } from "./work-part.js";

/** A run's time, us, that an interval took; what happened in it happened no earlier and no later. */
export interface Interval {
  readonly fromUs: number;
  readonly toUs: number;
}

/** What else there is to say of a block that is added. */
export interface BlockPlace {
  readonly shard: ShardAssignment;
  readonly interval: Interval;
  /** Counts of its histograms, from their check. */
  readonly kept: DecodedPayloads;
}

/** Agents that a level keeps apart; those of a higher shard are in the merged figures alone. */
export const AGENTS_APART = 256;

/** One (stage, phase) of all agents: sums, and by agent what does not add up or must not cancel out. */
export class BlockFold {
  readonly stage: number;
  readonly phase: Phase;
  readonly #flows = new Map<string, FlowCounts>();
  /** By agent: offered less ended. */
  readonly #open = new Map<string, number>();
  readonly #offered = new Map<string, number>();
  readonly #due = emptyDue();
  readonly #histograms = new Map<MetricName, HdrHistogram>();
  /** Of a measured block, by shard and by URL. */
  readonly #agents = new Map<number, MemberFold>();
  readonly #targets = new Map<number, MemberFold>();
  readonly #work = new Map<number, WorkPart>();
  readonly #workLatencies = new Map<number, Map<WorkMetric, SparseHistogram>>();
  #lastEnd: Interval | null = null;

  constructor(stage: number, phase: Phase) {
    this.stage = stage;
    this.phase = phase;
  }

  /** Adds a block whose histograms were checked; says how many samples it brought. */
  add(block: Block, { shard, interval, kept }: BlockPlace): number {
    const { agent, index } = shard;
    let flow = this.#flows.get(agent);
    if (flow === undefined) {
      flow = emptyFlow();
      this.#flows.set(agent, flow);
    }
    addInterval(flow, block.flow);
    addDue(this.#due, block.due);
    this.#offered.set(agent, (this.#offered.get(agent) ?? 0) + block.due.offered);
    this.#open.set(agent, (this.#open.get(agent) ?? 0) + block.due.offered - endedIn(block.due));
    this.#noteEnd(block.due, interval);
    if (this.phase === "measured") {
      if (index < AGENTS_APART) memberOf(this.#agents, index).addBlock(block, kept);
      for (const part of block.targets ?? []) memberOf(this.#targets, part.url).addTarget(part, kept);
    }
    for (const part of block.work ?? []) this.#addWork(part, kept);
    let samples = 0;
    for (const metric of METRICS) {
      const encoded = block.histograms[metric];
      if (encoded === undefined) continue;
      this.#histogram(metric).mergeChecked(encoded, kept);
      if (isCounted(metric)) samples += encoded.count;
    }
    return samples;
  }

  #addWork(part: WorkPart, kept: DecodedPayloads): void {
    const { histograms = {}, ...counts } = part;
    const found = this.#work.get(part.member);
    if (found === undefined) this.#work.set(part.member, counts);
    else addWork(found, part);
    for (const metric of WORK_METRICS) {
      const encoded = histograms[metric];
      if (encoded === undefined) continue;
      const ofMember = this.#workLatencies.get(part.member) ?? new Map<WorkMetric, SparseHistogram>();
      this.#workLatencies.set(part.member, ofMember);
      const histogram = ofMember.get(metric) ?? new SparseHistogram();
      ofMember.set(metric, histogram);
      histogram.mergeChecked(encoded, kept);
    }
  }

  /** The latest ends no earlier than the latest interval with an end begins, whoever's it is. */
  #noteEnd({ completed, failed, cancelled }: DueCounts, { fromUs, toUs }: Interval): void {
    if (completed + total(failed) + cancelled === 0) return;
    const before = this.#lastEnd ?? { fromUs, toUs };
    this.#lastEnd = { fromUs: Math.max(before.fromUs, fromUs), toUs: Math.max(before.toUs, toUs) };
  }

  flowOf(agent: string): FlowCounts | undefined {
    return this.#flows.get(agent);
  }

  offeredBy(agent: string): number {
    return this.#offered.get(agent) ?? 0;
  }

  folded(): FoldedBlock {
    const flow = emptyFlow();
    for (const one of this.#flows.values()) addAgent(flow, one);
    let unsettled = 0;
    let unoffered = 0;
    for (const open of this.#open.values()) {
      unsettled += Math.max(0, open);
      unoffered += Math.max(0, -open);
    }
    const { stage, phase } = this;
    return {
      stage,
      phase,
      flow,
      due: this.#due,
      unsettled,
      unoffered,
      histograms: this.#histograms,
      agents: this.#agents,
      targets: this.#targets,
      work: this.#work,
      workLatencies: this.#workLatencies,
      lastEnd: this.#lastEnd,
    };
  }

  #histogram(metric: MetricName): HdrHistogram {
    const found = this.#histograms.get(metric);
    if (found !== undefined) return found;
    const histogram = new HdrHistogram();
    this.#histograms.set(metric, histogram);
    return histogram;
  }
}

function memberOf(members: Map<number, MemberFold>, key: number): MemberFold {
  const found = members.get(key);
  if (found !== undefined) return found;
  const member = new MemberFold();
  members.set(key, member);
  return member;
}

function endedIn(due: DueCounts): number {
  const { completed, cancelled, unknown, censored } = due;
  return completed + total(due.failed) + cancelled + total(due.dropped) + unknown + censored;
}

/** Another interval of the same agent: times follow each other, the bounds widen. */
function addInterval(flow: FlowCounts, other: FlowCounts): void {
  addFlow(flow, other);
  // A block may hold only what became of requests: then its bounds are of no time at all.
  if (other.durationUs === 0) return;
  const isFirst = flow.durationUs === 0;
  flow.inFlightMin = isFirst ? other.inFlightMin : Math.min(flow.inFlightMin, other.inFlightMin);
  flow.inFlightMax = isFirst ? other.inFlightMax : Math.max(flow.inFlightMax, other.inFlightMax);
  flow.durationUs += other.durationUs;
}

/** Another agent, side by side with the first: times do not add up, the bounds do. */
function addAgent(flow: FlowCounts, other: FlowCounts): void {
  addFlow(flow, other);
  flow.durationUs = Math.max(flow.durationUs, other.durationUs);
  flow.inFlightMin += other.inFlightMin;
  flow.inFlightMax += other.inFlightMax;
}

/** What adds up alike over intervals and over agents. */
export function addFlow(flow: FlowCounts, other: FlowCounts): void {
  flow.inFlightUs += other.inFlightUs;
  flow.sent += other.sent;
  flow.ended += other.ended;
  flow.completed += other.completed;
  flow.outputTokens += other.outputTokens;
  flow.promptTokens += other.promptTokens;
  flow.arrivals += other.arrivals;
  flow.events += other.events;
  flow.coalesced += other.coalesced;
}

export function addDue(due: DueCounts, other: DueCounts): void {
  due.offered += other.offered;
  due.sent += other.sent;
  due.unsent += other.unsent;
  due.completed += other.completed;
  due.cancelled += other.cancelled;
  due.unknown += other.unknown;
  due.censored += other.censored;
  due.staleRetries += other.staleRetries;
  due.promptTokens += other.promptTokens;
  due.cachedPromptTokens += other.cachedPromptTokens;
  due.outputTokens += other.outputTokens;
  due.partialOutputTokens += other.partialOutputTokens;
  due.good += other.good;
  due.askedPromptTokens += other.askedPromptTokens;
  due.askedOutputTokens += other.askedOutputTokens;
  due.promptsOfUnknownLength += other.promptsOfUnknownLength;
  addByName(due.failed, other.failed);
  addByName(due.finish, other.finish);
  addByName(due.dropped, other.dropped);
  addByName(due.tokenSource, other.tokenSource);
}

function addByName<Name extends string>(
  counts: Partial<Record<Name, number>>,
  other: Partial<Record<Name, number>>,
): void {
  for (const name in other) addTo(counts, name, other[name] ?? 0);
}
