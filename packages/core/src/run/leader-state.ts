import { resolveStages } from "../load/resolve-stages.js";
import type { ResolvedStage } from "../load/stages.js";
import type { AgentView } from "./agent-view.js";
import type { ClockOffset } from "./clock-offset.js";
import type { RecordChange } from "./record-change.js";
import type { Problem, RunRecord, ShardAssignment } from "./run-record.js";

/** What the leader of one run is at; `record.state` is what everyone sees of it. */
export type LeaderStep =
  | {
      readonly kind: "gathering";
      readonly sinceUs: number;
      /** Since when enough agents have been there; null while there are too few. */
      readonly enoughSinceUs: number | null;
      /** When the last new one came. */
      readonly newestUs: number;
      /** Instances that were there at the last look. */
      readonly seen: ReadonlySet<string>;
    }
  /** Taken over: waits for what run directory and log hold. */
  | { readonly kind: "restoring" }
  | { readonly kind: "probing"; readonly then: "prepare" | "arm" | "resume"; readonly attempt: number }
  | { readonly kind: "preparing"; readonly sinceUs: number }
  | { readonly kind: "scraping" }
  | {
      readonly kind: "arming";
      readonly attempt: number;
      readonly leaderUs: number;
      readonly isCommitting: boolean;
    }
  | {
      readonly kind: "running";
      /** Since when agents have ended their load although it goes on; null while none has. */
      readonly earlySinceUs: number | null;
    }
  | { readonly kind: "draining"; readonly sinceUs: number }
  | { readonly kind: "delivering"; readonly sinceUs: number; readonly isScraped: boolean }
  | { readonly kind: "finishing" }
  | { readonly kind: "ended" };

export interface LeaderConfig {
  readonly term: number;
  readonly leader: string;
  /** For the agents of this run; unique among admissions. */
  readonly epoch: number;
  /** What the leader's monotonic clock lacks to microseconds since 1970; mapped once per process. */
  readonly epochOffsetUs: number;
  /** Since when this leader has heard heartbeats. */
  readonly listeningSinceUs: number;
}

/** One run as its leader keeps it. */
export interface LeaderState {
  readonly config: LeaderConfig;
  readonly stages: readonly ResolvedStage[];
  /** As this leader wants it; the stop is the strongest known. */
  readonly record: RunRecord;
  readonly step: LeaderStep;
  /** Admitted agents; those of `record.shards` once they are written. */
  readonly shards: readonly ShardAssignment[];
  /** Agents that are not waited for any more. */
  readonly givenUp: readonly string[];
  /** Run time at which all had drained, us; 0 before. */
  readonly endUs: number;
  /** Run time up to which results were there when this leader took over, us. */
  readonly reachedUs: number;
  /** False where no agent's clock could say what run time it is: then it is later than this leader believes. */
  readonly isTimeKnown: boolean;
  /** The leader before has scraped the target at rest after the run. */
  readonly isScrapedAfter: boolean;
  /** Nothing can be written to the run directory: results will never be confirmed. */
  readonly isKeepingNothing: boolean;
}

export type LeaderEvent =
  | {
      readonly kind: "look";
      readonly nowUs: number;
      readonly agents: ReadonlyMap<string, AgentView>;
      /** Agents whose final and intervals are all in the run directory. */
      readonly delivered: ReadonlySet<string>;
    }
  | {
      readonly kind: "probed";
      readonly nowUs: number;
      readonly offsets: ReadonlyMap<string, ClockOffset>;
    }
  | { readonly kind: "scraped"; readonly nowUs: number; readonly when: "before" | "after" }
  /** All that run directory and log held when this leader took over has been folded. */
  | {
      readonly kind: "restored";
      readonly nowUs: number;
      /** Run time at which all had drained, us, where the leader before saw that; else 0. */
      readonly endUs: number;
      /** Run time at which the latest of the results ends, us. */
      readonly reachedUs: number;
      readonly isScraped: boolean;
    }
  /** The store has the change. */
  | { readonly kind: "written"; readonly nowUs: number; readonly name: RecordChange["name"] }
  /** The start could not be committed in time. */
  | { readonly kind: "late"; readonly nowUs: number }
  | { readonly kind: "stopped"; readonly nowUs: number; readonly stop: RunRecord["stop"] }
  /** Something of the leader's own failed. */
  | {
      readonly kind: "troubled";
      readonly nowUs: number;
      readonly problem: Problem;
      readonly isKeepingNothing: boolean;
    }
  | {
      readonly kind: "finished";
      readonly nowUs: number;
      readonly problem: Problem | null;
      readonly result: RunRecord["result"];
    };

export type LeaderEffect =
  | { readonly kind: "write"; readonly change: RecordChange; readonly notAfterUs: number | null }
  | {
      readonly kind: "probe";
      readonly then: "prepare" | "arm" | "resume";
      readonly agents: readonly { readonly agent: string; readonly instance: string }[];
    }
  /** The run directory, and the fold of results into it; of a run that is taken over answered by "restored". */
  | { readonly kind: "open" }
  | { readonly kind: "scrape"; readonly when: "before" | "after" }
  /** The target's gauges each interval, from time zero on; until the scrape "after". */
  | { readonly kind: "watch-server" }
  /** All have drained: the run's time is over. */
  | { readonly kind: "drained"; readonly endUs: number }
  /** A line for the logs and the run directory. */
  | { readonly kind: "note"; readonly text: string }
  /** Report and facts into the run directory and the blob store; answered by "finished". */
  | { readonly kind: "finish" }
  /** The record is terminal: forget the run. */
  | { readonly kind: "close" };

export interface Transition {
  readonly state: LeaderState;
  readonly effects: readonly LeaderEffect[];
}

export function initialLeaderState(record: RunRecord, config: LeaderConfig, nowUs: number): LeaderState {
  return {
    config,
    stages: resolveStages(record.plan),
    record,
    step: { kind: "gathering", sinceUs: nowUs, enoughSinceUs: null, newestUs: nowUs, seen: new Set() },
    shards: [],
    givenUp: [],
    endUs: 0,
    reachedUs: 0,
    isTimeKnown: true,
    isScrapedAfter: false,
    isKeepingNothing: false,
  };
}

/** Run time, us; negative before time zero, undefined before one is committed. */
export function runTimeUs(record: RunRecord, leaderNowUs: number): number | undefined {
  return record.start?.committed === true ? leaderNowUs - record.start.leaderUs : undefined;
}
