import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { LoadError } from "@tokenstorm/core";
import { reasonOf } from "../plan-file.js";
import { claimsFromTable, type TableOptions } from "./claims-table.js";
import { claimsFromReport, looksLikeReport } from "./report-json.js";
import { type ClaimedResults, ResultsProblem } from "./results-problem.js";
import { claimsFromVllm, looksLikeVllm } from "./vllm-json.js";

/** A results table is a page; with the lists of each request a vLLM file is longer. */
export const MOST_RESULT_BYTES = 64 * 1024 * 1024;

/** Reads a results file; `-` is stdin. Throws RESULTS_UNREADABLE with every problem. */
export async function readResults(
  path: string,
  options: TableOptions,
  { stdin = process.stdin, mostBytes = MOST_RESULT_BYTES }: { stdin?: Readable; mostBytes?: number } = {},
): Promise<ClaimedResults> {
  const name = path === "-" ? "stdin" : path;
  try {
    const bytes = path === "-" ? await readStream(stdin, mostBytes) : await readPath(path, mostBytes);
    return parseResults(decode(bytes), options);
  } catch (cause) {
    const problems = cause instanceof ResultsProblem ? cause.problems : [reasonOf(cause)];
    const [first = "", ...rest] = problems;
    const message =
      rest.length === 0
        ? `the results ${name} cannot be read: ${first}`
        : `the results ${name} cannot be read:\n${problems.join("\n")}`;
    throw new LoadError("RESULTS_UNREADABLE", message, {
      hint: "tokenstorm audit --help shows what a table needs and how to name its columns",
      cause,
    });
  }
}

/** Results of any form that the audit knows. Throws a ResultsProblem. */
export function parseResults(text: string, options: TableOptions): ClaimedResults {
  const start = text.replace(/^\uFEFF/, "").trimStart();
  if (start === "") throw new ResultsProblem(["it is empty"]);
  if (!start.startsWith("{") && !start.startsWith("[")) return claimsFromTable(text, options);
  if (options.columns.length > 0) {
    throw new ResultsProblem(["it is JSON, whose fields have names of their own: --columns is for tables"]);
  }
  const values = jsonValues(start);
  const [first] = values;
  if (values.length === 1 && looksLikeReport(first)) return claimsFromReport(first);
  if (values.length > 0 && values.every(looksLikeVllm)) return claimsFromVllm(values);
  throw new ResultsProblem([
    "it is JSON, but neither of vllm bench serve (duration, completed, request_throughput) nor a tokenstorm report (schemaVersion, stages)",
  ]);
}

/** One value, the members of an array, or one value on each line. */
function jsonValues(text: string): unknown[] {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (cause) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length > 1) {
      try {
        return lines.map((line): unknown => JSON.parse(line));
      } catch {
        // Then it was meant as one value, and that is what is reported.
      }
    }
    throw new ResultsProblem([`it is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`]);
  }
  return Array.isArray(whole) ? whole : [whole];
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ResultsProblem(["it is not UTF-8 text"]);
  }
}

/** No more than the bound is read, whatever the file is. */
async function readPath(path: string, mostBytes: number): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    return await readStream(file.createReadStream({ autoClose: false }), mostBytes);
  } finally {
    await file.close();
  }
}

async function readStream(stream: Readable, mostBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > mostBytes) throw new ResultsProblem([`it has more than ${mostBytes} bytes`]);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
