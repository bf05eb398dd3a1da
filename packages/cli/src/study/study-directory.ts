import { existsSync } from "node:fs";
import { type FileHandle, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { LoadError, type StudyMode } from "@tokenstorm/core";
import { z } from "zod";
import { lockFolder } from "../listen/data-lock.js";
import { reasonOf } from "../plan-file.js";
import { makeOutFolder } from "../run-directory.js";
import type { LoadedStudy } from "./study-file.js";

const STATE_FILE = "study.json";
const JOURNAL_FILE = "journal.ndjson";
/** Of a study of 10,000 runs the journal has some megabytes. */
const MOST_JOURNAL_BYTES = 64 * 1024 * 1024;

const State = z.object({
  schemaVersion: z.literal(1),
  name: z.string(),
  /** Of what study file and plans say. */
  digest: z.string(),
  mode: z.enum(["quick", "default", "thorough"]),
  createdAt: z.string(),
  file: z.string(),
});
export type StudyState = z.output<typeof State>;

/** A line of the journal. `begun` without a later `done` is a run that was under way when the study stopped. */
const JournalEntry = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("begun"), at: z.string(), key: z.string() }),
  z.object({
    kind: z.literal("done"),
    at: z.string(),
    key: z.string(),
    run: z.string(),
    /** Below `runs`. */
    directory: z.string(),
  }),
  /** A file of prompts or times as it was found, the last word before a run was done: all runs must send the same. */
  z.object({ kind: z.literal("data-set"), at: z.string(), file: z.string(), sha256: z.string() }),
  z.object({ kind: z.literal("left"), at: z.string(), key: z.string(), why: z.string() }),
  z.object({ kind: z.literal("note"), at: z.string(), text: z.string() }),
]);
export type JournalEntry = z.output<typeof JournalEntry>;

export interface DoneRun {
  readonly key: string;
  readonly run: string;
  readonly directory: string;
}

