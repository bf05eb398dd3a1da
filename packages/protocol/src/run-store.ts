import {
  isTerminal,
  LoadError,
  type RunRecord,
  type RunReport,
  resolveStages,
  type StopLevel,
  stopProblem,
  strongerStop,
  type TestPlan,
} from "@tokenstorm/core";
import { decodeRunRecord, decodeRunRecordOf, encodeRunRecord } from "./codec.js";
import { KeptRuns } from "./kept-runs.js";
import { planDigest } from "./plan-digest.js";
import { reportFromJson } from "./report-message.js";
import type { StateEntry, StateStore } from "./state-store.js";
import { isId, RUN_KEYS, runKey, type Subjects } from "./subjects.js";
import type { Transport } from "./transport.js";

// Runs as they stand in the StateStore: all of it works from anywhere, and the writing of a stop also while no
// coordinator lives.

/** Others write the same record now and then, never so often in a row. */
const WRITE_ATTEMPTS = 10;

export interface Cluster {
  readonly transport: Pick<Transport, "bus" | "state">;
  readonly subjects: Subjects;
}

export interface Submission {
  readonly plan: TestPlan;
  /** Fresh, of letters and digits. */
  readonly id: string;
  /** The plan's own name, or "run", where it is not given. */
  readonly name?: string | undefined;
  /** Random for each run, unless the plan or a person replays one. */
  readonly salt: string;
  readonly createdAtMs: number;
}

/**
 * Puts a run into the StateStore, where the coordinator finds it. Throws RUN_UNKNOWN where the id is taken, PLAN_INVALID
 * for a plan that nobody could read there.
 */
export async function submitRun(cluster: Cluster, submission: Submission): Promise<RunRecord> {
  const { plan, id, salt, createdAtMs } = submission;
  const record: RunRecord = {
    v: 1,
    id,
    name: submission.name ?? plan.name ?? "run",
    createdAtMs,
    plan,
    planDigest: planDigest(plan),
    salt,
    state: "submitted",
    term: 0,
    leader: "",
    revision: 1,
    shards: [],
    start: null,
    stageStartsUs: resolveStages(plan).map(() => null),
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
  };
  const revision = await cluster.transport.state.compareAndSet(runKey(id), readable(record), undefined);
  if (revision === undefined) {
    throw new LoadError("RUN_UNKNOWN", `a run with the id ${id} is there already`, {
      hint: "submit it again",
    });
  }
  hint(cluster);
  return record;
}

/** A record that its reader would refuse would stay in the store, led and listed by nobody. */
function readable(record: RunRecord): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    bytes = encodeRunRecord(record);
    decodeRunRecord(bytes);
    return bytes;
  } catch (cause) {
    if (!(cause instanceof LoadError)) throw cause;
    // Writing refuses nothing but what is too long.
    const hint = bytes === undefined ? `shorten ${longestPart(record.plan)}` : undefined;
    throw new LoadError("PLAN_INVALID", `the plan cannot be handed over: ${cause.message}`, { hint, cause });
  }
}

const LONGEST_PATH = 200;

/** Path of the smallest part of a plan that makes up more than half of it. */
function longestPart(plan: unknown): string {
  const lengthOf = (value: unknown) => JSON.stringify(value)?.length ?? 0;
  const half = lengthOf(plan) / 2;
  const path: string[] = [];
  let part = plan;
  while (typeof part === "object" && part !== null && !Array.isArray(part)) {
    const most = Object.entries(part).find(([, child]) => lengthOf(child) > half);
    if (most === undefined) break;
    path.push(most[0]);
    part = most[1];
  }
  return path.length === 0 ? "the plan" : `${path.join(".").slice(0, LONGEST_PATH)}: it is most of the plan`;
}

/**
 * Asks a run to end: `drain` lets open requests finish, `cut` does not. Written by this call itself; a run that nobody
 * has begun to lead is over at once. Throws RUN_UNKNOWN.
 */
export async function stopRun(
  cluster: Cluster,
  stop: { readonly run: string; readonly level: Exclude<StopLevel, "none">; readonly reason: string },
): Promise<RunRecord> {
  for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt += 1) {
    const { record, revision } = await readRun(cluster.transport, stop.run);
    const stronger = strongerStop(record.stop, { level: stop.level, reason: stop.reason.slice(0, 1000) });
    if (isTerminal(record.state) || stronger === record.stop) return record;
    const stopped = withStop(record, stronger);
    const written = await cluster.transport.state.compareAndSet(
      runKey(stop.run),
      encodeRunRecord(stopped),
      revision,
    );
    if (written === undefined) continue;
    hint(cluster);
    return stopped;
  }
  throw new LoadError("BUS_UNAVAILABLE", `run ${stop.run} changed faster than it could be stopped`, {
    hint: "try again",
  });
}

