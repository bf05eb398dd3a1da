import { isTerminal, LoadError, type RunRecord } from "@tokenstorm/core";
import { decodeRunRecord, encodeRunRecord, RUN_KEYS, type StateStore } from "@tokenstorm/protocol";
import type { Logger } from "./logger.js";

export interface StoredRun {
  readonly key: string;
  readonly record: RunRecord;
  /** For compare-and-set. */
  readonly revision: number;
}

/**
 * What is to be led next. Runs that are over are read once: their number grows for ever, and nothing changes them.
 */
export class RunQueue {
  readonly #state: StateStore;
  readonly #logger: Logger;
  readonly #over = new Set<string>();
  #unreadable = 0;

  constructor(state: StateStore, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
  }

  /** Records that are none of this version. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /**
   * Takes a run that another coordinator led and left: from now on that one can write nothing of it. Undefined where
   * it is over, or led under a higher term. Throws BUS_UNAVAILABLE, BUS_DENIED.
   */
  async takeOver(
    { key, record, revision }: StoredRun,
    by: { readonly term: number; readonly leader: string },
  ): Promise<StoredRun | undefined> {
    const taken: RunRecord = { ...record, ...by, revision: record.revision + 1 };
    const written = await this.#state.compareAndSet(key, encodeRunRecord(taken), revision);
    if (written === undefined) return undefined;
    const who = record.leader === by.leader ? "it" : `coordinator ${record.leader}`;
    this.#logger.warn(`takes over a run that ${who} led before`, { run: record.id, state: record.state });
    return { key, record: taken, revision: written };
  }

  /** Runs that are not over, the oldest first. Throws BUS_UNAVAILABLE, BUS_DENIED. */
  async open(): Promise<StoredRun[]> {
    const keys = await this.#state.keys(RUN_KEYS);
    const present = new Set(keys);
    for (const key of this.#over) if (!present.has(key)) this.#over.delete(key);
    const open: StoredRun[] = [];
    for (const key of keys) {
      if (this.#over.has(key)) continue;
      const entry = await this.#state.get(key);
      if (entry === undefined) continue;
      const record = this.#read(key, entry.value);
      if (record === undefined || isTerminal(record.state)) this.#over.add(key);
      else open.push({ key, record, revision: entry.revision });
    }
    return open.sort(byAge);
  }

  #read(key: string, value: Uint8Array): RunRecord | undefined {
    try {
      const record = decodeRunRecord(value);
      // A record under another run's key would be led for that one.
      if (`${RUN_KEYS}${record.id}` === key) return record;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      this.#logger.warn("passed over what is no run record", { key, reason: error.message });
    }
    this.#unreadable += 1;
    return undefined;
  }
}

function byAge(a: StoredRun, b: StoredRun): number {
  return a.record.createdAtMs - b.record.createdAtMs || (a.record.id < b.record.id ? -1 : 1);
}
