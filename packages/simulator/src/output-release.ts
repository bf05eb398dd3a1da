import type { StepOutput } from "./engine/engine.js";
import type { Generation } from "./http/generation.js";

/** vLLM's front end handles the outputs of a step in groups of this size, and reads sockets in between. */
const GROUP = 128;

/** Writes the tokens of a step group by group, so that a thousand writes do not hold up what arrives. */
export class OutputRelease {
  #generations: Generation[] = [];
  #outputs: StepOutput[] = [];
  #next = 0;
  #immediate: NodeJS.Immediate | undefined;

  push(generation: Generation, output: StepOutput): void {
    this.#generations.push(generation);
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
      if (output !== undefined) this.#generations[this.#next]?.release(output);
    }
    if (this.#next < this.#outputs.length) {
      this.#immediate = setImmediate(() => this.#writeGroup());
      return;
    }
    this.#generations = [];
    this.#outputs = [];
    this.#next = 0;
  }
}
