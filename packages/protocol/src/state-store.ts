import { assert } from "@tokenstorm/core";

const KEY = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** Asserts the form of a key. */
export function checkKey(key: string): void {
  assert(KEY.test(key), `not a key: ${key}`);
}

export interface StateEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** For compare-and-set. */
  readonly revision: number;
}

/** Where the truth about runs lives. Keys: `[a-zA-Z0-9_-]+` tokens joined by dots. Throws BUS_UNAVAILABLE, BUS_DENIED. */
export interface StateStore {
  get(key: string): Promise<StateEntry | undefined>;
  /**
   * Writes only over `expected` (undefined: only where the key does not exist); the new revision, or undefined when
   * somebody else was first.
   */
  compareAndSet(key: string, value: Uint8Array, expected: number | undefined): Promise<number | undefined>;
  /** All keys that begin with the prefix (`run.`), in no order. */
  keys(prefix: string): Promise<string[]>;
  delete(key: string): Promise<void>;
}
