import { assert } from "../errors.js";
import type { ResolvedStage } from "../load/stages.js";
import type { ShardAssignment } from "../run/run-record.js";
import type { AgentIntervals, Aggregate, FoldedBlock, IntervalSummary, IntervalVitals } from "./aggregate.js";
import { addCounts, addTo, emptyDue, emptyFlow } from "./counts.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import { createRecentIntervals, type RecentIntervals } from "./recent-intervals.js";
import type { Block, DueCounts, Final, FlowCounts, MetricName, Phase, Snapshot } from "./snapshot.js";
import { METRICS } from "./snapshot.js";

export interface AggregateOptions {
  readonly stages: readonly ResolvedStage[];
  readonly shards: readonly ShardAssignment[];
}

/** An empty fold for one run. Its cost grows with intervals and buckets, never with requests. */
export function createAggregate(options: AggregateOptions): Aggregate {
  return new Fold(options);
}

/** What is known of one agent's intervals. */
interface AgentBook {
  readonly shard: ShardAssignment;
  readonly seqs: Set<number>;
  contiguous: number;
  highest: number;
  atLeast: number;
  final: Final | null;
}

interface BlockBook {
  readonly stage: number;
  readonly phase: Phase;
  readonly flows: Map<string, FlowCounts>;
  readonly due: DueCounts;
  readonly histograms: Map<MetricName, Histogram>;
}

class Fold implements Aggregate {
  readonly #stages: number;
  readonly #agents: Map<string, AgentBook>;
  readonly #blocks = new Map<string, BlockBook>();
  readonly #vitals: IntervalVitals[] = [];
  readonly #recent: RecentIntervals;
  #samples = 0;

  constructor({ stages, shards }: AggregateOptions) {
    this.#stages = stages.length;
    this.#agents = new Map(
      shards.map((shard) => [
        shard.agent,
        { shard, seqs: new Set<number>(), contiguous: 0, highest: 0, atLeast: 0, final: null },
      ]),
    );
    this.#recent = createRecentIntervals(shards.length);
  }

  fold(snapshot: Snapshot): "folded" | "duplicate" | "foreign" {
    const book = this.#bookOf(snapshot.agent, snapshot.epoch);
    if (book === undefined || snapshot.seq < 1) return "foreign";
    if (snapshot.blocks.some(({ stage }) => stage >= this.#stages)) return "foreign";
    if (book.seqs.has(snapshot.seq)) return "duplicate";
    book.seqs.add(snapshot.seq);
    book.highest = Math.max(book.highest, snapshot.seq);
    while (book.seqs.has(book.contiguous + 1)) book.contiguous += 1;
    for (const block of snapshot.blocks) this.#foldBlock(snapshot.agent, block);
    this.#vitals.push(vitalsOf(snapshot));
    this.#recent.add(snapshot);
    return "folded";
  }

  foldFinal(final: Final): "folded" | "duplicate" | "foreign" {
    const book = this.#bookOf(final.agent, final.epoch);
    if (book === undefined) return "foreign";
    if (book.final !== null) return "duplicate";
    book.final = final;
    return "folded";
  }

  expectAtLeast(agent: string, epoch: number, lastSeq: number): void {
    const book = this.#bookOf(agent, epoch);
    if (book !== undefined) book.atLeast = Math.max(book.atLeast, lastSeq);
  }

  contiguous(agent: string): number {
    return this.#agents.get(agent)?.contiguous ?? 0;
  }

  agents(): readonly AgentIntervals[] {
    return [...this.#agents.values()].map((book) => {
      const expected = Math.max(book.final?.lastSeq ?? book.atLeast, book.highest);
      return {
        shard: book.shard,
        received: book.seqs.size,
        expected,
        final: book.final,
        missing: gapsOf(book, expected),
      };
    });
  }

  block(stage: number, phase: Phase): FoldedBlock | undefined {
    const book = this.#blocks.get(keyOf(stage, phase));
    return book === undefined ? undefined : foldedBlock(book);
  }

  agentBlock(agent: string, stage: number, phase: Phase): FlowCounts | undefined {
    return this.#blocks.get(keyOf(stage, phase))?.flows.get(agent);
  }

  blocks(): readonly FoldedBlock[] {
    return [...this.#blocks.values()].map(foldedBlock);
  }

  intervalVitals(): readonly IntervalVitals[] {
    return this.#vitals;
  }

  recentIntervals(): readonly IntervalSummary[] {
    return this.#recent.complete();
  }

  samplesMerged(): number {
    return this.#samples;
  }

  #bookOf(agent: string, epoch: number): AgentBook | undefined {
    const book = this.#agents.get(agent);
    return book?.shard.epoch === epoch ? book : undefined;
  }

  #foldBlock(agent: string, block: Block): void {
    const key = keyOf(block.stage, block.phase);
    let book = this.#blocks.get(key);
    if (book === undefined) {
      const { stage, phase } = block;
      book = { stage, phase, flows: new Map(), due: emptyDue(), histograms: new Map() };
      this.#blocks.set(key, book);
    }
    const flow = book.flows.get(agent);
    if (flow === undefined) book.flows.set(agent, { ...block.flow });
    else addInterval(flow, block.flow);
    addDue(book.due, block.due);
    for (const metric of METRICS) {
      const encoded = block.histograms[metric];
      if (encoded === undefined) continue;
      let histogram = book.histograms.get(metric);
      if (histogram === undefined) {
        histogram = createHistogram();
        book.histograms.set(metric, histogram);
      }
      histogram.mergeEncoded(encoded);
      this.#samples += encoded.count;
    }
  }
}

