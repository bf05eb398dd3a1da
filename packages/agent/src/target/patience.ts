import type { FailureReason, TestPlan } from "@tokenstorm/core";

/** How long a request that was written may go on without the progress the plan wants of it. Pure arithmetic. */
export class Patience {
  readonly #ttftUs: number;
  readonly #stallUs: number;
  readonly #totalUs: number;
  #writtenUs = 0;
  #lastEventUs = 0;
  #hasToken = false;

  constructor(timeouts: TestPlan["timeouts"]) {
    this.#ttftUs = timeouts.ttftMs * 1000;
    this.#stallUs = timeouts.stallMs * 1000;
    this.#totalUs = timeouts.totalMs * 1000;
  }

  written(tUs: number): void {
    this.#writtenUs = tUs;
    this.#hasToken = false;
  }

  /** True at the first token: from then on events are waited for, which may be due earlier than the first token was. */
  event(tUs: number, tokens: number): boolean {
    this.#lastEventUs = tUs;
    if (tokens === 0 || this.#hasToken) return false;
    this.#hasToken = true;
    return true;
  }

  dueUs(): number {
    return Math.min(this.#progressDueUs(), this.#totalDueUs());
  }

  /** Which limit it is that `dueUs` speaks of. */
  reason(): FailureReason {
    if (this.#totalDueUs() <= this.#progressDueUs()) return "total-timeout";
    return this.#hasToken ? "stall-timeout" : "ttft-timeout";
  }

  #totalDueUs(): number {
    return this.#writtenUs + this.#totalUs;
  }

  #progressDueUs(): number {
    return this.#hasToken ? this.#lastEventUs + this.#stallUs : this.#writtenUs + this.#ttftUs;
  }
}
