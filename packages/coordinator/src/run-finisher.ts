import {
  factsOf,
  type LeaderState,
  LoadError,
  type Problem,
  type RunRecord,
  summariseRun,
  terminalState,
} from "@tokenstorm/core";
import { type BlobStore, reportBlob } from "@tokenstorm/protocol";
import type { DiskRoom } from "./disk-room.js";
import { COORDINATOR_LIMITS } from "./limits.js";
import type { ResultFold } from "./result-fold.js";
import type { RunDirectory } from "./run-directory.js";
import type { RunJournal } from "./run-journal.js";

export interface FinishInput {
  readonly state: LeaderState;
  /** As the store has it. */
  readonly record: RunRecord;
  /** Of the leader that writes this. */
  readonly term: number;
  readonly fold: ResultFold;
  readonly journal: RunJournal;
  readonly directory: RunDirectory;
  readonly room: DiskRoom;
  readonly blobs: BlobStore;
  readonly transport: "nats" | "memory";
  readonly version: string;
  readonly refusals: number;
  /** False: another one may lead by now, and the files of its report must not be overwritten. */
  readonly isLeading: () => boolean;
}

export interface Finished {
  /** What went wrong with the keeping itself. */
  readonly problem: Problem | null;
  readonly result: RunRecord["result"];
}

/**
 * The verdict: facts and report into the run directory, the report into the blob store too, so that people elsewhere
 * have it even where the disk of the leader does not work.
 */
export async function finishRun(input: FinishInput): Promise<Finished> {
  const { state, record, directory, fold, journal } = input;
  // Room may be waited for for long: what comes meanwhile belongs to the result.
  await fold.flush();
  fold.freeze();
  noteVerdict(input);
  await Promise.all([fold.flush(), journal.flush()]);
  const findings = journal.findings();
  const facts = factsOf(finalRecord(input), findings, input);
  const report = summariseRun({
    facts,
    stages: state.stages,
    aggregate: fold.aggregate,
    serverSamples: findings.serverSamples,
  });
  // What an agent has given up may still be on its way into the log, and is nowhere else then: the log is kept.
  const isDelivered =
    record.shards.every(({ agent }) => fold.delivered.has(agent)) &&
    fold.aggregate.agents().every(({ missing }) => missing.length === 0);
  const json = JSON.stringify(report, null, 2);
  let problem = unkept(input);
  if (!input.isLeading()) return { problem: null, result: null };
  try {
    await input.room.wait(async () => {
      if (!input.isLeading()) return;
      await directory.writeFile("report.json", `${json}\n`);
      const kept = { schemaVersion: 1, facts, report };
      await directory.writeFile("run.json", `${JSON.stringify(kept, null, 2)}\n`);
      if (problem === null) input.room.written();
    });
  } catch (error) {
    problem ??= problemOf(error);
  }
  const blob = await putReport(input, json);
  if (!input.isLeading()) return { problem: null, result: null };
  const isWhole = problem === null && !state.isKeepingNothing && isDelivered;
  return { problem, result: { directory: directory.path, reportBlob: blob, isWhole } };
}

/** Null where the store does not take it: the directory has it all the same. */
async function putReport(input: FinishInput, json: string): Promise<string | null> {
  const { blobs, record, term, isLeading } = input;
  const name = reportBlob(record.id, term);
  for (let attempt = 1; attempt <= COORDINATOR_LIMITS.blobAttempts; attempt += 1) {
    // An attempt that nobody answers lasts for seconds, in which another one may have begun to lead.
    if (!isLeading()) return null;
    try {
      await blobs.put(name, new TextEncoder().encode(json));
      return name;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  }
  return null;
}

/** Agents without a final word: what they said that they cut is known to their leader alone, unless it is written down. */
function noteVerdict({ fold, journal, refusals }: FinishInput): void {
  const silent = fold.aggregate.agents().filter(({ final }) => final === null);
  const expected = silent.map(({ shard, expected: lastSeq }) => ({ agent: shard.agent, lastSeq }));
  journal.add({ kind: "verdict", refusals, expected, clocks: journal.clockEvents() });
}

/** As it will stand in the store. */
function finalRecord(input: FinishInput): RunRecord {
  const { state, record } = input;
  const { stop } = state.record;
  const problem = state.record.problem ?? unkept(input);
  return { ...record, state: terminalState(problem), problem, stop, revision: record.revision + 1 };
}

/** The disk took no more of the results, and nobody made room. */
function unkept({ fold }: FinishInput): Problem | null {
  return fold.failure === undefined ? null : problemOf(fold.failure);
}

export function problemOf(error: unknown): Problem {
  if (!(error instanceof LoadError)) throw error;
  return { code: error.code, message: error.message, hint: error.hint };
}
