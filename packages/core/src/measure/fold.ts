import type { ResolvedStage } from "../load/stages.js";
import type { ShardAssignment } from "../run/run-record.js";
import { AgentBook } from "./agent-book.js";
import type {
  AgentIntervals,
  Aggregate,
  FoldedBlock,
  IntervalSummary,
  IntervalVitals,
  SeqRange,
} from "./aggregate.js";
import { BlockFold } from "./block-fold.js";
import { checkEncoded } from "./hdr-histogram.js";
import { DecodedPayloads } from "./hdr-payload.js";
import type { IntervalColours } from "./interval-colours.js";
import { IntervalSeries, type LevelInterval } from "./interval-series.js";
import { ProbeFold } from "./probe-fold.js";
import { RecentIntervals } from "./recent-intervals.js";
import {
  type Final,
  type FlowCounts,
  METRICS,
  PHASES,
  type Phase,
  type Snapshot,
  TARGET_METRICS,
  WORK_METRICS,
} from "./snapshot.js";
import { VitalsFold } from "./vitals-fold.js";

/** Of one range: more seconds than a run has. */
const MOST_GIVEN_UP = 1_000_000;

export interface AggregateOptions {
  readonly stages: readonly ResolvedStage[];
  readonly shards: readonly ShardAssignment[];
  /** Keeps the newest intervals for a live view; false where nobody looks. */
  readonly live?: boolean;
}

/** An empty fold for one run. Its cost grows with intervals and buckets, never with requests. */
export function createAggregate(options: AggregateOptions): Aggregate {
  return new Fold(options);
}

class Fold implements Aggregate {
  readonly #stages: number;
  readonly #agents: ReadonlyMap<string, AgentBook>;
  readonly #blocks = new Map<number, BlockFold>();
  readonly #vitals = new VitalsFold();
  readonly #probes = new ProbeFold();
  readonly #recent: RecentIntervals | null;
  readonly #series = new IntervalSeries();
  /** Of the snapshot that is being folded. */
  readonly #decoded = new DecodedPayloads();
  #samples = 0;

  constructor({ stages, shards, live = true }: AggregateOptions) {
    this.#stages = stages.length;
    this.#recent = live ? new RecentIntervals() : null;
    this.#agents = new Map(shards.map((shard) => [shard.agent, new AgentBook(shard)]));
  }

