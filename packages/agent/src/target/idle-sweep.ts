import type { Cancel, Clock } from "@tokenstorm/core";

const SWEEP_US = 500_000;

/** A channel that may have an idle socket. */
export interface Idler {
  /** Drops its socket where that has been idle for too long. Whether it has an idle one left. */
  dropIdle(nowUs: number): boolean;
}

/**
 * Drops sockets that nobody uses any more: one timer for all of them, that runs while there are any. A socket is looked
 * at again before it is used, so that coming round late does no harm.
 */
export class IdleSweep {
  readonly #clock: Pick<Clock, "nowUs" | "at">;
  readonly #idlers = new Set<Idler>();
  #cancel: Cancel | null = null;

  readonly #sweep = (): void => {
    this.#cancel = null;
    const nowUs = this.#clock.nowUs();
    for (const idler of this.#idlers) if (!idler.dropIdle(nowUs)) this.#idlers.delete(idler);
    this.#arm();
  };

  constructor(clock: Pick<Clock, "nowUs" | "at">) {
    this.#clock = clock;
  }

  /** Cheap where it is watched already. */
  watch(idler: Idler): void {
    this.#idlers.add(idler);
    this.#arm();
  }

  forget(idler: Idler): void {
    this.#idlers.delete(idler);
    if (this.#idlers.size > 0) return;
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(): void {
    if (this.#cancel !== null || this.#idlers.size === 0) return;
    this.#cancel = this.#clock.at(this.#clock.nowUs() + SWEEP_US, this.#sweep);
  }
}
