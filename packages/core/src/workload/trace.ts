import { LoadError } from "../errors.js";
import type { TestPlan } from "../plan/schema.js";
import { fieldOf, invalidLine, type Place, parseJsonLine } from "./data-set.js";

/** One request of a trace. */
export interface TraceEntry {
  /** When it is due, us since the load began, at the plan's speed. */
  readonly dueUs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Names of its prompt's blocks, from the beginning: equal names are equal text. Null where the trace has none. */
  readonly blocks: readonly number[] | null;
}

export type TraceSource = Pick<
  Extract<TestPlan["load"], { kind: "trace" }>,
  "file" | "format" | "speed" | "fromMs" | "durationMs"
>;

interface Line {
  /** In the trace's own time, us. */
  readonly tUs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly blocks: readonly number[] | null;
}

const LONGEST = 10_000_000;
/** More no plan can be long. */
const LONGEST_US = 2_592_000_000_000;

/**
 * The part of a trace that a plan asks for, by time. Mooncake's time is that of its timestamps, from 0; Azure's begins with
 * its earliest line. Requests of one time stay in the order of the file. Throws DATASET_INVALID, naming file, line, field.
 */
export function parseTrace(text: string, source: TraceSource): readonly TraceEntry[] {
  const isAzure = source.format === "azure" || (source.format === "auto" && source.file.endsWith(".csv"));
  const lines = isAzure ? azureLines(text, source.file) : mooncakeLines(text, source.file);
  const fromUs = source.fromMs * 1000;
  const toUs = source.durationMs === undefined ? Number.POSITIVE_INFINITY : fromUs + source.durationMs * 1000;
  const within = lines.filter(({ tUs }) => tUs >= fromUs && tUs < toUs);
  if (within.length === 0)
    throw new LoadError(
      "DATASET_INVALID",
      `${source.file} has no request in the part that the plan asks for`,
      {
        hint: "see load.fromMs and load.durationMs, which are in the trace's own time",
      },
    );
  const entries = within
    .map(({ tUs, ...rest }) => ({ ...rest, dueUs: Math.round((tUs - fromUs) / source.speed) }))
    // Stable, so that equal times keep their order.
    .sort((a, b) => a.dueUs - b.dueUs);
  const last = entries.at(-1)?.dueUs ?? 0;
  if (last > LONGEST_US)
    throw new LoadError(
      "DATASET_INVALID",
      `${source.file} takes ${Math.round(last / 3.6e9)} hours at this speed, more than 30 days`,
    );
  return entries;
}

/** How long the load of a trace takes, ms: its last request is due within it. */
export function traceLengthMs(entries: readonly TraceEntry[], source: TraceSource): number {
  const lastMs = Math.floor((entries.at(-1)?.dueUs ?? 0) / 1000) + 1;
  return source.durationMs === undefined
    ? lastMs
    : Math.max(lastMs, Math.round(source.durationMs / source.speed));
}

/** JSONL of https://github.com/kvcache-ai/Mooncake, FAST25-release/traces: timestamp (ms), input_length, output_length, hash_ids. */
function mooncakeLines(text: string, file: string): Line[] {
  return linesOf(text, file, (line, at) => {
    const value = parseJsonLine(line, at);
    return {
      tUs: Math.round(numberAt(value, "timestamp", at, { min: 0, max: LONGEST_US }) * 1000),
      inputTokens: tokensAt(value, "input_length", at),
      outputTokens: tokensAt(value, "output_length", at),
      blocks: blocksAt(value, at),
    };
  });
}

const AZURE_COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"] as const;

/** CSV of https://github.com/Azure/AzurePublicDataset, LLM inference traces of 2023 and 2024. */
function azureLines(text: string, file: string): Line[] {
  let columns: readonly number[] | null = null;
  const lines = linesOf(text, file, (line, at) => {
    const cells = line.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
    if (columns === null) {
      columns = azureColumns(cells, at);
      return null;
    }
    const [time = "", input = "", output = ""] = columns.map((column) => cells[column] ?? "");
    return {
      tUs: timeOf(time, at),
      inputTokens: wholeTokens(Number(input === "" ? Number.NaN : input), "ContextTokens", at),
      outputTokens: wholeTokens(Number(output === "" ? Number.NaN : output), "GeneratedTokens", at),
      blocks: null,
    };
  });
  const firstUs = lines.reduce((least, { tUs }) => Math.min(least, tUs), Number.POSITIVE_INFINITY);
  return lines.map((line) => ({ ...line, tUs: line.tUs - firstUs }));
}

function azureColumns(cells: readonly string[], at: Place): readonly number[] {
  return AZURE_COLUMNS.map((name) => {
    const column = cells.findIndex(
      (cell) => cell.replace(/^\ufeff/, "").toLowerCase() === name.toLowerCase(),
    );
    if (column < 0)
      throw invalidLine(at, `has no column ${name}`, `the first line names ${AZURE_COLUMNS.join(", ")}`);
    return column;
  });
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?$/;

/** `2023-11-16 18:17:03.9799600`, with or without a zone; us since 1970, exact. */
function timeOf(text: string, at: Place): number {
  const match = TIME.exec(text);
  if (match === null)
    throw invalidLine(
      at,
      `TIMESTAMP must be a time such as 2023-11-16 18:17:03.97, is "${text.slice(0, 40)}"`,
    );
  const [, year, month, day, hour, minute, second, fraction = "", sign, zoneHours = "0", zoneMinutes = "0"] =
    match;
  const days = daysSince1970(Number(year), Number(month), Number(day));
  const seconds = days * 86_400 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  const zone = (sign === "-" ? -1 : 1) * (Number(zoneHours) * 3600 + Number(zoneMinutes) * 60);
  return (seconds - zone) * 1_000_000 + Math.floor(Number(fraction.padEnd(9, "0")) / 1000);
}

/** Of the proleptic Gregorian calendar. Hinnant, https://howardhinnant.github.io/date_algorithms.html, days_from_civil. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const ofEra = y - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

/** Lines that are not empty; null is no request. */
function linesOf(text: string, file: string, read: (line: string, at: Place) => Line | null): Line[] {
  const lines: Line[] = [];
  for (const [i, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "") continue;
    const found = read(line, { file, line: i + 1 });
    if (found !== null) lines.push(found);
  }
  if (lines.length === 0) throw new LoadError("DATASET_INVALID", `${file} has no request in it`);
  return lines;
}

function tokensAt(value: object, field: string, at: Place): number {
  return wholeTokens(fieldOf(value, field), field, at);
}

/** A request without a token of output is one of a single one: there is no answer without. */
function wholeTokens(value: unknown, field: string, at: Place): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LONGEST)
    return Math.max(1, value);
  throw invalidLine(at, `${field} must be a whole number of tokens from 0 to ${LONGEST}`);
}

function numberAt(
  value: object,
  field: string,
  at: Place,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const number = fieldOf(value, field);
  if (typeof number === "number" && number >= min && number <= max) return number;
  throw invalidLine(at, `${field} must be a number from ${min}`);
}

function blocksAt(value: object, at: Place): readonly number[] | null {
  const ids = fieldOf(value, "hash_ids");
  if (ids === undefined || ids === null) return null;
  if (Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id) && id >= 0)) return ids;
  throw invalidLine(at, "hash_ids must be a list of whole numbers");
}
