const INITIAL_BYTES = 1024;
/** Kept between uses; one stream of giant events must not hold its memory for the rest of the run. */
const KEPT_BYTES = 64 * 1024;

/** Bytes of an unfinished line or event, in one buffer that is used again. */
export class GrowingBytes {
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  length = 0;

  append(source: Uint8Array, from: number, to: number): void {
    const needed = this.length + to - from;
    if (needed > this.bytes.length) this.#grow(needed);
    this.bytes.set(source.subarray(from, to), this.length);
    this.length = needed;
  }

  appendByte(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1);
    this.bytes[this.length++] = byte;
  }

  clear(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
