import type { ShardAssignment } from "../run/run-record.js";
import type { Histogram } from "./histogram.js";
import type { IntervalColours } from "./interval-colours.js";
import type { LevelInterval } from "./interval-series.js";
import type { FoldedMember } from "./member-fold.js";
import type {
  Block,
  DueCounts,
  Final,
  FlowCounts,
  MetricName,
  Phase,
  Snapshot,
  WorkMetric,
  WorkPart,
} from "./snapshot.js";
import type { SparseHistogram } from "./sparse-histogram.js";
import type { Vitals } from "./vitals.js";

/** Blocks of one (stage, phase) folded together; in-flight bounds are sums of the agents' own minima and maxima. */
export interface FoldedBlock {
  readonly stage: number;
  readonly phase: Phase;
  /** Flow of all agents; `durationUs` is the longest of the agents' sums, since they run side by side. */
  readonly flow: FlowCounts;
  readonly due: DueCounts;
  /** Offered, and nothing more was heard: still open; once the run is over, lost with their agent or an interval. */
  readonly unsettled: number;
  /** Ended, though no interval that came says that they were offered. */
  readonly unoffered: number;
  readonly histograms: ReadonlyMap<MetricName, Histogram>;
  /** Of a measured block: by the index of the shard, and by that of the URL where several are kept apart. */
  readonly agents: ReadonlyMap<number, FoldedMember>;
  readonly targets: ReadonlyMap<number, FoldedMember>;
  /** By member of the workload; empty where these are not kept apart. */
  readonly work: ReadonlyMap<number, WorkPart>;
  /** Of a measured block, by the same. */
  readonly workLatencies: ReadonlyMap<number, ReadonlyMap<WorkMetric, SparseHistogram>>;
  /** The last interval in which a request of the block was heard to end; null without one. Run time, us. */
  readonly lastEnd: { readonly fromUs: number; readonly toUs: number } | null;
}

/** Intervals by number, both ends included. */
export interface SeqRange {
  readonly from: number;
  readonly to: number;
}

export interface AgentIntervals {
  readonly shard: ShardAssignment;
  readonly received: number;
  /** From the final marker; else at least what it said in heartbeats. */
  readonly expected: number;
  readonly final: Final | null;
  readonly missing: readonly SeqRange[];
}

/** A single interval's evidence, for the verdict. */
export interface IntervalVitals {
  readonly agent: string;
  readonly seq: number;
  readonly fromUs: number;
  readonly toUs: number;
  /** Stages in whose measured window the interval lies, in part at least. */
  readonly measuredStages: readonly number[];
  readonly vitals: Vitals;
}

/** All agents' part of one interval of the run, by aligned run time; for live views and time series. */
export interface IntervalSummary {
  readonly fromUs: number;
  readonly toUs: number;
  /** Agents whose snapshot is in. */
  readonly agents: number;
  readonly flow: FlowCounts;
  readonly stage: number;
  readonly phase: Phase;
  /** Of this interval alone: ttft, itl and e2e, and none for all but the newest intervals. Not to be kept. */
  readonly histograms: ReadonlyMap<MetricName, Histogram>;
}

/** Fold of snapshots, idempotent by (agent, epoch, seq), only for pairs of the shard map; knows its gaps. */
export interface Aggregate {
  /** Throws PROTOCOL_MALFORMED for a histogram that is none, before anything of the snapshot is folded. */
  fold(snapshot: Snapshot): "folded" | "duplicate" | "foreign";
  foldFinal(final: Final): "folded" | "duplicate" | "foreign";
  /** What an agent's heartbeat said it cut: at least so many are expected. */
  expectAtLeast(agent: string, epoch: number, lastSeq: number): void;
  /**
   * The agent can deliver these no more: they count as missing unless they come all the same, and hold nothing up. Of
   * a range more than a million intervals is a claim that nobody need follow.
   */
  giveUp(agent: string, epoch: number, ranges: readonly SeqRange[]): void;
  /** Highest seq up to which every interval is in, or has been given up; 0 when the first is neither. */
  contiguous(agent: string): number;
  agents(): readonly AgentIntervals[];
  block(stage: number, phase: Phase): FoldedBlock | undefined;
  /** By agent, for outliers. */
  agentBlock(agent: string, stage: number, phase: Phase): Block["flow"] | undefined;
  /** Requests that an agent's intervals say were due: in all, or in one (stage, phase). */
  offeredBy(agent: string, stage?: number, phase?: Phase): number;
  blocks(): readonly FoldedBlock[];
  /** Colours of each agent's measured intervals, by the factor of each stage (`vitalsFactor`). */
  colours(factorOf: (stage: number) => number): ReadonlyMap<string, IntervalColours>;
  /** Agents with measured intervals in a stage: worst event-loop delay of those without a self-probe, us; null with none. */
  loopDelays(stage: number): ReadonlyMap<string, number | null>;
  /** Of a stage's measured intervals, by agent: how many self-probes fell into each bucket of `probeBucketUs`. */
  probes(stage: number): ReadonlyMap<string, readonly number[]>;
  /** Whole intervals of a stage's measured window, over all its agents, in their order. */
  levelIntervals(stage: number): readonly LevelInterval[];
  /** The last intervals that all agents have delivered, newest last; at most 60 are kept. */
  recentIntervals(): readonly IntervalSummary[];
  samplesMerged(): number;
}