  fold(snapshot: Snapshot): "folded" | "duplicate" | "foreign" {
    const { agent, epoch, seq, fromUs, toUs, blocks } = snapshot;
    const book = this.#bookOf(agent, epoch);
    if (book === undefined || seq < 1) return "foreign";
    if (blocks.some(({ stage }) => stage >= this.#stages)) return "foreign";
    if (book.has(seq)) return "duplicate";
    const kept = this.#decoded;
    kept.clear();
    checkHistograms(snapshot, kept);
    book.add(seq, toUs);
    const place = { shard: book.shard, interval: { fromUs, toUs }, kept };
    for (const block of blocks) this.#samples += this.#block(block.stage, block.phase).add(block, place);
    kept.clear();
    const vitals = intervalVitals(snapshot);
    this.#vitals.add(vitals);
    this.#probes.add(vitals);
    this.#recent?.add(snapshot);
    this.#series.add(snapshot);
    return "folded";
  }

  foldFinal(final: Final): "folded" | "duplicate" | "foreign" {
    const book = this.#bookOf(final.agent, final.epoch);
    if (book === undefined) return "foreign";
    if (book.final !== null) return "duplicate";
    book.final = final;
    this.giveUp(final.agent, final.epoch, final.gaps ?? []);
    return "folded";
  }

  expectAtLeast(agent: string, epoch: number, lastSeq: number): void {
    this.#bookOf(agent, epoch)?.expectAtLeast(lastSeq);
  }

  giveUp(agent: string, epoch: number, ranges: readonly SeqRange[]): void {
    const book = this.#bookOf(agent, epoch);
    if (book === undefined) return;
    for (const { from, to } of ranges) {
      for (let seq = from; seq <= Math.min(to, from + MOST_GIVEN_UP); seq += 1) book.giveUp(seq);
    }
  }

  contiguous(agent: string): number {
    return this.#agents.get(agent)?.contiguous ?? 0;
  }

  agents(): readonly AgentIntervals[] {
    return [...this.#agents.values()].map((book) => book.intervals());
  }

  block(stage: number, phase: Phase): FoldedBlock | undefined {
    return this.#blocks.get(keyOf(stage, phase))?.folded();
  }

  agentBlock(agent: string, stage: number, phase: Phase): FlowCounts | undefined {
    return this.#blocks.get(keyOf(stage, phase))?.flowOf(agent);
  }

  offeredBy(agent: string, stage?: number, phase?: Phase): number {
    let offered = 0;
    for (const block of this.#blocks.values()) {
      const isMeant = (stage ?? block.stage) === block.stage && (phase ?? block.phase) === block.phase;
      if (isMeant) offered += block.offeredBy(agent);
    }
    return offered;
  }

  blocks(): readonly FoldedBlock[] {
    const keys = [...this.#blocks.keys()].sort((a, b) => a - b);
    return keys.flatMap((key) => this.#blocks.get(key)?.folded() ?? []);
  }

  colours(factorOf: (stage: number) => number): ReadonlyMap<string, IntervalColours> {
    return this.#vitals.colours(factorOf);
  }

  loopDelays(stage: number): ReadonlyMap<string, number | null> {
    return this.#vitals.loopDelays(stage);
  }

  probes(stage: number): ReadonlyMap<string, readonly number[]> {
    return this.#probes.ofStage(stage);
  }

  recentIntervals(): readonly IntervalSummary[] {
    return this.#recent?.complete([...this.#agents.values()].map(({ endUs }) => endUs)) ?? [];
  }

  levelIntervals(stage: number): readonly LevelInterval[] {
    return this.#series.of(stage);
  }

  samplesMerged(): number {
    return this.#samples;
  }

  #bookOf(agent: string, epoch: number): AgentBook | undefined {
    const book = this.#agents.get(agent);
    return book?.shard.epoch === epoch ? book : undefined;
  }

  #block(stage: number, phase: Phase): BlockFold {
    const key = keyOf(stage, phase);
    const found = this.#blocks.get(key);
    if (found !== undefined) return found;
    const block = new BlockFold(stage, phase);
    this.#blocks.set(key, block);
    return block;
  }
}

function keyOf(stage: number, phase: Phase): number {
  return stage * PHASES.length + PHASES.indexOf(phase);
}

/** Throws PROTOCOL_MALFORMED before anything is folded: half a snapshot could not be taken out again. */
function checkHistograms({ blocks }: Snapshot, kept: DecodedPayloads): void {
  for (const { histograms, targets = [], work = [] } of blocks) {
    for (const metric of METRICS) {
      const encoded = histograms[metric];
      if (encoded !== undefined) checkEncoded(encoded, kept);
    }
    for (const part of targets) {
      for (const metric of TARGET_METRICS) {
        const encoded = part.histograms[metric];
        if (encoded !== undefined) checkEncoded(encoded, kept);
      }
    }
    for (const part of work) {
      for (const metric of WORK_METRICS) {
        const encoded = part.histograms?.[metric];
        if (encoded !== undefined) checkEncoded(encoded, kept);
      }
    }
  }
}

/** What of a snapshot is evidence for its agent's own part in what it measured. */
export function intervalVitals({ agent, seq, fromUs, toUs, blocks, vitals }: Snapshot): IntervalVitals {
  const measuredStages = blocks
    .filter(({ phase, flow }) => phase === "measured" && flow.durationUs > 0)
    .map(({ stage }) => stage);
  return { agent, seq, fromUs, toUs, measuredStages, vitals };
}
