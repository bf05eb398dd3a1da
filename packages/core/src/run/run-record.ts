import type { LoadErrorCode } from "../errors.js";
import type { TestPlan } from "../plan/schema.js";

export const RUN_STATES = [
  "submitted",
  "gathering",
  "preparing",
  "arming",
  "running",
  "draining",
  "delivering",
  "completed",
  "failed",
  "aborted",
] as const;
export type RunState = (typeof RUN_STATES)[number];

/** completed, failed and aborted are final. */
export function isTerminal(state: RunState): boolean {
  return state === "completed" || state === "failed" || state === "aborted";
}

/** One agent's place in a run; the leader gives the epoch at admission. */
export interface ShardAssignment {
  readonly agent: string;
  /** The process that was admitted; another process with this id is not it. */
  readonly instance: string;
  readonly epoch: number;
  readonly index: number;
  readonly host: string;
  readonly version: string;
  readonly clockOffsetUs: number;
  readonly clockErrorUs: number;
}

/** The start as it was proposed, and, once `committed`, as it holds. Only the committed start starts anyone. */
export interface RunStart {
  readonly attempt: number;
  readonly committed: boolean;
  /** Time zero on the leader's monotonic clock, us. */
  readonly leaderUs: number;
  /** Time zero by the leader's wall clock, us since 1970; mapped once. */
  readonly epochUs: number;
  /** Time zero on each agent's own monotonic clock, us, by agent id. */
  readonly localUs: Readonly<Record<string, number>>;
}

/** `drain`: send nothing new, let requests finish within the grace time. `cut`: end at once. */
export type StopLevel = "none" | "drain" | "cut";

export interface Problem {
  readonly code: LoadErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  /** The threshold, as the plan has it, that ended the run: nobody stopped it. */
  readonly threshold?: string | undefined;
}

/** An agent that was lost while the run went on without it. Times are run time, us. */
export interface Loss {
  readonly agent: string;
  readonly epoch: number;
  /** Of its last heartbeat. */
  readonly lastHeardUs: number;
  /** When it counted as lost. */
  readonly lostUs: number;
  /** In words. */
  readonly reason: string;
  /** When it was heard again, and went on with its shard; null while it has not been. */
  readonly foundUs: number | null;
  /** Several losses told as one, from the first silence to the last return: how many. Absent where it is one. */
  readonly times?: number | undefined;
}

/** What a lost agent was to send, given to others from the start of a stage on. */
export interface ShardMove {
  readonly lost: string;
  readonly fromStage: number;
  /** Keys that are `index` modulo `count`, by who sends them from then on. */
  readonly to: readonly { readonly agent: string; readonly index: number; readonly count: number }[];
}

/** The truth about a run, one key in the StateStore, changed by compare-and-set only. */
export interface RunRecord {
  readonly v: 1;
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly plan: TestPlan;
  /** SHA-256 of the canonical plan, hex. */
  readonly planDigest: string;
  readonly salt: string;
  readonly state: RunState;
  readonly term: number;
  readonly leader: string;
  /** Counts the changes; agents report the revision they have seen. */
  readonly revision: number;
  readonly shards: readonly ShardAssignment[];
  /** Agents lost under `continue` or `reshard`, in their order; absent where none was, and from leaders that are older. */
  readonly losses?: readonly Loss[] | undefined;
  /** Changes of the shard map, in their order: how many there are is its version. Absent as above. */
  readonly moves?: readonly ShardMove[] | undefined;
  readonly start: RunStart | null;
  /** Start of each stage of `resolveStages(plan)` in run time, us; null while it is not committed yet. */
  readonly stageStartsUs: readonly (number | null)[];
  readonly stop: { readonly level: StopLevel; readonly reason: string };
  /** What ended the run before its time. */
  readonly problem: Problem | null;
  /** Set with the terminal state: where the result lies on the leader's host, and its blob for everyone else. */
  readonly result: RunResultPlace | null;
}

export interface RunResultPlace {
  readonly directory: string;
  readonly reportBlob: string | null;
  /** The directory holds every interval: the log may forget the run. Absent from leaders that are older. */
  readonly isWhole?: boolean | undefined;
}
