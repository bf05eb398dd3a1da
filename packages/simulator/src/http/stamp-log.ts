import { assert } from "@tokenstorm/core";

const SMALL = 256;

/** The stamps of one request's writes: typed arrays, so that a million of them weigh four megabytes. */
export class StampLog {
  #firstUs = 0;
  #lastUs = 0;
  #count = 0;
  #gapsUs: Uint32Array;
  /** Allocated when a write carries other than one token. */
  #tokens: Uint32Array | undefined;

  constructor(expected: number) {
    this.#gapsUs = new Uint32Array(Math.min(expected, SMALL));
  }

  add(stampUs: number, tokens: number): void {
    if (this.#count === 0) {
      this.#firstUs = stampUs;
      this.#lastUs = stampUs;
    }
    const gapUs = stampUs - this.#lastUs;
    assert(gapUs >= 0 && gapUs <= 0xffff_ffff, `not a gap between two writes: ${gapUs} us`);
    if (this.#count === this.#gapsUs.length) this.#grow();
    this.#gapsUs[this.#count] = gapUs;
    if (tokens !== 1) this.#tokens ??= new Uint32Array(this.#gapsUs.length).fill(1);
    if (this.#tokens !== undefined) this.#tokens[this.#count] = tokens;
    this.#lastUs = stampUs;
    this.#count++;
  }

  take(): { firstWriteUs: number; writeGapsUs: Uint32Array; writeTokens: Uint32Array | undefined } {
    return {
      firstWriteUs: this.#firstUs,
      writeGapsUs: this.#gapsUs.slice(0, this.#count),
      writeTokens: this.#tokens?.slice(0, this.#count),
    };
  }

  #grow(): void {
    const size = Math.max(16, this.#gapsUs.length * 2);
    const gapsUs = new Uint32Array(size);
    gapsUs.set(this.#gapsUs);
    if (this.#tokens !== undefined) {
      const tokens = new Uint32Array(size).fill(1);
      tokens.set(this.#tokens);
      this.#tokens = tokens;
    }
    this.#gapsUs = gapsUs;
  }
}
