import {
  applyChange,
  type Clock,
  COMMIT_READ_BEFORE_US,
  isTerminal,
  LEADER_LIMITS,
  LoadError,
  type RecordChange,
  type RunRecord,
} from "@tokenstorm/core";
import { decodeRunRecordOf, encodeRunRecord, type StateStore } from "@tokenstorm/protocol";
import { answeredWithin } from "./answered-within.js";
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

/** More than the error of a clock that was compared. */
const CLOCKS_APART_US = 100_000;

/** The one who writes a run's record: one change after the other, each by compare-and-set upon what stands there. */
export class RecordWriter {
  readonly #options: RecordWriterOptions;
  #stored: StoredRun;
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;
  #stop: RunRecord["stop"]["level"];
  /** Somebody has written over the record: it is to be put right. */
  #isSpoilt = false;
  /** What was handed to the store, until it is known to stand there. */
  #tried: Attempt | null = null;
  /** Of the next answer of the store. */
  #patienceMs: number = COORDINATOR_LIMITS.storeAnswerMs;
  #isToRefresh = false;

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
    this.#next(async () => {
      await this.#write(change, notAfterUs);
      this.#tried = null;
    });
  }

  /** Looks whether somebody has asked the run to end, and puts the record right where it was written over. */
  refresh(): void {
    // Of a store that does not answer nothing more is learned by asking more often.
    if (this.#isToRefresh) return;
    this.#isToRefresh = true;
    this.#next(async () => {
      this.#isToRefresh = false;
      try {
        await this.#read();
        if (this.#isSpoilt && !this.#isClosed && this.#options.isLeading()) await this.#putRight();
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
    while (!this.#isClosed) {
      try {
        if (notAfterUs !== null && clock.nowUs() > notAfterUs) {
          if (await this.#isUnmade(notAfterUs)) this.#options.onLate();
          return;
        }
        const next = applyChange(this.record, change);
        if (next === null) return this.#explainRefusal();
        if (await this.#tryWrite(change, next)) return;
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
  async #tryWrite(change: RecordChange, next: RunRecord): Promise<boolean> {
    const value = encodeRunRecord(next);
    this.#tried = { change, value };
    if (await this.#put(next, value)) this.#made(change);
    else await this.#read();
    return this.#tried === null;
  }

  async #putRight(): Promise<void> {
    if (!(await this.#put(this.record, encodeRunRecord(this.record)))) await this.#read();
  }

  /**
   * Agents wait for what is written: an answer that was lost, with a connection maybe, must not hold the next one up. A store
   * that is slow is given as much time as it needs.
   */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const { storeAnswerMs, storeAnswerMostMs } = COORDINATOR_LIMITS;
    const askedUs = clock.nowUs();
    const limitMs = this.#patienceMs;
    this.#patienceMs = Math.min(2 * limitMs, storeAnswerMostMs);
    const value = await answeredWithin(answer, { clock, limitMs });
    const tookMs = (clock.nowUs() - askedUs) / 1000;
    this.#patienceMs = Math.min(Math.max(storeAnswerMs, 2 * tookMs), storeAnswerMostMs);
    return value;
  }

  /** False where something else stands there than what is known. */
  async #put(record: RunRecord, value: Uint8Array): Promise<boolean> {
    const { key, revision } = this.#stored;
    const written = await this.#inTime(this.#options.state.compareAndSet(key, value, revision));
    if (written === undefined) return false;
    this.#stored = { key, record, revision: written };
    this.#isSpoilt = false;
    return true;
  }

  /**
   * It may have been written in time, and only the answer been lost: agents have begun then. What lands when no agent heeds it
   * any more starts nobody, so it is looked for then. Throws while nobody knows.
   */
  async #isUnmade(notAfterUs: number): Promise<boolean> {
    if (this.#tried === null) return true;
    const { clock } = this.#options;
    const unheededUs = notAfterUs + LEADER_LIMITS.commitBeforeUs - COMMIT_READ_BEFORE_US + CLOCKS_APART_US;
    if (unheededUs > clock.nowUs()) await pause(clock, Math.ceil((unheededUs - clock.nowUs()) / 1000)).over;
    await this.#read();
    return !this.#isClosed && this.#tried !== null;
  }

  #made(change: RecordChange): void {
    this.#tried = null;
    this.#options.onWritten(change, this.record);
  }

  /** What was tried and is found made is told first: what a stop means depends on it. */
  async #read(): Promise<void> {
    const { key, revision } = this.#stored;
    const entry = await this.#inTime(this.#options.state.get(key));
    if (entry === undefined) return this.#restore();
    if (entry.revision === revision) return;
    const found = this.#successor(entry.value);
    this.#isSpoilt = found === undefined;
    this.#stored = { key, record: found ?? this.record, revision: entry.revision };
    const { stop, term } = this.record;
    if (term > this.#options.term) return this.#taken("another coordinator leads it");
    if (
      found !== undefined &&
      this.#tried !== null &&
      isMade(this.#tried, { value: entry.value, record: found })
    )
      this.#made(this.#tried.change);
    if (stop.level !== this.#stop) {
      this.#stop = stop.level;
      this.#options.onStop(stop);
    }
  }

  /** A store that has lost the record, wiped or begun anew, gets it from the one who leads the run. */
  async #restore(): Promise<void> {
    if (this.#isClosed || !this.#options.isLeading()) return;
    const { key, record } = this.#stored;
    const value = encodeRunRecord(record);
    const written = await this.#inTime(this.#options.state.compareAndSet(key, value, undefined));
    if (written === undefined) return;
    this.#stored = { key, record, revision: written };
    this.#options.onRestored();
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

interface Attempt {
  readonly change: RecordChange;
  readonly value: Uint8Array;
}

/** Whoever stops a run writes upon its commit: agents have begun all the same. */
function isMade(
  { change, value }: Attempt,
  found: { readonly value: Uint8Array; readonly record: RunRecord },
): boolean {
  if (change.name !== "commit") return isSameBytes(found.value, value);
  const { start } = found.record;
  return start?.committed === true && start.attempt === change.fields.start?.attempt;
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
