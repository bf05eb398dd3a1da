import { createReadStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Definitions,
  type DefinitionsReport,
  LoadError,
  type RunEvent,
  type RunEvidence,
  type RunFacts,
  type RunReport,
  reportAlone,
} from "@tokenstorm/core";
import { lineToResult, RunRecordMessage, reportFromJson } from "@tokenstorm/protocol";
import {
  foldIntervals,
  type IntervalsOfRun,
  type RunData,
  type RunLines,
  type RunResult,
  rebuildDefinitions,
  rebuildEvidence,
  rebuildReport,
  reportOnlyData,
  runData,
} from "@tokenstorm/report";
import { z } from "zod";
import { reasonOf } from "./plan-file.js";
import { isLeadersOwn, isRunEvent } from "./run-event.js";

const READ_BYTES = 1024 * 1024;
/** An interval is a message of at most 1 MiB; in a line it has a third more. */
const MOST_LINE_CHARACTERS = 16 * 1024 * 1024;

/** The report of a run directory as the leader wrote it. Throws RESULTS_UNREADABLE naming the file. */
export async function readLocalReport(directory: string): Promise<RunReport> {
  const file = join(directory, "report.json");
  if (!existsSync(file)) return rebuildFromDirectory(directory);
  return reportFromJson(await readText(file), file);
}

/**
 * The report of a run directory, folded anew from its lines; where they are not there (a report kept from elsewhere), as
 * it was written. Throws RESULTS_UNREADABLE naming file and line.
 */
export async function rebuildFromDirectory(directory: string): Promise<RunReport> {
  const lines = await linesOf(directory);
  const file = join(directory, "report.json");
  if (lines === null) return reportFromJson(await readText(file), file);
  const proof = await keptProof(file);
  return { ...(await rebuildReport(lines)), ...(proof === undefined ? {} : { proof }) };
}

/** A run directory for a comparison; where nothing but a report is in it, that alone. Throws RESULTS_UNREADABLE. */
export async function evidenceFromDirectory(directory: string): Promise<RunEvidence> {
  const lines = await linesOf(directory);
  return lines === null ? reportAlone(await readLocalReport(directory)) : rebuildEvidence(lines);
}

/** A run directory interval by interval. Throws RESULTS_UNREADABLE naming file and line. */
export async function intervalsFromDirectory(directory: string): Promise<IntervalsOfRun> {
  const lines = await linesOf(directory);
  if (lines !== null) return foldIntervals(lines);
  throw new LoadError("RESULTS_UNREADABLE", `${directory} holds a report and no intervals`, {
    hint: "name the run directory that the coordinator wrote, with run.json and snapshots.ndjson",
  });
}

/** What the page shows of a run directory; of one that holds nothing but a report, that. */
export async function pageFromDirectory(directory: string): Promise<RunData> {
  const lines = await linesOf(directory);
  if (lines === null) return reportOnlyData(await readLocalReport(directory));
  return runData(lines, await keptProof(join(directory, "report.json")));
}

/** Of all that a report says the proof alone does not stand in the run's own lines: it is about a second run too. */
async function keptProof(file: string): Promise<RunReport["proof"]> {
  if (!existsSync(file)) return undefined;
  try {
    return reportFromJson(await readText(file), file).proof;
  } catch {
    // All that the run measured is in its lines: a report that cannot be read takes nothing but the proof away.
    return undefined;
  }
}

/** A run directory in somebody else's definitions. Throws RESULTS_UNREADABLE naming file and line. */
export async function definitionsFromDirectory(
  definitions: Definitions,
  directory: string,
): Promise<DefinitionsReport> {
  const lines = await linesOf(directory);
  if (lines !== null) return rebuildDefinitions(definitions, lines);
  throw new LoadError(
    "RESULTS_UNREADABLE",
    `${directory} holds a report and no intervals: from merged figures no other definition can be recomputed`,
    { hint: "name the run directory that the coordinator wrote, with run.json and snapshots.ndjson" },
  );
}

/** A run directory's facts. Throws RESULTS_UNREADABLE where there are none, or none that can be read. */
export async function factsFromDirectory(directory: string): Promise<RunFacts> {
  const file = join(directory, "run.json");
  return parseRunJson(await readText(file), file).facts;
}

/** Null where the directory has no intervals. */
async function linesOf(directory: string): Promise<RunLines | null> {
  const facts = join(directory, "run.json");
  const snapshots = join(directory, "snapshots.ndjson");
  if (!existsSync(facts) || !existsSync(snapshots)) return null;
  const kept = parseRunJson(await readText(facts), facts);
  return {
    facts: kept.facts,
    results: readResults(snapshots),
    events: await readEvents(join(directory, "events.ndjson")),
    // An agent that was lost left no final word: what the leader missed of it is still missed.
    expected: kept.report?.completeness.missing.map(({ agent, to }) => ({ agent, lastSeq: to })) ?? [],
  };
}

