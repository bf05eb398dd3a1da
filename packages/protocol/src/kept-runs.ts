import { isTerminal, type RunRecord } from "@tokenstorm/core";

/** As they stand in the store: some hundred records of large clusters, thousands of small ones. Others are read again. */
const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Records of runs that are over, by key: such a record is never written again, and to read and check each one for every
 * look at the list takes a third of a second of a process that has better things to do.
 */
export class KeptRuns {
  readonly #kept = new Map<string, { readonly record: RunRecord; readonly bytes: number }>();
  readonly #mostBytes: number;
  #bytes = 0;

  constructor({ mostBytes = KEPT_BYTES }: { readonly mostBytes?: number } = {}) {
    this.#mostBytes = mostBytes;
  }

  get(key: string): RunRecord | undefined {
    return this.#kept.get(key)?.record;
  }

  /** Once it is full, what is there stays: a list is read whole each time, so that whatever was put out would be wanted next. */
  add(key: string, record: RunRecord, bytes: number): void {
    if (!isTerminal(record.state) || this.#kept.has(key) || this.#bytes + bytes > this.#mostBytes) return;
    this.#kept.set(key, { record, bytes });
    this.#bytes += bytes;
  }

  /** Those that are not in the store any more make room. */
  keepOnly(keys: readonly string[]): void {
    const present = new Set(keys);
    for (const [key, { bytes }] of this.#kept) {
      if (present.has(key)) continue;
      this.#kept.delete(key);
      this.#bytes -= bytes;
    }
  }
}
