import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { LoadError } from "@tokenstorm/core";

/** Where the directories of runs are made; the coordinator's only disk. */
export interface RunDirectoryStore {
  /** A new directory. Throws RESULTS_UNREADABLE when it cannot be made, or is there already. */
  open(name: string): Promise<RunDirectory>;
  /** The one that is there, or a new one. Throws RESULTS_UNREADABLE when it cannot be made or written. */
  reopen(name: string): Promise<RunDirectory>;
}

/** One run's directory. All its errors are RESULTS_UNREADABLE, naming the place and the reason. */
export interface RunDirectory {
  /** As a person finds it. */
  readonly path: string;
  /** Adds a line (without its newline); on disk after the next `sync`. */
  appendLine(file: string, line: string): void;
  /**
   * Lines that stand in the file, of this process or one before it; none where there is no such file. What was being
   * written when a process died, the last line without its end, is cut off. Before the first `appendLine` of the file.
   */
  readLines(file: string): AsyncIterable<string>;
  /** Resolves when every line appended before, and every line read, is on the disk itself (fsync). */
  sync(): Promise<void>;
  /** The whole file or nothing; on the disk when it resolves. */
  writeFile(file: string, text: string): Promise<void>;
  /** May be called twice. */
  close(): Promise<void>;
}

/** Run directories below `out`, which is made when the first run needs it. */
export function createRunDirectory(out: string): RunDirectoryStore {
  return {
    open: async (name) => {
      const path = resolve(out, name);
      await told(path, async () => {
        await makeFolder(resolve(out));
        await mkdir(path);
        await syncDirectory(resolve(out));
      });
      return new NodeRunDirectory(path);
    },
    reopen: async (name) => {
      const path = resolve(out, name);
      await told(path, async () => {
        await makeFolder(path);
        await syncDirectory(resolve(out));
      });
      return new NodeRunDirectory(path);
    },
  };
}

/** A directory could not be made because it is there already. */
export function isThere(error: unknown): boolean {
  const cause = error instanceof LoadError ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && cause.code === "EEXIST";
}

/**
 * `<YYYY-MM-DD>-<name>-<id>`, the date in UTC. Whatever the name holds, it stays within the folder: anybody who may
 * write to the store chose it.
 */
export function runDirectoryName(run: {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
}) {
  const date = new Date(Math.min(run.createdAtMs, LAST_DATE_MS)).toISOString().slice(0, 10);
  const name = run.name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, LONGEST_NAME);
  return `${date}-${name === "" ? "run" : name}-${run.id}`;
}

const LONGEST_NAME = 64;
/** 9999-12-31; later years have more digits. */
const LAST_DATE_MS = 253_402_214_400_000;

class NodeRunDirectory implements RunDirectory {
  readonly path: string;
  readonly #pending = new Map<string, string[]>();
  readonly #handles = new Map<string, KeptFile>();
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(path: string) {
    this.path = path;
  }

  appendLine(file: string, line: string): void {
    const lines = this.#pending.get(file);
    if (lines === undefined) this.#pending.set(file, [line]);
    else lines.push(line);
  }

