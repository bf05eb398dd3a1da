/** Writes, or steps, of some seconds at the highest rate that is tried. */
const MOST_ROWS = 2 ** 20;
const HEAD_BYTES = 16;

/** What the null server did since a level was set. Columns; those of writes and those of steps have a length each. */
export interface Writes {
  /** To which user, the how-manieth of its tokens, and when. */
  readonly users: Int32Array;
  readonly ordinals: Int32Array;
  readonly writtenUs: Float64Array;
  /** When a group's turn began, and how late that was. */
  readonly steppedUs: Float64Array;
  readonly lagUs: Float64Array;
}

/** Keeps rows without an allocation for each; beyond its room they are passed over. */
export class WriteLog {
  readonly #rows: Writes = columns(MOST_ROWS, MOST_ROWS);
  #writes = 0;
  #steps = 0;

  clear(): void {
    this.#writes = 0;
    this.#steps = 0;
  }

  add(user: number, ordinal: number, writtenUs: number): void {
    if (this.#writes === MOST_ROWS) return;
    this.#rows.users[this.#writes] = user;
    this.#rows.ordinals[this.#writes] = ordinal;
    this.#rows.writtenUs[this.#writes] = writtenUs;
    this.#writes += 1;
  }

  addStep(steppedUs: number, lagUs: number): void {
    if (this.#steps === MOST_ROWS) return;
    this.#rows.steppedUs[this.#steps] = steppedUs;
    this.#rows.lagUs[this.#steps] = lagUs;
    this.#steps += 1;
  }

  /** For another process of this host. */
  encode(): Buffer {
    const rows = columns(this.#writes, this.#steps);
    for (const [column, whole] of pairs(rows, this.#rows)) column.set(whole.subarray(0, column.length));
    const parts = inOrder(rows).map((column) => Buffer.from(column.buffer));
    return Buffer.concat([Buffer.from(Float64Array.of(this.#writes, this.#steps).buffer), ...parts]);
  }
}

/** What `encode` made. */
export function decodeWrites(bytes: Uint8Array): Writes {
  const counts = new Float64Array(2);
  new Uint8Array(counts.buffer).set(bytes.subarray(0, HEAD_BYTES));
  const rows = columns(counts[0] ?? 0, counts[1] ?? 0);
  let from = HEAD_BYTES;
  for (const column of inOrder(rows)) {
    new Uint8Array(column.buffer).set(bytes.subarray(from, from + column.byteLength));
    from += column.byteLength;
  }
  return rows;
}

function columns(writes: number, steps: number): Writes {
  return {
    users: new Int32Array(writes),
    ordinals: new Int32Array(writes),
    writtenUs: new Float64Array(writes),
    steppedUs: new Float64Array(steps),
    lagUs: new Float64Array(steps),
  };
}

const inOrder = ({ writtenUs, steppedUs, lagUs, users, ordinals }: Writes) =>
  [writtenUs, steppedUs, lagUs, users, ordinals] as const;

function pairs(
  to: Writes,
  from: Writes,
): (readonly [Int32Array | Float64Array, Int32Array | Float64Array])[] {
  const wholes = inOrder(from);
  return inOrder(to).map((column, i) => [column, wholes[i] ?? column]);
}
