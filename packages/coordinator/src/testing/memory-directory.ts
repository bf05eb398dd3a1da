import { LoadError } from "@tokenstorm/core";
import type { RunDirectory, RunDirectoryStore } from "../run-directory.js";

/** A run directory in memory, whose disk a test can slow down, fill up or take away. */
export class MemoryDirectory implements RunDirectory {
  readonly path: string;
  /** On the disk. */
  readonly files = new Map<string, string>();
  /** Awaited by every sync. */
  beforeSync: () => Promise<void> = async () => undefined;
  isFull = false;
  isClosed = false;
  syncs = 0;
  #pending: { readonly file: string; readonly line: string }[] = [];

  constructor(path: string) {
    this.path = path;
  }

  async *readLines(file: string): AsyncIterable<string> {
    const text = this.files.get(file) ?? "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    this.files.set(file, whole);
    for (const line of whole.split("\n")) if (line !== "") yield line;
  }

  appendLine(file: string, line: string): void {
    this.#pending.push({ file, line });
  }

  async sync(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.syncs += 1;
    await this.beforeSync();
    if (this.isFull) {
      this.#pending = [...pending, ...this.#pending];
      throw full(this.path);
    }
    for (const { file, line } of pending) this.files.set(file, `${this.files.get(file) ?? ""}${line}\n`);
  }

  async writeFile(file: string, text: string): Promise<void> {
    if (this.isFull) throw full(this.path);
    this.files.set(file, text);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** Parsed lines of a file. */
  lines(file: string): unknown[] {
    const text = this.files.get(file) ?? "";
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line): unknown => JSON.parse(line));
  }
}

export class MemoryDirectories implements RunDirectoryStore {
  readonly directories = new Map<string, MemoryDirectory>();
  isWritable = true;
  onOpen: (directory: MemoryDirectory) => void = () => undefined;

  async open(name: string): Promise<RunDirectory> {
    if (!this.isWritable) {
      throw new LoadError(
        "RESULTS_UNREADABLE",
        `the run directory ${name} cannot be written: permission denied`,
      );
    }
    if (this.directories.has(name)) throw there(name);
    const directory = new MemoryDirectory(name);
    this.directories.set(name, directory);
    this.onOpen(directory);
    return directory;
  }

  async reopen(name: string): Promise<RunDirectory> {
    const known = this.directories.get(name);
    if (known === undefined) return this.open(name);
    // Another process's hold on the same folder: what the one before had not synced is lost with it.
    const directory = new MemoryDirectory(name);
    for (const [file, text] of known.files) directory.files.set(file, text);
    this.directories.set(name, directory);
    this.onOpen(directory);
    return directory;
  }

  /** The only one. */
  get only(): MemoryDirectory {
    const [directory, ...others] = this.directories.values();
    if (directory === undefined || others.length > 0) throw new Error(`${others.length} run directories`);
    return directory;
  }
}

function there(path: string): LoadError {
  const cause = Object.assign(new Error("mkdir failed"), { code: "EEXIST" });
  const message = `the run directory ${path} cannot be written: it is there already`;
  return new LoadError("RESULTS_UNREADABLE", message, { cause });
}

function full(path: string): LoadError {
  const cause = Object.assign(new Error("write failed"), { code: "ENOSPC" });
  const message = `the run directory ${path} cannot be written: no space is left`;
  return new LoadError("RESULTS_UNREADABLE", message, { hint: "make room", cause });
}
