import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { LoadError, requirePlan, type TestPlan } from "@tokenstorm/core";

/** A plan is a page, not a data set. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Reads a plan file, YAML or JSON; `-` is stdin. The result is not checked yet. Throws PLAN_INVALID (exit 104). */
export async function readPlanFile(path: string, stdin: Readable = process.stdin): Promise<unknown> {
  const name = path === "-" ? "stdin" : path;
  const text = path === "-" ? await readAll(stdin) : await readPath(path);
  // Loaded where it is wanted: a run that was given by flags has nothing to parse.
  const { parseYaml } = await import("./yaml-text.js");
  return parseYaml(text, name);
}

/** Checks a plan, whatever it was made from. Throws every problem at once (exit 104). */
export function checkPlan(input: unknown): TestPlan {
  return requirePlan(input);
}

async function readPath(path: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MOST_BYTES)
      throw unreadable(path, `it has ${bytes.length} bytes, more than ${MOST_BYTES}`);
    return bytes.toString("utf8");
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    throw unreadable(path, reasonOf(cause), cause);
  }
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MOST_BYTES) throw unreadable("stdin", `it has more than ${MOST_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** PLAN_INVALID for a file that is no plan at all. */
export function unreadable(name: string, problem: string, cause?: unknown): LoadError {
  return new LoadError("PLAN_INVALID", `the plan ${name} cannot be read: ${problem}`, {
    hint: "tokenstorm init writes a plan to start from",
    cause,
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
};

/** What the system says of a file, in words. */
export function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return REASONS[code] ?? (cause instanceof Error ? firstLine(cause.message) : String(cause));
}

export const firstLine = (text: string): string => (text.split("\n")[0] ?? text).replace(/:$/, "");