/** The directory of a study, held by this process alone while it is open. */
export interface StudyDirectory {
  readonly path: string;
  readonly runs: string;
  readonly state: StudyState;
  /** By key; the last word counts. */
  done(): ReadonlyMap<string, DoneRun>;
  /** SHA-256 of the files that its runs send, by their names in the plans. */
  dataSets(): ReadonlyMap<string, string>;
  /** Runs that were begun and not done before this process came. */
  readonly underWay: readonly string[];
  /** Adds a line; on the disk when it resolves. Throws RESULTS_UNREADABLE. */
  append(entry: DistributiveOmit<JournalEntry, "at">): Promise<void>;
  writeFile(name: string, text: string): Promise<void>;
  /** May be called twice. */
  close(): Promise<void>;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export interface OpenOptions {
  readonly loaded: LoadedStudy;
  readonly path: string;
  readonly mode: StudyMode;
  readonly resume: boolean;
  readonly restart: boolean;
}

/**
 * Begins a study's directory, or goes on with the one that is there. Throws PLAN_INVALID where that is of another study
 * or mode, or where nobody said that it should go on; RESULTS_UNREADABLE where it cannot be read or written.
 */
export async function openStudyDirectory(options: OpenOptions): Promise<StudyDirectory> {
  const { path } = options;
  await makeOutFolder(path);
  const lock = await lockFolder(path, {
    code: "RESULTS_UNREADABLE",
    message: `another tokenstorm study works in ${path}`,
    hint: "wait for it, or name another folder with --out",
  });
  try {
    const state = (await stateOf(options)) ?? (await begin(options));
    await makeOutFolder(join(path, "runs"));
    const entries = await readJournal(join(path, JOURNAL_FILE));
    const handle = await told(path, () => open(join(path, JOURNAL_FILE), "a"));
    return new Directory({ path, state, entries, handle, release: () => lock.release() });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** What is there already; undefined where a new one is to be begun. */
async function stateOf(options: OpenOptions): Promise<StudyState | undefined> {
  const { path, loaded, mode, resume, restart } = options;
  const file = join(path, STATE_FILE);
  if (!existsSync(file)) {
    if (!resume) return undefined;
    throw new LoadError("RUN_UNKNOWN", `there is no study in ${path} to go on with`, {
      hint: "leave out --resume, or name its folder with --out",
    });
  }
  if (restart) {
    await setAside(path);
    return undefined;
  }
  const state = State.safeParse(await readJson(file));
  if (state.data === undefined) {
    throw unreadable(file, `${state.error?.issues[0]?.path.join(".")}: ${state.error?.issues[0]?.message}`);
  }
  const { data } = state;
  const why =
    data.digest !== loaded.digest
      ? `${loaded.path}, or a plan that it names, is not what the study in ${path} was begun with`
      : data.mode !== mode
        ? `the study in ${path} was begun in mode ${data.mode}, not ${mode}`
        : null;
  if (why !== null) {
    throw new LoadError("PLAN_INVALID", `${why}: its runs and new ones are not one study`, {
      hint: "--restart begins anew (what is there is kept beside it), --out names another folder",
    });
  }
  if (!resume) {
    throw new LoadError("PLAN_INVALID", `there is a study in ${path} already`, {
      hint: "--resume goes on with it, --restart begins anew (what is there is kept beside it)",
    });
  }
  return data;
}

async function begin({ path, loaded, mode }: OpenOptions): Promise<StudyState> {
  const state: StudyState = {
    schemaVersion: 1,
    name: loaded.study.file.name,
    digest: loaded.digest,
    mode,
    createdAt: new Date().toISOString(),
    file: loaded.path,
  };
  await told(path, async () => {
    await writeWhole(join(path, "study.yaml"), loaded.text);
    await writeWhole(join(path, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
  });
  return state;
}

/** Nothing is ever deleted: what was measured moves into `before-1`, `before-2`, ... */
async function setAside(path: string): Promise<void> {
  await told(path, async () => {
    let n = 1;
    while (existsSync(join(path, `before-${n}`))) n += 1;
    const aside = join(path, `before-${n}`);
    await makeOutFolder(aside);
    // The state goes first: without it the rest is no study that could be gone on with.
    for (const name of [
      STATE_FILE,
      JOURNAL_FILE,
      "study.yaml",
      "study-report.json",
      "study-report.html",
      "runs",
      "hooks",
    ]) {
      if (existsSync(join(path, name))) await rename(join(path, name), join(aside, name));
    }
  });
}

async function readJournal(file: string): Promise<JournalEntry[]> {
  if (!existsSync(file)) return [];
  const bytes = await told(file, () => readFile(file));
  if (bytes.length > MOST_JOURNAL_BYTES) throw unreadable(file, `it has ${bytes.length} bytes`);
  const lines = bytes.toString("utf8").split("\n");
  // A last line without its end was being written when the process died: what it says had not happened yet.
  const torn = lines.pop() ?? "";
  if (torn !== "") await told(file, () => writeWhole(file, `${lines.join("\n")}\n`));
  return lines.flatMap((line, i) => {
    if (line === "") return [];
    const entry = JournalEntry.safeParse(parseJson(line, `${file}:${i + 1}`));
    if (entry.data !== undefined) return [entry.data];
    throw unreadable(`${file}:${i + 1}`, entry.error?.issues[0]?.message ?? "is no entry");
  });
}

class Directory implements StudyDirectory {
  readonly path: string;
  readonly runs: string;
  readonly state: StudyState;
  readonly underWay: readonly string[];
  readonly #done = new Map<string, DoneRun>();
  readonly #dataSets = new Map<string, string>();
  readonly #handle: FileHandle;
  readonly #release: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(of: {
    readonly path: string;
    readonly state: StudyState;
    readonly entries: readonly JournalEntry[];
    readonly handle: FileHandle;
    readonly release: () => Promise<void>;
  }) {
    this.path = of.path;
    this.runs = join(of.path, "runs");
    this.state = of.state;
    this.#handle = of.handle;
    this.#release = of.release;
    const begun = new Set<string>();
    for (const entry of of.entries) {
      if (entry.kind === "begun") begun.add(entry.key);
      if (entry.kind === "left") begun.delete(entry.key);
      if (entry.kind === "data-set") this.#dataSets.set(entry.file, entry.sha256);
      if (entry.kind === "done") {
        begun.delete(entry.key);
        this.#done.set(entry.key, entry);
      }
    }
    this.underWay = [...begun];
  }

  done(): ReadonlyMap<string, DoneRun> {
    return this.#done;
  }

  dataSets(): ReadonlyMap<string, string> {
    return this.#dataSets;
  }

  async append(entry: DistributiveOmit<JournalEntry, "at">): Promise<void> {
    const line = JSON.stringify({ ...entry, at: new Date().toISOString() });
    await told(this.path, async () => {
      await this.#handle.appendFile(`${line}\n`);
      await this.#handle.datasync();
    });
    if (entry.kind === "done") this.#done.set(entry.key, entry);
    if (entry.kind === "data-set") this.#dataSets.set(entry.file, entry.sha256);
  }

  writeFile(name: string, text: string): Promise<void> {
    return told(this.path, () => writeWhole(join(this.path, name), text));
  }

  close(): Promise<void> {
    this.#closing ??= this.#handle.close().finally(this.#release);
    return this.#closing;
  }
}

/** The whole file or nothing, on the disk when it resolves. */
async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.draft`;
  const handle = await open(draft, "w");
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

async function readJson(file: string): Promise<unknown> {
  return parseJson(await told(file, () => readFile(file, "utf8")), file);
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(place, "it is no JSON", cause);
  }
}

async function told<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    throw new LoadError(
      "RESULTS_UNREADABLE",
      `the study's directory cannot be used (${place}): ${reasonOf(cause)}`,
      {
        hint: "make room, or name another folder with --out",
        cause,
      },
    );
  }
}

function unreadable(place: string, problem: string, cause?: unknown): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `${place} cannot be read: ${problem}`, { cause });
}
