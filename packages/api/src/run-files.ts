import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { LoadError } from "@tokenstorm/core";

/** The files of a run that may be had: this list is closed, so that no name leads anywhere else. */
export const RUN_FILES = [
  "plan.yaml",
  "run.json",
  "snapshots.ndjson",
  "events.ndjson",
  "report.json",
] as const;
export type RunFileName = (typeof RUN_FILES)[number];

export const RUN_FILE_TYPES: Readonly<Record<RunFileName, string>> = {
  "plan.yaml": "application/yaml",
  "run.json": "application/json; charset=utf-8",
  "snapshots.ndjson": "application/x-ndjson",
  "events.ndjson": "application/x-ndjson",
  "report.json": "application/json; charset=utf-8",
};

export interface RunFile {
  readonly name: RunFileName;
  readonly bytes: number;
  readonly modifiedAt: string;
}

export const isRunFileName = (name: string): name is RunFileName => RUN_FILES.some((one) => one === name);

/** Those that are there now. Throws RESULTS_UNREADABLE where there are none: another coordinator led the run. */
export async function listRunFiles(run: string, directory: string): Promise<RunFile[]> {
  const files: RunFile[] = [];
  for (const name of RUN_FILES) {
    const stats = await lstat(join(directory, name)).catch(() => undefined);
    if (stats?.isFile() !== true) continue;
    files.push({ name, bytes: stats.size, modifiedAt: stats.mtime.toISOString() });
  }
  if (files.length > 0) return files;
  throw new LoadError("RESULTS_UNREADABLE", `there are no files of run ${run} here`, {
    hint: "files are with the coordinator that led the run, from its preparation on",
  });
}

export interface OpenedFile {
  readonly bytes: number;
  readonly content: Readable;
}

/** The file as it stands now: what is added while it is read is not in it. Throws RESULTS_UNREADABLE. */
export async function openRunFile(run: string, directory: string, name: RunFileName): Promise<OpenedFile> {
  const { handle, bytes } = await openChecked(run, directory, name);
  if (bytes > 0) return { bytes, content: handle.createReadStream({ end: bytes - 1 }) };
  await handle.close();
  return { bytes, content: nothing() };
}

/** The same without its content, which is not read: all that a HEAD wants to know. Throws RESULTS_UNREADABLE. */
export async function measureRunFile(run: string, directory: string, name: RunFileName): Promise<OpenedFile> {
  const { handle, bytes } = await openChecked(run, directory, name);
  await handle.close();
  return { bytes, content: nothing() };
}

const nothing = (): Readable => Readable.from([]);

async function openChecked(
  run: string,
  directory: string,
  name: RunFileName,
): Promise<{ readonly handle: FileHandle; readonly bytes: number }> {
  let handle: FileHandle;
  try {
    // A link in the run directory leads elsewhere, and was not made by the coordinator.
    handle = await open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw unreadable(run, name, cause);
  }
  const stats = await handle.stat();
  if (stats.isFile()) return { handle, bytes: stats.size };
  await handle.close();
  throw unreadable(run, name);
}

function unreadable(run: string, name: string, cause?: unknown): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `there is no file ${name} of run ${run} here`, {
    hint: "the files that are there: /api/v1/runs/ID/files",
    cause,
  });
}
