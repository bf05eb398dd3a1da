import { negativeLn } from "./elementary.js";
import { Hash128 } from "./hash.js";

/** Four 32-bit words from which a generator starts. */
export type RandomState = readonly [number, number, number, number];

/** What a random choice is for: streams never share numbers, so that a change of one leaves the others as they were. */
export const STREAMS = {
  arrivals: 1,
  inputLength: 2,
  outputLength: 3,
  promptHead: 4,
  promptBody: 5,
  commonHead: 6,
  commonBody: 7,
  member: 8,
  entry: 9,
  imageCount: 10,
  imageSize: 11,
  imageContent: 12,
  turns: 13,
  blockHead: 14,
  blockBody: 15,
} as const;
export type Stream = (typeof STREAMS)[keyof typeof STREAMS];

/** The state for (seed, stream, index): equal on every agent, independent of what else was drawn. */
export function randomState(seed: number, stream: Stream, index: readonly number[]): RandomState {
  const hash = new Hash128().addInt(seed).addInt(stream);
  for (const part of index) hash.addSafeInt(part);
  return hash.words();
}

/** A sequence of random numbers: xoshiro128** (Blackman and Vigna, 2018, https://prng.di.unimi.it), period 2^128 - 1. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(state: RandomState) {
    [this.#a, this.#b, this.#c, this.#d] = state;
    // The one state from which the generator cannot move.
    if ((this.#a | this.#b | this.#c | this.#d) === 0) this.#d = 1;
  }

  /** A signed 32-bit integer. */
  nextInt32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** 0 <= integer < bound, for bound up to 2^32; uneven by less than bound / 2^53. */
  nextBelow(bound: number): number {
    return Math.floor(this.nextUniform() * bound);
  }

  /** A multiple of 2^-53 in [0, 1). */
  nextUniform(): number {
    return uniform53(this.nextInt32(), this.nextInt32());
  }

  /** Exponentially distributed with mean 1. */
  nextExponential(): number {
    return negativeLn(1 - this.nextUniform());
  }

  /** Normally distributed, mean 0, standard deviation 1: Marsaglia's polar method, without sine and cosine. */
  nextNormal(): number {
    for (;;) {
      const x = 2 * this.nextUniform() - 1;
      const y = 2 * this.nextUniform() - 1;
      const r = x * x + y * y;
      if (r > 0 && r < 1) return x * Math.sqrt((2 * negativeLn(r)) / r);
    }
  }
}

/**
 * Exp(1) numbers by index: `at(k)` is the same whoever asks for it and in whatever order. Each number comes from two
 * keyed bijective mixers of k (Wellons, "Prospecting for Hash Functions", 2018).
 */
export class IndexedExponential {
  readonly #key: RandomState;
  #high = 0;
  #keyLow: number;
  #keyHigh: number;

  constructor(key: RandomState) {
    this.#key = key;
    this.#keyLow = key[0];
    this.#keyHigh = key[1];
  }

  at(k: number): number {
    const high = k < TWO_32 ? 0 : Math.floor(k / TWO_32);
    if (high !== this.#high) this.#rekey(high);
    const first = mix32((k | 0) ^ this.#keyLow);
    const second = mix32(first ^ this.#keyHigh ^ Math.imul(k | 0, 0x9e3779b1));
    return negativeLn(1 - uniform53(first, second));
  }

  /** Every 2^32 numbers another pair of keys. */
  #rekey(high: number): void {
    this.#high = high;
    this.#keyLow = high === 0 ? this.#key[0] : mix32(this.#key[2] ^ high);
    this.#keyHigh = high === 0 ? this.#key[1] : mix32(this.#key[3] ^ high);
  }
}

const TWO_32 = 0x1_0000_0000;

function uniform53(high: number, low: number): number {
  return ((high >>> 5) * 67_108_864 + (low >>> 6)) / 9_007_199_254_740_992;
}

/** A bijection of 32-bit integers that spreads every bit ("triple32"). */
function mix32(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 17), 0xed5ad4bb);
  x = Math.imul(x ^ (x >>> 11), 0xac4c1b51);
  x = Math.imul(x ^ (x >>> 15), 0x31848bab);
  return x ^ (x >>> 14);
}
