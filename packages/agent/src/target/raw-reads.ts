import type { Clock } from "@tokenstorm/core";
import type { Reads } from "./read-stamps.js";

/** As much as the kernel hands out in one call. */
const READ_BYTES = 64 * 1024;

/**
 * What every socket of the process is read into. One is enough: a read is dealt with before the next is made, whichever
 * socket that is on, and what an unfinished line or head needs of it is copied.
 */
export const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Stamps socket reads where they are made; one for a whole target. */
export class RawReads implements Reads {
  read = 0;
  readonly #clock: Pick<Clock, "nowUs">;
  #tUs = 0;
  #isReading = false;

  constructor(clock: Pick<Clock, "nowUs">) {
    this.#clock = clock;
  }

  /** A read has just been made. */
  begin(): void {
    this.#tUs = this.#clock.nowUs();
    this.#isReading = true;
    this.read++;
  }

  /** It has been dealt with. */
  end(): void {
    this.#isReading = false;
  }

  stampUs(): number {
    if (this.#isReading) return this.#tUs;
    this.read++;
    return this.#clock.nowUs();
  }
}
