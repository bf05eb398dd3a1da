import {
  type Clock,
  isTerminal,
  type RunRecord,
  type RunReport,
  type StopLevel,
  type TestPlan,
} from "@tokenstorm/core";
import { createClockErrors } from "./clock-errors.js";
import { type DataSetFiles, NO_FILES, putDataSets } from "./data-set-store.js";
import { KeptRuns } from "./kept-runs.js";
import type { Beacon, Heartbeat } from "./messages/index.js";
import { findLeader, listAgents, type Roster } from "./roster.js";
import { type Cluster, findRun, getReport, listRuns, stopRun, submitRun } from "./run-store.js";
import { createRunLister, type RunSummary } from "./run-summaries.js";
import type { Transport } from "./transport.js";
import { type RunWatch, type WatchOptions, watchRun } from "./watch-run.js";

/** What was asked for has left this process within so long, or BUS_UNAVAILABLE says that it has not. */
const FLUSH_LIMIT_MS = 2000;

/**
 * An agent that answers, and how far its clock may be misjudged, us: by the leader of its run, or of an agent without a
 * run by this process. Null where it did not answer.
 */
export type PresentAgent = Heartbeat & { readonly clockErrorUs: number | null };

/**
 * All that operators and viewers do with a cluster, whoever asks: a command over NATS or the coordinator's HTTP API. The
 * methods throw LoadError: RUN_UNKNOWN for a run that is not there, BUS_UNAVAILABLE and BUS_DENIED.
 */
export interface Operations {
  /**
   * Hands a plan over, after what is in its files (by SHA-256, hex). Resolves once the coordinator can find it. Throws
   * DATASET_INVALID where the plan names a file that was not handed in and is not in the store.
   */
  submit(plan: TestPlan, files?: DataSetFiles): Promise<RunRecord>;
  /** Asks a run (its whole id) to end: `drain` lets open requests finish, `cut` does not. */
  stop(run: string, level: Exclude<StopLevel, "none">, reason: string): Promise<RunRecord>;
  /** The newest runs with their verdicts, newest first. */
  runs(): Promise<RunSummary[]>;
  /** The run whose id begins so; the latest where nothing is named. */
  run(idPrefix: string | undefined): Promise<RunRecord>;
  /** Every run that is not over, newest first. */
  runsUnderWay(): Promise<RunRecord[]>;
  /** Of a run that has ended. Throws RESULTS_UNREADABLE where there is none, or none that can be read. */
  report(record: Pick<RunRecord, "id" | "state" | "result">): Promise<RunReport>;
  /** Agents that are heard now, by id. */
  agents(): Promise<PresentAgent[]>;
  /** The last beacon of the coordinator that leads; undefined where none is heard. */
  leader(): Promise<Beacon | undefined>;
  /** Follows a run to its end. */
  watch(options: Omit<WatchOptions, "clock">): RunWatch;
}

export interface OperationsOptions {
  readonly clock: Clock;
  /** Fresh each time, of letters and digits. */
  readonly newId: (length: number) => string;
  /** One that listens already; without it `agents` and `leader` listen for a little over a second. */
  readonly roster?: Roster;
}

const RUN_ID_LENGTH = 6;
const SALT_LENGTH = 8;

export function createOperations(
  cluster: Cluster & { readonly transport: Pick<Transport, "bus" | "state" | "blobs" | "dataSets"> },
  options: OperationsOptions,
): Operations {
  const { transport } = cluster;
  const { clock, newId, roster } = options;
  const clockErrors = createClockErrors(cluster, clock);
  const kept = new KeptRuns();
  const flush = () => transport.bus.flush({ timeoutMs: FLUSH_LIMIT_MS });
  return {
    submit: async (plan, files = NO_FILES) => {
      await putDataSets(transport.dataSets, plan, files);
      const salt = plan.salt ?? newId(SALT_LENGTH);
      const submission = { plan, id: newId(RUN_ID_LENGTH), salt, createdAtMs: clock.wallMs() };
      const record = await submitRun(cluster, submission);
      await flush();
      return record;
    },
    stop: async (run, level, reason) => {
      const record = await stopRun(cluster, { run, level, reason });
      await flush();
      return record;
    },
    runs: createRunLister(transport, kept),
    run: (idPrefix) => findRun(transport, idPrefix, kept),
    runsUnderWay: async () => (await listRuns(transport, kept)).filter(({ state }) => !isTerminal(state)),
    report: (record) => getReport(transport, record),
    agents: async () =>
      clockErrors.of(
        roster?.agents().map(({ heartbeat }) => heartbeat) ?? (await listAgents(cluster, clock)),
      ),
    leader: async () => (roster === undefined ? findLeader(cluster, clock) : roster.leader()),
    watch: (watch) => watchRun(cluster, { ...watch, clock }),
  };
}
