import type { Phase } from "../measure/snapshot.js";
import type { VitalsColour } from "../measure/vitals.js";
import type { RunState } from "./run-record.js";

export interface LiveLatency {
  readonly count: number;
  readonly p50: number;
  /** Not from a leader of an older version. */
  readonly p90?: number | undefined;
  readonly p99: number;
}

/** All that was measured of a latency so far: its sum in us, and of how many samples. */
export interface LiveSum {
  readonly count: number;
  readonly sum: number;
}

/** A stage since its start, over all its phases: counts that only grow. */
export interface LiveStage {
  readonly index: number;
  readonly name: string;
  readonly offered: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly dropped: number;
  readonly unknown: number;
  readonly censored: number;
  /** Received in this stage, whenever their requests were due. */
  readonly outputTokens: number;
  readonly promptTokens: number;
  readonly latencyUs: { readonly ttft: LiveSum; readonly itl: LiveSum; readonly e2e: LiveSum };
}

/** One agent as viewers see it. */
export interface LiveAgent {
  readonly id: string;
  readonly host: string;
  readonly state: string;
  readonly colour: VitalsColour;
  readonly cpu: number;
  readonly loopDelayP99Us: number;
  readonly scheduleLagP99Us: number;
  readonly inFlight: number;
  readonly silentMs: number;
}

/**
 * The one merged message a second that viewers read. Rates and in-flight are those of the last complete interval (all
 * agents in), latencies those of the stage's last intervals, up to ten seconds. Durations in us.
 */
export interface LiveUpdate {
  readonly run: string;
  readonly name: string;
  readonly state: RunState;
  readonly transport: "nats" | "memory";
  readonly runTimeUs: number;
  readonly stage: {
    readonly index: number;
    readonly count: number;
    readonly name: string;
    readonly phase: Phase;
    /** Time until this stage's edge, us; null when it is bounded by requests. */
    readonly leftUs: number | null;
  } | null;
  /**
   * Index of the stage that rates, measured in-flight and latencies are of: at an edge still the one before `stage`. Not
   * before the first complete interval, and not from a leader of an older version.
   */
  readonly measuredStage?: number | undefined;
  /** Time until the end of the last stage, us; null when unknown. */
  readonly totalLeftUs: number | null;
  readonly inFlight: { readonly asked: number | null; readonly measured: number };
  readonly server: { readonly running: number; readonly waiting: number; readonly kvUsage: number } | null;
  readonly rates: {
    readonly requestsPerS: number;
    readonly outputTokensPerS: number;
    readonly promptTokensPerS: number;
  };
  readonly latencyUs: { readonly ttft: LiveLatency; readonly itl: LiveLatency; readonly e2e: LiveLatency };
  readonly totals: {
    readonly offered: number;
    readonly completed: number;
    readonly failed: number;
    readonly cancelled: number;
    readonly dropped: number;
  };
  readonly failures: Readonly<Record<string, number>>;
  /** The stages that have begun, the newest last. Not from a leader of an older version. */
  readonly stages?: readonly LiveStage[] | undefined;
  readonly agents: readonly LiveAgent[];
  /** The last 60 intervals, oldest first. */
  readonly history: { readonly outputTokensPerS: readonly number[]; readonly inFlight: readonly number[] };
  /** Lines a viewer should show: what is waited for, warnings, the problem that ended the run. */
  readonly notes: readonly string[];
}
