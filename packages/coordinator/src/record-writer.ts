import {
  applyChange,
  type Clock,
  isTerminal,
  LoadError,
  type RecordChange,
  type RunRecord,
} from "@tokenstorm/core";
import { decodeRunRecordOf, encodeRunRecord, type StateStore } from "@tokenstorm/protocol";
import { COORDINATOR_LIMITS } from "./limits.js";
import type { StoredRun } from "./run-queue.js";
import { pause } from "./ticker.js";

export interface RecordWriterOptions {
  readonly state: StateStore;
  readonly clock: Clock;
  readonly stored: StoredRun;
  readonly term: number;
  /** The store has the change, or has found it made. */
  readonly onWritten: (change: RecordChange, record: RunRecord) => void;
  /** The change would come too late. */
  readonly onLate: () => void;
  /** What stands in the store is none of this run's: it is overwritten. */
  readonly onRefusal: (reason: string) => void;
  /** Somebody asks the run to end. */
  readonly onStop: (stop: RunRecord["stop"]) => void;
  /** False as soon as another one may lead. */
  readonly isLeading: () => boolean;
  /** The store had lost the record, and has it again. */
  readonly onRestored: () => void;
  /** The record is not this leader's any more: led under a higher term, or ended. */
  readonly onTaken: (why: string) => void;
  /** No store would take what the change makes of the record. */
  readonly onUnwritable: (error: LoadError) => void;
  /** The store does not work. */
  readonly onFailure: (error: LoadError) => void;
}

/** The one who writes a run's record: one change after the other, each by compare-and-set upon what stands there. */
export class RecordWriter {
  readonly #options: RecordWriterOptions;
  #stored: StoredRun;
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;
  #stop: RunRecord["stop"]["level"];
  /** Somebody has written over the record: it is to be put right. */
  #isSpoilt = false;

  constructor(options: RecordWriterOptions) {
    this.#options = options;
    this.#stored = options.stored;
    this.#stop = options.stored.record.stop.level;
  }

  /** As the store has it, by the last that is known. */
  get record(): RunRecord {
    return this.#stored.record;
  }

  /** Resolves when every change that was asked for by now is in the store, or never will be. */
  settled(): Promise<void> {
    return this.#work;
  }

  write(change: RecordChange, notAfterUs: number | null): void {
    this.#next(() => this.#write(change, notAfterUs));
  }

  /** Looks whether somebody has asked the run to end, and puts the record right where it was written over. */
  refresh(): void {
    this.#next(async () => {
      try {
        await this.#read();
        if (this.#isSpoilt && !this.#isClosed && this.#options.isLeading()) await this.#tryWrite(this.record);
      } catch (error) {
        // It is asked again within a second; a change that cannot be written is what counts.
        if (!(error instanceof LoadError)) throw error;
      }
    });
  }

  /** Nothing more is written. May be called twice. */
  close(): void {
    this.#isClosed = true;
  }

  #next(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#isClosed) return;
      await work();
    });
  }

  async #write(change: RecordChange, notAfterUs: number | null): Promise<void> {
    const { clock } = this.#options;
    const giveUpUs = clock.nowUs() + COORDINATOR_LIMITS.storeGiveUpMs * 1000;
    let conflicts = 0;
    let tried: Uint8Array | null = null;
    while (!this.#isClosed) {
      if (notAfterUs !== null && clock.nowUs() > notAfterUs) {
        // It may have been written in time, and only the answer been lost: agents have begun then.
        if (tried !== null && (await this.#hasWritten(tried)))
          return this.#options.onWritten(change, this.record);
        return this.#options.onLate();
      }
      const next = applyChange(this.record, change);
      if (next === null) return this.#explainRefusal();
      try {
        tried = encodeRunRecord(next);
        if (await this.#tryWrite(next)) return this.#options.onWritten(change, this.record);
        conflicts += 1;
        if (conflicts >= COORDINATOR_LIMITS.writeAttempts) throw contended(this.record.id);
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
        if (error.code === "PROTOCOL_MALFORMED") return this.#options.onUnwritable(error);
        const isOver = error.code !== "BUS_UNAVAILABLE" || clock.nowUs() >= giveUpUs;
        if (isOver) return this.#options.onFailure(error);
        await pause(clock, COORDINATOR_LIMITS.storeRetryMs).over;
      }
    }
  }

  /** True when it stands in the store, by this write or by an earlier one whose answer was lost. */
  async #tryWrite(next: RunRecord): Promise<boolean> {
    const { key, revision } = this.#stored;
    const value = encodeRunRecord(next);
    const written = await this.#options.state.compareAndSet(key, value, revision);
    if (written !== undefined) {
      this.#stored = { key, record: next, revision: written };
      this.#isSpoilt = false;
      return true;
    }
    const found = await this.#read();
    return found !== undefined && isSameBytes(found, value);
  }

  /** False where the store cannot be asked: nobody knows. */
  async #hasWritten(value: Uint8Array): Promise<boolean> {
    try {
      const found = await this.#read();
      return found !== undefined && isSameBytes(found, value);
    } catch (error) {
      if (error instanceof LoadError) return false;
      throw error;
    }
  }

  async #read(): Promise<Uint8Array | undefined> {
    const { key, revision } = this.#stored;
    const entry = await this.#options.state.get(key);
    if (entry === undefined) return this.#restore();
    if (entry.revision !== revision) {
      const found = this.#successor(entry.value);
      this.#isSpoilt = found === undefined;
      this.#stored = { key, record: found ?? this.record, revision: entry.revision };
      const { stop, term } = this.record;
      if (term > this.#options.term) this.#taken("another coordinator leads it");
      else if (stop.level !== this.#stop) {
        this.#stop = stop.level;
        this.#options.onStop(stop);
      }
    }
    return entry.value;
  }

  /** A store that has lost the record, wiped or begun anew, gets it from the one who leads the run. */
  async #restore(): Promise<Uint8Array | undefined> {
    if (this.#isClosed || !this.#options.isLeading()) return undefined;
    const { key, record } = this.#stored;
    const value = encodeRunRecord(record);
    const written = await this.#options.state.compareAndSet(key, value, undefined);
    if (written === undefined) return undefined;
    this.#stored = { key, record, revision: written };
    this.#options.onRestored();
    return value;
  }

  /**
   * What was written upon the record that is known; undefined for anything else. Whoever writes in order, also a stop or
   * another leader, goes by what stood there: an earlier record has been repeated by somebody.
   */
  #successor(value: Uint8Array): RunRecord | undefined {
    try {
      const record = decodeRunRecordOf(this.record.id, value);
      const isSame =
        record.revision === this.record.revision && isSameBytes(value, encodeRunRecord(this.record));
      if (isSame || record.revision > this.record.revision) return record;
      throw new LoadError("PROTOCOL_MALFORMED", `an earlier record of run ${record.id}, written once more`);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      this.#options.onRefusal(error.message);
      return undefined;
    }
  }

  /** A start refused because of a stop is no wonder: `onStop` has told it. */
  #explainRefusal(): void {
    const { record } = this;
    if (record.term > this.#options.term) this.#taken("another coordinator leads it");
    else if (isTerminal(record.state)) this.#taken(`it was ended as ${record.state}`);
  }

  #taken(why: string): void {
    this.close();
    this.#options.onTaken(why);
  }
}

function isSameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

function contended(run: string): LoadError {
  return new LoadError(
    "BUS_UNAVAILABLE",
    `the record of run ${run} is written by somebody else all the time`,
  );
}
