import type { FaultyDisk } from "@tokenstorm/testkit";

/** What the sim reads of a line of snapshots.ndjson by itself, so that no fault of the program's own reader hides here. */
export interface RawSnapshot {
  readonly agent: string;
  readonly epoch: number;
  readonly seq: number;
  readonly blocks: readonly {
    readonly stage: number;
    readonly phase: string;
    readonly flow: { readonly completed: number };
    readonly due: {
      readonly offered: number;
      readonly completed: number;
      readonly failed: Readonly<Record<string, number>>;
      readonly cancelled: number;
      readonly censored: number;
    };
  }[];
}

/** The snapshots of a run directory, each once, as they stand there. */
export function rawSnapshots(text: string): readonly RawSnapshot[] {
  const seen = new Map<string, RawSnapshot>();
  for (const line of text.split("\n")) {
    if (!line.startsWith('{"kind":"snapshot"')) continue;
    const snapshot = JSON.parse(line) as RawSnapshot;
    const key = `${snapshot.agent} ${snapshot.epoch} ${snapshot.seq}`;
    if (!seen.has(key)) seen.set(key, snapshot);
  }
  return [...seen.values()];
}

const HEAD = /^\{"kind":"snapshot","run":"[^"]*","agent":"([^"]*)","epoch":\d+,"seq":(\d+),/;

/** Which intervals are on a disk itself. Reads on where it has read to before. */
export class SyncedResults {
  readonly #disk: FaultyDisk;
  readonly #read = new Map<string, number>();
  readonly #seqs = new Map<string, Set<number>>();
  readonly #through = new Map<string, number>();

  constructor(disk: FaultyDisk) {
    this.#disk = disk;
  }

  /** Every interval of the agent up to here is there. */
  through(agent: string): number {
    for (const name of this.#disk.names) this.#readOn(name);
    const seqs = this.#seqs.get(agent);
    let through = this.#through.get(agent) ?? 0;
    while (seqs?.has(through + 1) === true) through += 1;
    this.#through.set(agent, through);
    return through;
  }

  #readOn(name: string): void {
    const text = this.#disk.files(name)?.get("snapshots.ndjson") ?? "";
    const from = this.#read.get(name) ?? 0;
    const to = text.lastIndexOf("\n") + 1;
    for (const line of text.slice(from, to).split("\n")) {
      const [, agent, seq] = HEAD.exec(line) ?? [];
      if (agent === undefined) continue;
      const seqs = this.#seqs.get(agent) ?? new Set();
      this.#seqs.set(agent, seqs.add(Number(seq)));
    }
    this.#read.set(name, Math.max(from, to));
  }
}
