import { type Clock, LoadError } from "@tokenstorm/core";
import type { Random } from "../random.js";
import type { ProcessClock } from "./process-clock.js";

/** The disk of one host. Lines that were not synced when their process died are lost, the last one perhaps in part. */
export class FaultyDisk {
  readonly #folders = new Map<string, Map<string, string>>();
  #fullUntilUs = Number.NEGATIVE_INFINITY;

  /** By file name; what is on the disk itself. */
  files(folder: string): ReadonlyMap<string, string> | undefined {
    return this.#folders.get(folder);
  }

  get names(): readonly string[] {
    return [...this.#folders.keys()];
  }

  /** No room is left until this moment of true time. */
  fillUntil(worldUs: number): void {
    this.#fullUntilUs = Math.max(this.#fullUntilUs, worldUs);
  }

  isFullAt(worldUs: number): boolean {
    return worldUs < this.#fullUntilUs;
  }

  /** As a process of this host sees it. */
  mount(options: {
    readonly world: Clock;
    readonly process: ProcessClock;
    readonly random: Random;
    readonly syncMaxUs: number;
  }): DiskMount {
    const isFull = () => this.isFullAt(options.world.nowUs());
    return new DiskMount(this.#folders, { ...options, isFull });
  }
}

type MountOptions = Parameters<FaultyDisk["mount"]>[0] & { readonly isFull: () => boolean };

export class DiskMount {
  readonly #folders: Map<string, Map<string, string>>;
  readonly #options: MountOptions;
  readonly #opened: OpenFolder[] = [];

  constructor(folders: Map<string, Map<string, string>>, options: MountOptions) {
    this.#folders = folders;
    this.#options = options;
  }

  async open(name: string): Promise<OpenFolder> {
    if (this.#folders.has(name)) throw unwritable(name, "EEXIST", "it is there already");
    return this.reopen(name);
  }

  async reopen(name: string): Promise<OpenFolder> {
    const known = this.#folders.get(name);
    if (known === undefined && this.#options.isFull()) throw noRoom(name);
    const files = known ?? new Map<string, string>();
    this.#folders.set(name, files);
    const folder = new OpenFolder(name, files, this.#options);
    this.#opened.push(folder);
    return folder;
  }

  /** Its process dies. */
  lose(): void {
    for (const folder of this.#opened) folder.lose();
  }
}

interface PendingLine {
  readonly file: string;
  readonly line: string;
}

export class OpenFolder {
  readonly path: string;
  readonly #files: Map<string, string>;
  readonly #options: MountOptions;
  #pending: PendingLine[] = [];
  #work: Promise<void> = Promise.resolve();

  constructor(path: string, files: Map<string, string>, options: MountOptions) {
    this.path = path;
    this.#files = files;
    this.#options = options;
  }

  async *readLines(file: string): AsyncIterable<string> {
    const text = this.#files.get(file) ?? "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole !== text) this.#files.set(file, whole);
    for (const line of whole.split("\n")) if (line !== "") yield line;
  }

  appendLine(file: string, line: string): void {
    this.#pending.push({ file, line });
  }

  sync(): Promise<void> {
    return this.#next(() => {
      // What was appended while the disk worked is not part of this sync, but may well get there.
      const pending = this.#pending;
      this.#pending = [];
      if (!this.#options.isFull()) return this.#writeLines(pending);
      // The last of its room takes some lines; the others wait, before what is appended meanwhile.
      const taken = this.#options.random.int(0, pending.length);
      this.#writeLines(pending.slice(0, taken));
      this.#pending = [...pending.slice(taken), ...this.#pending];
      throw noRoom(this.path);
    });
  }

  writeFile(file: string, text: string): Promise<void> {
    return this.#next(() => {
      if (this.#options.isFull()) throw noRoom(this.path);
      this.#files.set(file, text);
    });
  }

  /** Lines that were in no sync are in the memory of their process alone, and are forgotten. */
  async close(): Promise<void> {
    await this.#work;
    this.#pending = [];
  }

  lose(): void {
    const { random, isFull } = this.#options;
    const pending = this.#pending;
    this.#pending = [];
    if (isFull()) return;
    const kept = random.int(0, pending.length);
    for (const [i, { file, line }] of pending.entries()) {
      if (i < kept) this.#write(file, `${line}\n`);
      else if (i === kept) this.#write(file, line.slice(0, random.int(0, line.length - 1)));
      else return;
    }
  }

  #writeLines(lines: readonly PendingLine[]): void {
    for (const { file, line } of lines) this.#write(file, `${line}\n`);
  }

  #write(file: string, text: string): void {
    this.#files.set(file, (this.#files.get(file) ?? "") + text);
  }

  /** One after the other, also after one that found no room. */
  #next(work: () => void): Promise<void> {
    const { world, process, random, syncMaxUs } = this.#options;
    const done = this.#work.then(async () => {
      await new Promise<void>((resolve) => world.at(world.nowUs() + random.int(0, syncMaxUs), resolve));
      await new Promise<void>((resolve) => process.deliver(resolve));
      work();
    });
    this.#work = done.catch(() => undefined);
    return done;
  }
}

function noRoom(path: string): LoadError {
  return unwritable(path, "ENOSPC", "no space is left on the disk");
}

function unwritable(path: string, code: string, reason: string): LoadError {
  const cause = Object.assign(new Error("the disk refuses"), { code });
  return new LoadError("RESULTS_UNREADABLE", `the run directory ${path} cannot be written: ${reason}`, {
    cause,
  });
}
