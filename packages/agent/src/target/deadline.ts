import type { Cancel, Clock } from "@tokenstorm/core";

export interface DeadlineOptions {
  readonly clock: Pick<Clock, "nowUs" | "at">;
  /** When what is waited for counts as overdue, as things stand; Infinity while nothing is waited for. */
  readonly dueUs: () => number;
  readonly onOverdue: () => void;
}

/**
 * One timer for one slot, armed again only when it rings: a token moves what `dueUs` says, never a timer. Call
 * `ensure` where the due time may have become earlier.
 */
export class Deadline {
  readonly #options: DeadlineOptions;
  #armedUs = Number.POSITIVE_INFINITY;
  #disarm: Cancel | null = null;
  #confirmation: NodeJS.Immediate | null = null;

  readonly #ring = (): void => {
    this.#armedUs = Number.POSITIVE_INFINITY;
    this.#disarm = null;
    if (this.#rearmedUnlessOverdue()) return;
    // A late event loop runs its timers before it reads its sockets: what already lies there must count.
    this.#confirmation = setImmediate(this.#confirm);
  };

  readonly #confirm = (): void => {
    this.#confirmation = null;
    if (!this.#rearmedUnlessOverdue()) this.#options.onOverdue();
  };

  constructor(options: DeadlineOptions) {
    this.#options = options;
  }

  /** Makes sure that the due time is looked at no later than `us`. */
  ensure(us: number): void {
    if (us >= this.#armedUs) return;
    this.#disarm?.();
    this.#armedUs = us;
    this.#disarm = this.#options.clock.at(us, this.#ring);
  }

  close(): void {
    this.#disarm?.();
    this.#disarm = null;
    this.#armedUs = Number.POSITIVE_INFINITY;
    if (this.#confirmation !== null) clearImmediate(this.#confirmation);
    this.#confirmation = null;
  }

  #rearmedUnlessOverdue(): boolean {
    const dueUs = this.#options.dueUs();
    if (dueUs <= this.#options.clock.nowUs()) return false;
    this.ensure(dueUs);
    return true;
  }
}