/** Nobody leads a submitted run yet, and nobody need begin. */
function withStop(record: RunRecord, stop: RunRecord["stop"]): RunRecord {
  const stopped: RunRecord = { ...record, stop, revision: record.revision + 1 };
  return record.state === "submitted"
    ? { ...stopped, state: "aborted", problem: stopProblem(stop) }
    : stopped;
}

/** Tells the coordinator to look now; it looks each second anyway. */
function hint(cluster: Cluster): void {
  cluster.transport.bus.publish(cluster.subjects.hint, new Uint8Array());
}

/** Every run that can be read, the newest first. Whoever lists again and again hands over what was kept. */
export async function listRuns(
  { state }: Pick<Transport, "state">,
  kept: KeptRuns = new KeptRuns(),
): Promise<RunRecord[]> {
  const keys = await state.keys(RUN_KEYS);
  kept.keepOnly(keys);
  return readRuns(state, keys, kept);
}

/** The run whose id begins so; the latest where nothing is named. Throws RUN_UNKNOWN: none, or several. */
export async function findRun(
  transport: Pick<Transport, "state">,
  idPrefix: string | undefined,
  kept: KeptRuns = new KeptRuns(),
): Promise<RunRecord> {
  if (idPrefix === undefined) {
    const [latest] = await listRuns(transport, kept);
    if (latest === undefined) {
      throw new LoadError("RUN_UNKNOWN", "there is no run yet", {
        hint: "tokenstorm submit PLAN begins one",
      });
    }
    return latest;
  }
  const { state } = transport;
  // A whole id, as programs have it, needs no list.
  const entry = isId(idPrefix) ? await state.get(runKey(idPrefix)) : undefined;
  const exact = entry === undefined ? undefined : readRecord(entry);
  if (exact !== undefined) return exact;
  const keys = (await state.keys(RUN_KEYS)).filter((key) => key.startsWith(RUN_KEYS + idPrefix));
  const [found, ...others] = await readRuns(state, keys, kept);
  if (found !== undefined && others.length === 0) return found;
  if (found === undefined) {
    throw new LoadError("RUN_UNKNOWN", `there is no run ${idPrefix}`, {
      hint: "tokenstorm runs lists them",
    });
  }
  const ids = [found, ...others].slice(0, 5).map((record) => record.id);
  throw new LoadError("RUN_UNKNOWN", `${others.length + 1} runs begin with ${idPrefix}: ${ids.join(", ")}`, {
    hint: "write more of the id",
  });
}

/** Those that can be read, the newest first. */
async function readRuns(state: StateStore, keys: readonly string[], kept: KeptRuns): Promise<RunRecord[]> {
  const records: RunRecord[] = [];
  for (const key of keys) {
    const record = kept.get(key) ?? (await readAndKeep(state, key, kept));
    if (record !== undefined) records.push(record);
  }
  return records.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1));
}

async function readAndKeep(state: StateStore, key: string, kept: KeptRuns): Promise<RunRecord | undefined> {
  const entry = await state.get(key);
  const record = entry === undefined ? undefined : readRecord(entry);
  if (entry !== undefined && record !== undefined) kept.add(key, record, entry.value.length);
  return record;
}

/** A run as it stands now, with its revision for compare-and-set. Throws RUN_UNKNOWN, PROTOCOL_MALFORMED. */
export async function readRun(
  transport: Pick<Transport, "state">,
  run: string,
): Promise<{ readonly record: RunRecord; readonly revision: number }> {
  const entry = await transport.state.get(runKey(run));
  if (entry === undefined) {
    throw new LoadError("RUN_UNKNOWN", `there is no run ${run}`, { hint: "tokenstorm runs lists them" });
  }
  return { record: decodeRunRecordOf(run, entry.value), revision: entry.revision };
}

/** The report of a run that has ended. Throws RESULTS_UNREADABLE where there is none, or none that can be read. */
export async function getReport(
  transport: Pick<Transport, "blobs">,
  record: Pick<RunRecord, "id" | "state" | "result">,
): Promise<RunReport> {
  // By its name alone it may be that of a leader which was replaced.
  const name = record.result?.reportBlob ?? null;
  const data = name === null ? undefined : await transport.blobs.get(name);
  if (data !== undefined) return reportFromJson(new TextDecoder().decode(data));
  if (record.result !== null) {
    throw new LoadError("RESULTS_UNREADABLE", `the object store has no report of run ${record.id}`, {
      hint: `its coordinator's host may have it: tokenstorm report ${record.result.directory}`,
    });
  }
  const why = isTerminal(record.state) ? `ended as ${record.state} without one` : `is ${record.state}`;
  throw new LoadError("RESULTS_UNREADABLE", `there is no report of run ${record.id}: it ${why}`);
}

/** Undefined for what is no run record of this version. */
function readRecord(entry: StateEntry): RunRecord | undefined {
  try {
    return decodeRunRecord(entry.value);
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}
