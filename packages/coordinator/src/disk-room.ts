import { type Clock, LoadError } from "@tokenstorm/core";
import { COORDINATOR_LIMITS } from "./limits.js";
import { pause } from "./ticker.js";

/** The disk has no room left, or this user may have no more of it: somebody can make room, and it works again. */
export function isDiskFull(error: unknown): error is LoadError {
  if (!(error instanceof LoadError) || !(error.cause instanceof Error) || !("code" in error.cause))
    return false;
  return error.cause.code === "ENOSPC" || error.cause.code === "EDQUOT";
}

/** Waits for room on the disk of one run directory; once it was waited for in vain, never again. */
export class DiskRoom {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #onNote: (text: string) => void;
  #full: { readonly error: LoadError; readonly sinceUs: number } | undefined;
  #isGivenUp = false;
  #hurry: () => void = () => undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly diskWaitMs?: number;
    readonly onNote: (text: string) => void;
  }) {
    this.#clock = options.clock;
    this.#waitMs = options.diskWaitMs ?? COORDINATOR_LIMITS.diskWaitMs;
    this.#onNote = options.onNote;
  }

  /** For those who watch the run: what is waited for. Null while there is room. */
  get waiting(): string | null {
    return this.#full === undefined ? null : this.#full.error.message;
  }

  /** The disk was full just now; said once. */
  full(error: LoadError): void {
    if (this.#full !== undefined) return;
    this.#full = { error, sinceUs: this.#clock.nowUs() };
    this.#onNote(`${error.message}: ${error.hint ?? ""}`);
  }

  /** All that waited was written. */
  written(): void {
    if (this.#full === undefined) return;
    const seconds = Math.round((this.#clock.nowUs() - this.#full.sinceUs) / 1e6);
    this.#full = undefined;
    this.#onNote(`the run directory takes results again, after ${seconds} s`);
  }

  /** Does it, and while the disk is full does it again. Throws what it threw last. */
  async wait<T>(work: () => Promise<T>): Promise<T> {
    const untilUs = this.#clock.nowUs() + this.#waitMs * 1000;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        this.full(error);
        if (this.#clock.nowUs() >= untilUs) this.#isGivenUp = true;
        if (this.#isGivenUp) throw error;
      }
      const { over, hurry } = pause(this.#clock, COORDINATOR_LIMITS.diskRetryMs);
      this.#hurry = hurry;
      await over;
    }
  }

  /** From now on nothing is waited for: somebody wants the run to end, or it is led no more. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#hurry();
  }
}
