import {
  type AgentReady,
  type LeaderState,
  LoadError,
  type Problem,
  type QuiescentScrape,
  type RunFacts,
  type RunRecord,
  type ServerSample,
  summariseRun,
  terminalState,
} from "@tokenstorm/core";
import { type BlobStore, reportBlob } from "@tokenstorm/protocol";
import { COORDINATOR_LIMITS } from "./limits.js";
import type { ResultFold } from "./result-fold.js";
import type { RunDirectory } from "./run-directory.js";

export interface FinishInput {
  readonly state: LeaderState;
  /** As the store has it. */
  readonly record: RunRecord;
  readonly fold: ResultFold;
  readonly directory: RunDirectory;
  readonly blobs: BlobStore;
  readonly transport: "nats" | "memory";
  readonly version: string;
  readonly endedAtMs: number | null;
  readonly ready: AgentReady | null;
  readonly serverBefore: QuiescentScrape | null;
  readonly serverAfter: QuiescentScrape | null;
  readonly serverSamples: readonly ServerSample[];
  readonly refusals: number;
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
  const { state, directory, fold } = input;
  await fold.flush();
  const facts = factsOf(input);
  const report = summariseRun({
    facts,
    stages: state.stages,
    aggregate: fold.aggregate,
    serverSamples: input.serverSamples,
  });
  const json = JSON.stringify(report, null, 2);
  let problem: Problem | null = null;
  try {
    await directory.writeFile("report.json", `${json}\n`);
    await directory.writeFile(
      "run.json",
      `${JSON.stringify({ schemaVersion: 1, facts, report }, null, 2)}\n`,
    );
  } catch (error) {
    problem = problemOf(error);
  }
  const blob = await putReport(input, json);
  return { problem, result: { directory: directory.path, reportBlob: blob } };
}

/** Null where the store does not take it: the directory has it all the same. */
async function putReport({ blobs, record }: FinishInput, json: string): Promise<string | null> {
  const name = reportBlob(record.id);
  for (let attempt = 1; attempt <= COORDINATOR_LIMITS.blobAttempts; attempt += 1) {
    try {
      await blobs.put(name, new TextEncoder().encode(json));
      return name;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  }
  return null;
}

function factsOf(input: FinishInput): RunFacts {
  const { state, record, ready } = input;
  const { problem, stop } = state.record;
  return {
    schemaVersion: 1,
    record: { ...record, state: terminalState(problem), problem, stop, revision: record.revision + 1 },
    transport: input.transport,
    version: input.version,
    model: ready?.model ?? null,
    wordsPerToken: ready?.wordsPerToken ?? null,
    templateTokens: ready?.templateTokens ?? null,
    serverVersion: ready?.serverVersion ?? null,
    endedAtMs: input.endedAtMs,
    endUs: state.endUs,
    serverBefore: input.serverBefore,
    serverAfter: input.serverAfter,
    refusals: input.refusals,
  };
}

export function problemOf(error: unknown): Problem {
  if (!(error instanceof LoadError)) throw error;
  return { code: error.code, message: error.message, hint: error.hint };
}
