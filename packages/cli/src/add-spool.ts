import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { createRunDirectory, type RunDirectory } from "@tokenstorm/coordinator";
import { type Aggregate, createAggregate, LoadError, resolveStages } from "@tokenstorm/core";
import { decodeResult, decodeSpool, type SpoolEntry } from "@tokenstorm/protocol";
import { reasonOf } from "./plan-file.js";
import { factsFromDirectory, readResults, rebuildFromDirectory } from "./run-files.js";

const SNAPSHOTS = "snapshots.ndjson";

/** What a spool file brought that the run directory had not. */
export interface AddedResults {
  readonly run: string;
  /** Numbers of intervals by agent, ascending. */
  readonly intervals: ReadonlyMap<string, readonly number[]>;
  /** Agents whose final word it brought. */
  readonly finals: readonly string[];
  /** Results that were there already. */
  readonly known: number;
}

/**
 * Folds a spool file, which an agent wrote because nobody confirmed its results, into a run directory, and writes its
 * report anew. All of it or nothing; a second time it adds nothing. Throws RESULTS_UNREADABLE: a file that is none, of
 * another run, or of an agent that has no part in it.
 */
export async function addSpoolFile(directory: string, file: string): Promise<AddedResults> {
  const entries = decodeSpool(await readBytes(file), file);
  const facts = await factsFromDirectory(directory);
  const { id, plan, shards } = facts.record;
  const other = entries.find(({ run }) => run !== id);
  if (other !== undefined) {
    throw unreadable(file, `it holds results of run ${other.run}, and ${directory} is run ${id}`);
  }
  const aggregate = createAggregate({ stages: resolveStages(plan), shards });
  const place = createRunDirectory(dirname(resolve(directory)));
  const opened = await place.reopen(basename(resolve(directory)));
  try {
    if (existsSync(join(directory, SNAPSHOTS))) await foldLines(aggregate, opened, directory);
    const added = foldEntries(aggregate, entries, file);
    for (const { line } of added) opened.appendLine(SNAPSHOTS, line);
    await opened.sync();
    // Also where nothing is new: the last time may have ended before the report was written.
    await writeReport(directory, opened);
    return told(id, added, entries.length);
  } finally {
    await opened.close();
  }
}

/** `added to run r1: a1 12-14 and 17, the final word of a1; 3 results were there already`. */
export function addedText({ run, intervals, finals, known }: AddedResults): string {
  const parts = [
    ...[...intervals].map(([agent, seqs]) => `intervals of ${agent}: ${rangesText(seqs)}`),
    ...finals.map((agent) => `the final word of ${agent}`),
  ];
  const there = known === 0 ? "" : `; ${known} ${known === 1 ? "result was" : "results were"} there already`;
  return parts.length === 0
    ? `nothing is new to run ${run}${there}`
    : `added to run ${run}: ${parts.join(", ")}${there}`;
}

interface Added {
  readonly entry: SpoolEntry;
  readonly line: string;
}

/** Cuts off what was being written when the coordinator died, as a new leader would. */
async function foldLines(aggregate: Aggregate, opened: RunDirectory, directory: string): Promise<void> {
  for await (const _ of opened.readLines(SNAPSHOTS)) break;
  for await (const result of readResults(join(directory, SNAPSHOTS))) {
    if (result.kind === "snapshot") aggregate.fold(result.snapshot);
    else aggregate.foldFinal(result.final);
  }
}

function foldEntries(aggregate: Aggregate, entries: readonly SpoolEntry[], file: string): Added[] {
  return entries.flatMap((entry) => {
    const { folded, line, isItsOwn } = foldEntry(aggregate, entry, file);
    if (folded === "foreign" || !isItsOwn)
      throw unreadable(file, `${entry.agent} with epoch ${entry.epoch} has no part in run ${entry.run}`);
    return folded === "folded" ? [{ entry, line }] : [];
  });
}

function foldEntry(aggregate: Aggregate, entry: SpoolEntry, file: string) {
  try {
    const { result, line } = decodeResult(entry.kind, entry.data);
    const body = result.kind === "snapshot" ? result.snapshot : result.final;
    const isItsOwn = body.run === entry.run && body.agent === entry.agent && body.epoch === entry.epoch;
    const folded =
      result.kind === "snapshot" ? aggregate.fold(result.snapshot) : aggregate.foldFinal(result.final);
    return { folded, line, isItsOwn };
  } catch (cause) {
    if (!(cause instanceof LoadError)) throw cause;
    throw unreadable(file, `${entry.kind} ${entry.seq} of ${entry.agent}: ${cause.message}`, cause);
  }
}

/** As the leader would have written it. */
async function writeReport(directory: string, opened: RunDirectory): Promise<void> {
  const facts = await factsFromDirectory(directory);
  const report = await rebuildFromDirectory(directory);
  await opened.writeFile("report.json", `${JSON.stringify(report, null, 2)}\n`);
  await opened.writeFile("run.json", `${JSON.stringify({ schemaVersion: 1, facts, report }, null, 2)}\n`);
}

function told(run: string, added: readonly Added[], all: number): AddedResults {
  const intervals = new Map<string, number[]>();
  for (const { entry } of added) {
    if (entry.kind !== "snapshot") continue;
    intervals.set(
      entry.agent,
      [...(intervals.get(entry.agent) ?? []), entry.seq].sort((a, b) => a - b),
    );
  }
  const finals = added.flatMap(({ entry }) => (entry.kind === "final" ? [entry.agent] : []));
  return { run, intervals, finals, known: all - added.length };
}

/** `3-5, 9`. */
function rangesText(seqs: readonly number[]): string {
  const ranges: { from: number; to: number }[] = [];
  for (const seq of seqs) {
    const last = ranges.at(-1);
    if (last?.to === seq - 1) last.to = seq;
    else ranges.push({ from: seq, to: seq });
  }
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw unreadable(file, reasonOf(cause), cause);
  }
}

function unreadable(file: string, why: string, cause?: unknown): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `${file} cannot be added: ${why}`, {
    hint: "name the spool file as the agent wrote it, and the run that it is of",
    cause,
  });
}