  async *readLines(file: string): AsyncIterable<string> {
    const path = join(this.path, file);
    const isThere = await this.#next(() => cutTornLine(path));
    if (!isThere) return;
    // An earlier process wrote them, and may not have come to sync them.
    if (!this.#pending.has(file)) this.#pending.set(file, []);
    const input = createReadStream(path, { encoding: "utf8" });
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line !== "") yield line;
    }
  }

  sync(): Promise<void> {
    return this.#next(async () => {
      const pending = [...this.#pending];
      this.#pending.clear();
      for (const [i, [file, lines]] of pending.entries()) {
        try {
          await this.#append(file, lines);
        } catch (error) {
          // Not lost: the next sync takes what is left, before what was appended meanwhile.
          for (const [other, left] of pending.slice(i))
            this.#pending.set(other, [...left, ...(this.#pending.get(other) ?? [])]);
          throw error;
        }
      }
    });
  }

  /** Takes from the lines what is on the disk, piece by piece: on a full one no more than a piece is made again and again. */
  async #append(file: string, lines: string[]): Promise<void> {
    const kept = await this.#handle(file);
    do {
      const count = pieceOf(lines);
      await appendPiece(kept, lines.slice(0, count));
      lines.splice(0, count);
    } while (lines.length > 0);
  }

  writeFile(file: string, text: string): Promise<void> {
    return this.#next(async () => {
      const path = join(this.path, file);
      const draft = `${path}.tmp`;
      const handle = await open(draft, "w");
      try {
        await handle.writeFile(text);
        await handle.sync();
      } catch (error) {
        // Half of it would take the room that is lacking.
        await rm(draft, { force: true });
        throw error;
      } finally {
        await handle.close();
      }
      await rename(draft, path);
      await syncDirectory(this.path);
    });
  }

  close(): Promise<void> {
    return this.#next(async () => {
      this.#isClosed = true;
      const handles = [...this.#handles.values()];
      this.#handles.clear();
      for (const { handle } of handles) await handle.close();
    });
  }

  async #handle(file: string): Promise<KeptFile> {
    const known = this.#handles.get(file);
    if (known !== undefined) return known;
    if (this.#isClosed) throw new Error("it was closed");
    const handle = await open(join(this.path, file), "a");
    const stats = await handle.stat();
    const kept: KeptFile = { handle, isRegular: stats.isFile(), size: stats.size, isTorn: false };
    this.#handles.set(file, kept);
    await syncDirectory(this.path);
    return kept;
  }

  /** One after the other: lines keep their order, and a sync means all that was appended before. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(() => told(this.path, work));
    this.#work = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}

interface KeptFile {
  readonly handle: FileHandle;
  /** Anything else has no end that it could be cut back to. */
  readonly isRegular: boolean;
  /** Up to here it holds whole lines. */
  size: number;
  /** Something may stand beyond that. */
  isTorn: boolean;
}

/** How many of the first lines make a piece. */
function pieceOf(lines: readonly string[]): number {
  let length = 0;
  const end = lines.findIndex((line) => {
    length += line.length;
    return length > APPENDED_AT_ONCE;
  });
  return end < 0 ? lines.length : end + 1;
}

const APPENDED_AT_ONCE = 2 ** 20;

/** All of it or nothing: what a full disk took of a line would garble the next. */
async function appendPiece(kept: KeptFile, lines: readonly string[]): Promise<void> {
  const { handle } = kept;
  if (kept.isTorn && kept.isRegular) await handle.truncate(kept.size);
  kept.isTorn = lines.length > 0;
  const text = Buffer.from(lines.length > 0 ? `${lines.join("\n")}\n` : "");
  if (text.length > 0) await handle.appendFile(text);
  await handle.datasync();
  kept.size += text.length;
  kept.isTorn = false;
}

/** With what it lies in. Node's own `recursive` never returns for a folder below /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path).catch((again: unknown) => {
      if (!(again instanceof Error && "code" in again && again.code === "EEXIST")) throw again;
    });
  }
}

/** A new name is safe only once the directory that holds it is. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "its folder cannot be made",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the disk",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "it is there already",
  EIO: "the disk reports an error",
};

/** Ends the file after its last whole line. False where there is none. */
async function cutTornLine(path: string): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r+");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let end = size; end > 0; ) {
      const from = Math.max(0, end - PIECE_BYTES);
      const { bytesRead } = await handle.read(piece, 0, end - from, from);
      const at = piece.subarray(0, bytesRead).lastIndexOf(0x0a);
      if (at >= 0) {
        if (from + at + 1 < size) await handle.truncate(from + at + 1);
        return true;
      }
      end = from;
    }
    await handle.truncate(0);
    return true;
  } finally {
    await handle.close();
  }
}

const PIECE_BYTES = 64 * 1024;

async function told<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    throw new LoadError("RESULTS_UNREADABLE", `the run directory ${path} cannot be written: ${reason}`, {
      hint: isFull
        ? "make room there and the run goes on; until then NATS and the agents keep its results"
        : "give the coordinator a folder with room that it may write to: --out DIRECTORY",
      cause,
    });
  }
}
