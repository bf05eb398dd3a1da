import type { StepOutput } from "./engine/engine.js";
import type { OutputConsumer, OutputQueue } from "./output-release.js";

export interface FrontEndDeps {
  /** What one hand-over takes, us. */
  readonly costUs: number;
  readonly nowUs: () => number;
  /** Calls back at a time of `nowUs`; returns what takes that back. */
  readonly at: (us: number, wake: () => void) => () => void;
}

/**
 * vLLM's front end is one event loop in Python: it hands outputs to the answers one after the other, each at a cost. An answer
 * that has not had its turn when its next token comes gets both in one event (vLLM's RequestOutputCollector). So a front end
 * that cannot keep up merges tokens instead of falling behind for ever.
 */
export class FrontEnd implements OutputQueue {
  readonly #deps: FrontEndDeps;
  /** In the order of their turns; a Map keeps it. */
  readonly #waiting = new Map<OutputConsumer, StepOutput[]>();
  #freeUs = 0;
  #cancel: (() => void) | undefined;

  constructor(deps: FrontEndDeps) {
    this.#deps = deps;
  }

  push(consumer: OutputConsumer, output: StepOutput): void {
    const held = this.#waiting.get(consumer);
    if (held === undefined) this.#waiting.set(consumer, [output]);
    else held.push(output);
  }

  run(): void {
    if (this.#cancel !== undefined || this.#waiting.size === 0) return;
    this.#serveFrom(Math.max(this.#freeUs, this.#deps.nowUs()));
  }

  close(): void {
    this.#cancel?.();
    this.#waiting.clear();
  }

  /** The first in the queue has its turn from here. */
  #serveFrom(us: number): void {
    this.#freeUs = us + this.#deps.costUs;
    this.#cancel = this.#deps.at(this.#freeUs, () => this.#work());
  }

  /** Hands over as many as had their time by now. */
  #work(): void {
    this.#cancel = undefined;
    const { nowUs, costUs } = this.#deps;
    const untilUs = nowUs();
    for (const [consumer, outputs] of this.#waiting) {
      this.#waiting.delete(consumer);
      handOver(consumer, outputs);
      if (this.#waiting.size === 0 || this.#freeUs + costUs > untilUs) break;
      this.#freeUs += costUs;
    }
    // Who waits has waited since the last turn ended, however late the timer was.
    if (this.#waiting.size > 0) this.#serveFrom(this.#freeUs);
  }
}

function handOver(consumer: OutputConsumer, outputs: readonly StepOutput[]): void {
  outputs.forEach((output, i) => {
    if (i < outputs.length - 1) consumer.hold(output);
    else consumer.release(output);
  });
}
