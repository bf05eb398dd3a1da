/** Writes of some seconds at the highest rate that is tried. */
const MOST_WRITES = 2 ** 20;
const BYTES_PER_WRITE = 24;

/** What the null server wrote: to which user, the how-manieth of its tokens, when, and when it was due. Columns. */
export interface Writes {
  readonly users: Int32Array;
  readonly ordinals: Int32Array;
  readonly writtenUs: Float64Array;
  readonly dueUs: Float64Array;
}

/** Keeps writes without an allocation for each; beyond its room they are passed over. */
export class WriteLog {
  readonly #writes: Writes = columns(MOST_WRITES);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  add(user: number, ordinal: number, writtenUs: number, dueUs: number): void {
    if (this.#count === MOST_WRITES) return;
    this.#writes.users[this.#count] = user;
    this.#writes.ordinals[this.#count] = ordinal;
    this.#writes.writtenUs[this.#count] = writtenUs;
    this.#writes.dueUs[this.#count] = dueUs;
    this.#count += 1;
  }

  /** For another process of this host. */
  encode(): Buffer {
    const { writtenUs, dueUs, users, ordinals } = this.#writes;
    return Buffer.concat(
      [writtenUs, dueUs, users, ordinals].map((column) => {
        const part = column.subarray(0, this.#count);
        return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
      }),
    );
  }
}

/** What `encode` made. */
export function decodeWrites(bytes: Uint8Array): Writes {
  const count = Math.floor(bytes.byteLength / BYTES_PER_WRITE);
  const writes = columns(count);
  let from = 0;
  for (const column of [writes.writtenUs, writes.dueUs, writes.users, writes.ordinals]) {
    new Uint8Array(column.buffer).set(bytes.subarray(from, from + column.byteLength));
    from += column.byteLength;
  }
  return writes;
}

function columns(length: number): Writes {
  return {
    users: new Int32Array(length),
    ordinals: new Int32Array(length),
    writtenUs: new Float64Array(length),
    dueUs: new Float64Array(length),
  };
}