const keyOf = (stage: number, phase: Phase): string => `${stage} ${phase}`;

function vitalsOf({ agent, seq, fromUs, toUs, blocks, vitals }: Snapshot): IntervalVitals {
  const measuredStages = blocks
    .filter(({ phase, flow }) => phase === "measured" && flow.durationUs > 0)
    .map(({ stage }) => stage);
  return { agent, seq, fromUs, toUs, measuredStages, vitals };
}

/** Ranges of interval numbers that are not in, up to the expected one. */
function gapsOf(book: AgentBook, expected: number): { from: number; to: number }[] {
  const gaps: { from: number; to: number }[] = [];
  for (let seq = book.contiguous + 1; seq <= expected; seq += 1) {
    if (book.seqs.has(seq)) continue;
    const last = gaps.at(-1);
    if (last?.to === seq - 1) last.to = seq;
    else gaps.push({ from: seq, to: seq });
  }
  return gaps;
}

/** A later (or earlier) interval of the same agent: times and counts add up, the bounds widen. */
function addInterval(flow: FlowCounts, other: FlowCounts): void {
  flow.inFlightMin = Math.min(flow.inFlightMin, other.inFlightMin);
  flow.inFlightMax = Math.max(flow.inFlightMax, other.inFlightMax);
  flow.durationUs += other.durationUs;
  addCounts(flow, other);
}

function foldedBlock({ stage, phase, flows, due, histograms }: BlockBook): FoldedBlock {
  const flow = emptyFlow();
  for (const one of flows.values()) {
    // Side by side, not one after the other: time does not add up, and the bounds do.
    flow.durationUs = Math.max(flow.durationUs, one.durationUs);
    flow.inFlightMin += one.inFlightMin;
    flow.inFlightMax += one.inFlightMax;
    addCounts(flow, one);
  }
  return { stage, phase, flow, due, histograms };
}

function addDue(due: DueCounts, other: DueCounts): void {
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
  addNamed(due.failed, other.failed);
  addNamed(due.dropped, other.dropped);
  addNamed(due.tokenSource, other.tokenSource);
}

function addNamed<Name extends string>(
  counts: Partial<Record<Name, number>>,
  other: Partial<Record<Name, number>>,
): void {
  for (const name in other) {
    const by = other[name];
    assert(by === undefined || Number.isSafeInteger(by), `not a count of ${name}: ${by}`);
    if (by !== undefined) addTo(counts, name, by);
  }
}