/** Each interval and final word of a run directory's snapshots.ndjson, as it is read. Throws RESULTS_UNREADABLE naming file and line. */
export async function* readResults(file: string): AsyncGenerator<RunResult> {
  for await (const { line, place } of readLines(file)) {
    try {
      yield lineToResult(line);
    } catch (cause) {
      if (cause instanceof LoadError) throw unreadable(place, cause.message, cause);
      throw cause;
    }
  }
}

async function readEvents(file: string): Promise<RunEvent[]> {
  if (!existsSync(file)) return [];
  const events: RunEvent[] = [];
  for await (const { line, place } of readLines(file)) {
    const value = parseJson(line, place);
    if (isRunEvent(value)) events.push(value);
    else if (!isLeadersOwn(value)) throw unreadable(place, "it is no event");
  }
  return events;
}

/** A last line without its end was being written when the leader died: it was never confirmed, so it is not missed. */
async function* readLines(file: string): AsyncGenerator<{ line: string; place: string }> {
  let number = 0;
  let before: string | undefined;
  try {
    for await (const line of textLines(file)) {
      if (before !== undefined && before !== "") yield { line: before, place: `${file}:${number}` };
      before = line;
      number += 1;
    }
  } catch (cause) {
    throw unreadable(file, reasonOf(cause), cause);
  }
  if (before === undefined || before === "") return;
  const isWhole = before.trimEnd().endsWith("}");
  if (isWhole) yield { line: before, place: `${file}:${number}` };
}

/** Line by line; whatever ends the last one, nothing or a newline. A tenth of what `readline` costs. */
async function* textLines(file: string): AsyncGenerator<string> {
  const input = createReadStream(file, { encoding: "utf8", highWaterMark: READ_BYTES });
  let rest = "";
  for await (const chunk of input) {
    const text = rest + String(chunk);
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      yield text.slice(from, end).replace(/\r$/, "");
      from = end + 1;
    }
    rest = text.slice(from);
    if (rest.length > MOST_LINE_CHARACTERS)
      throw new Error(`it has a line of more than ${MOST_LINE_CHARACTERS} characters`);
  }
  if (rest !== "") yield rest;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unreadable(file, reasonOf(cause), cause);
  }
}

/** `{schemaVersion, facts, report}` as the leader wrote it. */
function parseRunJson(text: string, file: string): { facts: RunFacts; report: RunReport | null } {
  const value = parseJson(text, file);
  if (!isObject(value) || !isObject(value["facts"])) throw unreadable(file, "it is no run.json");
  if (value["schemaVersion"] !== 1) {
    throw unreadable(
      file,
      `it has schema version ${String(value["schemaVersion"])}; this tokenstorm reads 1`,
    );
  }
  const record = RunRecordMessage.safeParse(value["facts"]["record"]);
  if (!record.success)
    throw unreadable(file, `record: ${record.error.issues[0]?.message ?? "is not understood"}`);
  const facts = { ...value["facts"], record: record.data };
  if (!isRunFacts(facts)) throw unreadable(file, "parts of it are missing");
  const report = value["report"];
  return { facts, report: report === undefined ? null : reportFromJson(JSON.stringify(report), file) };
}

const Reading = z.looseObject({ runUs: z.number(), offsetUs: z.number(), errorUs: z.number() });
/** What newer leaders write beside the rest. */
const Lists = z.looseObject({
  led: z.array(z.looseObject({ leader: z.string(), term: z.number() })).optional(),
  clocks: z
    .array(
      z.looseObject({
        agent: z.string(),
        term: z.number(),
        comparisons: z.number(),
        first: Reading,
        last: Reading,
        jumps: z.array(z.looseObject({ fromUs: z.number(), toUs: z.number(), byUs: z.number() })),
      }),
    )
    .optional(),
});

function isRunFacts(
  value: Readonly<Record<string, unknown>> & Pick<RunFacts, "record">,
): value is RunFacts & typeof value {
  const { transport, version, endUs, serverBefore, serverAfter } = value;
  return (
    Lists.safeParse(value).success &&
    (transport === "nats" || transport === "memory") &&
    typeof version === "string" &&
    typeof endUs === "number" &&
    typeof serverBefore === "object" &&
    typeof serverAfter === "object"
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(place, "it is no JSON", cause);
  }
}

function unreadable(place: string, problem: string, cause?: unknown): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `${place} cannot be read: ${problem}`, { cause });
}
