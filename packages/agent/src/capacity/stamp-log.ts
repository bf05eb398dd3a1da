/** Room for the events of a few seconds at the highest rate that is tried. */
const MOST_STAMPS = 2 ** 20;

/** Token events as they were read: of which user, the how-manieth of its tokens, when. Columns of one length. */
export interface Stamps {
  readonly users: Int32Array;
  readonly ordinals: Int32Array;
  readonly readUs: Float64Array;
}

/** Keeps stamps without an allocation for each. Beyond its room they are passed over, and `isFull` says so. */
export class StampLog {
  readonly #users = new Int32Array(MOST_STAMPS);
  readonly #ordinals = new Int32Array(MOST_STAMPS);
  readonly #readUs = new Float64Array(MOST_STAMPS);
  #count = 0;
  #isOpen = false;

  open(): void {
    this.#count = 0;
    this.#isOpen = true;
  }

  add(user: number, ordinal: number, readUs: number): void {
    if (!this.#isOpen || this.#count === MOST_STAMPS) return;
    this.#users[this.#count] = user;
    this.#ordinals[this.#count] = ordinal;
    this.#readUs[this.#count] = readUs;
    this.#count += 1;
  }

  /** Closes, and copies what was read from `fromUs` until before `toUs`. Stamps do not go back. */
  take(fromUs: number, toUs: number): Stamps {
    this.#isOpen = false;
    const readUs = this.#readUs.subarray(0, this.#count);
    const from = readUs.findIndex((us) => us >= fromUs);
    const end = readUs.findIndex((us) => us >= toUs);
    const range = [from < 0 ? this.#count : from, end < 0 ? this.#count : end] as const;
    return {
      users: this.#users.slice(...range),
      ordinals: this.#ordinals.slice(...range),
      readUs: readUs.slice(...range),
    };
  }
}
