import type { Clock } from "@tokenstorm/core";

/** Says when the read that is being handled was made, and which it is. */
export interface Reads {
  /** Number of the read that `stampUs` spoke of last; two pieces with the same number came in one read. */
  readonly read: number;
  /** Monotonic us of the read that is being handled; now, where none is. */
  stampUs(): number;
  /** Has all that was read so far understood, before anything is judged by the state of a request. */
  settle(): void;
  /** Settles and calls `run`: at once, or from within what a read has set off when all of what was kept is understood. */
  after(run: () => void): void;
}

/**
 * Stamps socket reads. The client shows body pieces after its parser, never the read itself; Node hands each read of
 * each socket to a callback of its own, so all that happens within one callback of the event loop is one read, stamped
 * when the first piece of it shows. One for a whole target.
 */
export class ReadStamps implements Reads {
  read = 0;
  readonly #clock: Pick<Clock, "nowUs">;
  #tUs = 0;
  #isCurrent = false;
  // Ticks run when the callback is over and before the event loop goes on; one is far cheaper than a microtask here.
  readonly #forget = (): void => {
    this.#isCurrent = false;
  };

  constructor(clock: Pick<Clock, "nowUs">) {
    this.#clock = clock;
  }

  stampUs(): number {
    if (!this.#isCurrent) {
      this.#tUs = this.#clock.nowUs();
      this.#isCurrent = true;
      this.read++;
      process.nextTick(this.#forget);
    }
    return this.#tUs;
  }

  /** Nothing is ever kept: the client shows its pieces as it reads them. */
  settle(): void {}

  after(run: () => void): void {
    run();
  }
}
