import type { Socket } from "node:net";
import type { Clock } from "@tokenstorm/core";
import type { Reads } from "./read-stamps.js";

/** As much as the kernel hands out in one call. */
const READ_BYTES = 64 * 1024;
/** Room for what was read and not yet understood: a burst of a token on some thousands of streams. */
const KEPT_BYTES = 1024 * 1024;
const MOST_KEPT = 8192;
/** A larger read is understood at once: to copy it would cost more than the others gain by its waiting. */
const MOST_BYTES_KEPT = 4096;

/** As long as a burst on a thousand streams takes to be read; sockets that are never quiet must not hold up what follows. */
const LONGEST_KEPT_US = 5000;

/** Whoever can make sense of what was read on a socket. */
export interface ReadOwner {
  /** Bytes `from` to `to`; they may be used again by others when this has returned. */
  understand(socket: Socket, bytes: Buffer, from: number, to: number): void;
}

/**
 * Stamps socket reads where they are made, and has them understood when no socket is readable any more; one for a whole
 * target. When a server writes the tokens of many streams at once, a stamp must not wait until all the streams before
 * it have been parsed: each read costs its stamp and a copy, and the parsing follows in the order of the reads, when a
 * turn of the event loop has found nothing more to read.
 *
 * Whatever else may end or judge a request calls `settle` first, so that it meets the state that the reads have led to.
 */
export class RawReads implements Reads {
  read = 0;
  /** What every socket is read into: one is enough, since each read is copied or understood before the next is made. */
  readonly buffer: Buffer;
  readonly #clock: Pick<Clock, "nowUs">;
  /** The buffer of reads and, behind it, what is kept of them: in one piece, so that keeping is one move of memory. */
  readonly #bytes = Buffer.allocUnsafeSlow(READ_BYTES + KEPT_BYTES);
  readonly #owners: (ReadOwner | null)[] = new Array<ReadOwner | null>(MOST_KEPT).fill(null);
  readonly #sockets: (Socket | null)[] = new Array<Socket | null>(MOST_KEPT).fill(null);
  readonly #stampsUs = new Float64Array(MOST_KEPT);
  /** Where the bytes of each kept read end; they begin where those of the one before it end. */
  readonly #ends = new Uint32Array(MOST_KEPT);
  #kept = 0;
  #end = READ_BYTES;
  /** How many were kept at the end of the last turn. */
  #keptBefore = 0;
  #oldestUs = 0;
  #tUs = 0;
  #isReading = false;
  #isSettling = false;
  /** What waits for all of the kept reads to be understood. */
  #waiting: (() => void)[] = [];
  /** The end of this turn is looked at. */
  #isWatching = false;

  /** At the end of a turn of the event loop: another turn is waited for as long as there is more to read. */
  readonly #endTurn = (): void => {
    this.#isWatching = false;
    if (this.#kept === 0) return;
    const isQuiet = this.#kept === this.#keptBefore;
    if (isQuiet || this.#clock.nowUs() - this.#oldestUs >= LONGEST_KEPT_US) {
      this.settle();
      return;
    }
    this.#keptBefore = this.#kept;
    this.#watch();
  };

  constructor(clock: Pick<Clock, "nowUs">) {
    this.#clock = clock;
    this.buffer = this.#bytes.subarray(0, READ_BYTES);
  }

  /** A read of `length` bytes into `buffer` has just been made. */
  made(owner: ReadOwner, socket: Socket, length: number): void {
    const tUs = this.#clock.nowUs();
    const kept = this.#kept;
    const end = this.#end + length;
    if (length > MOST_BYTES_KEPT || end > this.#bytes.length || kept === MOST_KEPT) {
      this.#understandAll(() => this.#understand(owner, socket, tUs, 0, length));
      return;
    }
    this.#bytes.copyWithin(this.#end, 0, length);
    this.#owners[kept] = owner;
    this.#sockets[kept] = socket;
    this.#stampsUs[kept] = tUs;
    this.#ends[kept] = end;
    this.#end = end;
    this.#kept = kept + 1;
    if (kept > 0) return;
    this.#oldestUs = tUs;
    this.#keptBefore = 0;
    this.#watch();
  }

  settle(): void {
    if (this.#kept > 0 && !this.#isSettling) this.#understandAll(() => undefined);
  }

  after(run: () => void): void {
    this.settle();
    if (this.#isSettling) this.#waiting.push(run);
    else run();
  }

  stampUs(): number {
    if (this.#isReading) return this.#tUs;
    this.read++;
    return this.#clock.nowUs();
  }

  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    setImmediate(this.#endTurn);
  }

  /** All kept reads, then `last`; and then what had to wait for them. */
  #understandAll(last: () => void): void {
    this.#isSettling = true;
    try {
      let from = READ_BYTES;
      for (let i = 0; i < this.#kept; i++) {
        const owner = this.#owners[i];
        const socket = this.#sockets[i];
        const to = this.#ends[i] ?? from;
        this.#owners[i] = null;
        this.#sockets[i] = null;
        if (owner && socket) this.#understand(owner, socket, this.#stampsUs[i] ?? 0, from, to);
        from = to;
      }
      last();
    } finally {
      this.#kept = 0;
      this.#end = READ_BYTES;
      this.#isSettling = false;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  #understand(owner: ReadOwner, socket: Socket, tUs: number, from: number, to: number): void {
    this.#tUs = tUs;
    this.#isReading = true;
    this.read++;
    try {
      owner.understand(socket, this.#bytes, from, to);
    } finally {
      this.#isReading = false;
    }
  }
}
