import { setTimeout as wait } from "node:timers/promises";
import type { LiveUpdate, RunRecord, RunReport, TestPlan } from "@tokenstorm/core";
import type { DataSetFiles } from "@tokenstorm/protocol";
import type { Cluster } from "./cluster.js";
import { onDeniedHint } from "./denied-hint.js";
import { onInterrupt } from "./interrupt.js";
import { followRun } from "./live/follow.js";

/** After a second Ctrl-C: how long the coordinator has to end the run and write what there is. */
const CUT_LIMIT_MS = 5000;
const TAKE_BACK_LIMIT_MS = 2000;

export interface ConductOptions {
  readonly plan: TestPlan;
  /** What is in its files. */
  readonly files: DataSetFiles;
  readonly onUpdate: (update: LiveUpdate) => void;
  readonly onNote: (text: string) => void;
  readonly onSubmitted?: (run: string) => void;
  /** Rejects when a part fails without which the run cannot go on. */
  readonly broken?: Promise<never>;
}

/** How a run that this command started has ended, as far as it can be told. */
export interface Conducted {
  /** Null after a second Ctrl-C that was not answered in time. */
  readonly record: RunRecord | null;
  readonly report: RunReport | null;
}

/**
 * Submits a plan and follows its run to the end. The first Ctrl-C drains it, the second cuts it and is waited for some
 * seconds. Throws what `followRun` throws; a run that nobody takes up is taken back.
 */
export async function conductRun(cluster: Cluster, options: ConductOptions): Promise<Conducted> {
  const { operations } = cluster;
  const denied = onDeniedHint(cluster, options.onNote);
  const { id } = await operations.submit(options.plan, options.files);
  options.onSubmitted?.(id);
  const leave = new AbortController();
  let limit: NodeJS.Timeout | undefined;
  const stop = async (level: "drain" | "cut", cause: string) => {
    try {
      await operations.stop(id, level, `stopped by ${cause}`);
    } catch (error) {
      options.onNote(
        `the run could not be told to stop: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
  const interrupts = onInterrupt((count, cause) => {
    if (count === 1) {
      options.onNote(
        "draining: requests in flight may finish, nothing new is sent; Ctrl-C again ends it at once",
      );
      void stop("drain", cause);
    } else if (limit === undefined) {
      options.onNote("ending the run at once");
      void stop("cut", cause);
      limit = setTimeout(() => leave.abort(), CUT_LIMIT_MS);
    } else leave.abort();
  });
  try {
    const followed = followRun(cluster, { ...options, run: id, signal: leave.signal });
    const record = await (options.broken === undefined ? followed : Promise.race([followed, options.broken]));
    if (record === undefined) return { record: null, report: null };
    return { record, report: await reportOf(cluster, record) };
  } catch (error) {
    await Promise.race([stop("cut", "an error of the command that began it"), wait(TAKE_BACK_LIMIT_MS)]);
    throw error;
  } finally {
    clearTimeout(limit);
    interrupts.close();
    denied.close();
    leave.abort();
  }
}

/** Null where the coordinator left none. */
async function reportOf({ operations }: Cluster, record: RunRecord): Promise<RunReport | null> {
  return (record.result?.reportBlob ?? null) === null ? null : operations.report(record);
}
