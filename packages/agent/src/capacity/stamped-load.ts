import {
  assert,
  type Clock,
  initialStageStarts,
  NO_CALIBRATION,
  type ReaderName,
  requirePlan,
  resolveStages,
  type Snapshot,
} from "@tokenstorm/core";
import { encodeSnapshot } from "@tokenstorm/protocol";
import { AGENT_DEFAULTS } from "../agent-deps.js";
import { createRequestFactory } from "../load/request-factory.js";
import type { Logger } from "../logger.js";
import { LoadRun } from "../run/load-run.js";
import { createTarget } from "../target/targets.js";
import type { VitalsSource } from "../vitals.js";
import { StampLog, type Stamps } from "./stamp-log.js";
import { stampingTarget } from "./stamping-target.js";

/** Longer than whoever measures with it takes; nothing that is left behind loads for ever. */
const LONGEST_MS = 600_000;
const RAMP_MS = 1000;
const START_AHEAD_US = 100_000;
const RUN = "calibrate";

export interface StampedLoadOptions {
  readonly reader: ReaderName;
  readonly url: string;
  readonly users: number;
  readonly tokensPerAnswer: number;
  readonly clock: Clock;
  readonly vitals: VitalsSource;
  readonly logger: Logger;
}

/** Whole intervals of a load, one behind the other. */
export interface StampedWindow {
  readonly stamps: Stamps;
  readonly snapshots: readonly Snapshot[];
  /** On the agent's clock. */
  readonly fromUs: number;
  readonly toUs: number;
  /** Requests that failed meanwhile. */
  readonly failed: number;
}

/** Users that load one server as in a run, by the same reader, books and intervals, and whose read stamps are kept. */
export interface StampedLoad {
  /** From the next edge between two intervals on. One at a time. */
  record(intervals: number): Promise<StampedWindow>;
  /** May be called twice. */
  close(): Promise<void>;
}

interface Recording {
  readonly intervals: number;
  readonly failedBefore: number;
  fromUs: number | null;
  readonly snapshots: Snapshot[];
  readonly resolve: (window: StampedWindow) => void;
}

/** Begins at once. `url`'s server is asked nothing first: it is our own. */
export function openStampedLoad(options: StampedLoadOptions): StampedLoad {
  const { reader, url, users, tokensPerAnswer, clock, vitals, logger } = options;
  const plan = requirePlan({
    version: 1,
    target: { urls: [url], model: RUN, reader },
    workload: { outputTokens: tokensPerAnswer },
    load: { kind: "users", stages: [{ users, rampUpMs: RAMP_MS, durationMs: LONGEST_MS }] },
    warmUp: { requests: 0 },
  });
  const stages = resolveStages(plan);
  const log = new StampLog();
  const target = stampingTarget(createTarget({ plan, slots: users, env: {} }, clock), log, tokensPerAnswer);
  const factory = { plan, run: RUN, salt: RUN, model: RUN, calibration: NO_CALIBRATION };
  const atUs = clock.nowUs() + START_AHEAD_US;
  let recording: Recording | null = null;
  const finish = ({ fromUs, snapshots, failedBefore, resolve }: Recording, toUs: number) => {
    assert(fromUs !== null, "a recording that has begun");
    const failed = run.ledger().failed - failedBefore;
    const span = { fromUs: atUs + fromUs, toUs: atUs + toUs };
    resolve({ stamps: log.take(span.fromUs, span.toUs), snapshots, ...span, failed });
  };
  const run: LoadRun = new LoadRun({
    record: { id: RUN, stageStartsUs: initialStageStarts(stages) },
    agent: RUN,
    epoch: 1,
    preparation: {
      plan,
      stages,
      shard: { index: 0, count: 1 },
      requests: createRequestFactory(factory),
      ready: { reader },
    },
    target,
    atUs,
    aheadBytes: AGENT_DEFAULTS.aheadBytes,
    clock,
    vitals,
    logger,
    evicted: () => 0,
    unled: () => [],
    onSnapshot: (snapshot) => {
      // For what it costs: an agent hands its intervals on.
      encodeSnapshot(snapshot);
      if (recording === null) return;
      if (recording.fromUs === null) {
        recording.fromUs = snapshot.toUs;
        return;
      }
      recording.snapshots.push(snapshot);
      if (recording.snapshots.length < recording.intervals) return;
      const done = recording;
      recording = null;
      finish(done, snapshot.toUs);
    },
    onStarted: () => undefined,
    onStageDone: () => undefined,
    onLoadEnded: () => undefined,
    onDrained: () => undefined,
  });
  return {
    record: (intervals) =>
      new Promise((resolve) => {
        assert(recording === null, "one recording at a time");
        log.open();
        recording = { intervals, failedBefore: run.ledger().failed, fromUs: null, snapshots: [], resolve };
      }),
    close: async () => {
      run.dispose();
      await target.close();
    },
  };
}
