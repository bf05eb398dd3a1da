import { LoadError, type RunRecord } from "@tokenstorm/core";
import { decodeRunRecordOf, runKey, type StateStore } from "@tokenstorm/protocol";

export interface RecordReaderOptions {
  readonly state: StateStore;
  /** `isLate`: a read that was asked later has been answered before. */
  readonly onRecord: (record: RunRecord, isLate: boolean) => void;
  /** The StateStore has no such run. */
  readonly onAbsent: (run: string) => void;
  readonly onMalformed: (error: unknown) => void;
  /** The StateStore could not be read; it is asked again by whoever still wants to know. */
  readonly onUnavailable: (error: LoadError) => void;
  /** Anything else is a bug. */
  readonly onBug: (error: unknown) => void;
}

/** Reads run records, one at a time: however often it is asked meanwhile, one more read follows. */
export class RecordReader {
  readonly #options: RecordReaderOptions;
  #isReading = false;
  #next: string | undefined;
  #asked = 0;
  #answered = 0;
  #isClosed = false;

  constructor(options: RecordReaderOptions) {
    this.#options = options;
  }

  read(run: string): void {
    this.#next = run;
    // Every ending is handled within.
    if (!this.#isReading) void this.#readAll();
  }

  /** Beside whatever read is still open: that one may hang. */
  readNow(run: string): void {
    void this.#readOne(run);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    for (let run = this.#next; run !== undefined && !this.#isClosed; run = this.#next) {
      this.#next = undefined;
      await this.#readOne(run);
    }
    this.#isReading = false;
  }

  async #readOne(run: string): Promise<void> {
    const { state, onRecord, onAbsent, onMalformed, onUnavailable, onBug } = this.#options;
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const entry = await state.get(runKey(run));
      if (this.#isClosed) return;
      const isLate = asked < this.#answered;
      this.#answered = Math.max(this.#answered, asked);
      if (entry === undefined) onAbsent(run);
      else onRecord(decodeRunRecordOf(run, entry.value), isLate);
    } catch (error) {
      if (this.#isClosed) return;
      if (!(error instanceof LoadError)) onBug(error);
      else if (isMalformed(error)) onMalformed(error);
      else onUnavailable(error);
    }
  }
}

/** What a decoder throws. */
export function isMalformed(error: unknown): boolean {
  return (
    error instanceof LoadError &&
    (error.code === "PROTOCOL_MALFORMED" || error.code === "PROTOCOL_UNSUPPORTED_VERSION")
  );
}
