import type { StepOutput } from "./engine/engine.js";

/** An answer that tokens go to. */
export interface OutputConsumer {
  /** Takes a token that another one comes with. */
  hold(output: StepOutput): void;
  /** Takes a token, and sends what there is. */
  release(output: StepOutput): void;
}

/** Brings the tokens of a step to their answers. */
export interface OutputQueue {
  push(consumer: OutputConsumer, output: StepOutput): void;
  /** To be called after pushes. */
  run(): void;
  close(): void;
}

/** vLLM's front end handles the outputs of a step in groups of this size, and reads sockets in between. */
const GROUP = 128;

/** Writes the tokens of a step group by group, so that a thousand writes do not hold up what arrives. */
export class OutputRelease implements OutputQueue {
  #consumers: OutputConsumer[] = [];
  #outputs: StepOutput[] = [];
  #next = 0;
  #immediate: NodeJS.Immediate | undefined;

  push(consumer: OutputConsumer, output: StepOutput): void {
    this.#consumers.push(consumer);
    this.#outputs.push(output);
  }

  /** Writes one group now and the others in the following turns of the event loop. */
  run(): void {
    if (this.#immediate === undefined) this.#writeGroup();
  }

  close(): void {
    clearImmediate(this.#immediate);
  }

  #writeGroup(): void {
    this.#immediate = undefined;
    const end = Math.min(this.#next + GROUP, this.#outputs.length);
    for (; this.#next < end; this.#next++) {
      const output = this.#outputs[this.#next];
      if (output !== undefined) this.#consumers[this.#next]?.release(output);
    }
    if (this.#next < this.#outputs.length) {
      this.#immediate = setImmediate(() => this.#writeGroup());
      return;
    }
    this.#consumers = [];
    this.#outputs = [];
    this.#next = 0;
  }
}
