import float64 from "hdr-histogram-js/dist/Float64Histogram.js";
import { assert } from "../errors.js";
import {
  checkPayload,
  type DecodedPayloads,
  decodePayload,
  encodePayload,
  GEOMETRY,
  refuse,
} from "./hdr-payload.js";
import type { Histogram } from "./histogram.js";
import type { EncodedHistogram } from "./snapshot.js";

/** An empty histogram: 188 KB, so that whoever makes many keeps and resets them. */
export function createHistogram(): Histogram {
  return new HdrHistogram();
}

/** A histogram with what was encoded. Throws PROTOCOL_MALFORMED. */
export function decodeHistogram(encoded: EncodedHistogram): Histogram {
  const histogram = new HdrHistogram();
  histogram.mergeEncoded(encoded);
  return histogram;
}

/**
 * hdr-histogram-js for the geometry and the counting (its pure Float64 class alone: the package's entry would load
 * WebAssembly and look for zlib by `eval`); exact count, sum, min and max beside it, and our own reading of percentiles,
 * which knows the values above 1 h too.
 */
export class HdrHistogram implements Histogram {
  readonly #hdr = new float64.default(GEOMETRY.lowest, GEOMETRY.highest, GEOMETRY.digits);
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;
  #overflow = 0;
  #firstBucket: number = GEOMETRY.buckets;
  #lastBucket = -1;

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  get max(): number {
    return this.#max;
  }

  get overflow(): number {
    return this.#overflow;
  }

  record(value: number, times = 1): void {
    // The library would count NaN and fractions as if they were durations.
    if (!(Number.isSafeInteger(value) && value >= 0)) assert(false, `not a duration or length: ${value}`);
    if (!(Number.isSafeInteger(times) && times >= 0)) assert(false, `not a number of times: ${times}`);
    if (times === 0) return;
    this.#count += times;
    this.#sum += value * times;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (value > GEOMETRY.highest) this.#overflow += times;
    else this.#add(bucketOf(value), times);
  }

  percentile(percentile: number): number | null {
    assert(percentile >= 0 && percentile <= 100, `not a percentile: ${percentile}`);
    if (this.#count === 0) return null;
    if (percentile === 0) return this.#min;
    let below = 0;
    const rank = rankOf(percentile, this.#count);
    for (let bucket = this.#firstBucket; bucket <= this.#lastBucket; bucket += 1) {
      below += this.#hdr.getCountAtIndex(bucket);
      if (below >= rank) return Math.min(this.#max, this.#highestIn(bucket));
    }
    return this.#max;
  }

  countAtOrBelow(value: number): number {
    if (value < 0) return 0;
    if (value >= this.#max) return this.#count;
    if (value > GEOMETRY.highest) return this.#count - this.#overflow;
    const last = Math.min(bucketOf(Math.floor(value)), this.#lastBucket);
    let count = 0;
    for (let bucket = this.#firstBucket; bucket <= last; bucket += 1) {
      count += this.#hdr.getCountAtIndex(bucket);
    }
    return count;
  }

  merge(other: Histogram): void {
    if (!(other instanceof HdrHistogram)) {
      this.mergeEncoded(other.encode());
      return;
    }
    if (other.#count === 0) return;
    for (let bucket = other.#firstBucket; bucket <= other.#lastBucket; bucket += 1) {
      const count = other.#hdr.getCountAtIndex(bucket);
      if (count > 0) this.#add(bucket, count);
    }
    this.#addTotals(other);
  }

  mergeEncoded(other: EncodedHistogram): void {
    checkEncoded(other);
    this.mergeChecked(other);
  }

  /** As mergeEncoded, for one that passed `checkEncoded` before, by what was kept of it then. */
  mergeChecked(other: EncodedHistogram, kept?: DecodedPayloads): void {
    if (other.count === 0) return;
    const { size, buckets, counts } = kept?.countsOf(other.payload) ?? decodePayload(other.payload);
    for (let i = 0; i < size; i += 1) this.#hdr.addToCountAtIndex(buckets[i] ?? 0, counts[i] ?? 0);
    if (size > 0) {
      this.#firstBucket = Math.min(this.#firstBucket, buckets[0] ?? 0);
      this.#lastBucket = Math.max(this.#lastBucket, buckets[size - 1] ?? 0);
    }
    this.#addTotals(other);
  }

  encode(): EncodedHistogram {
    // An empty histogram is one empty bucket, as every other implementation writes it.
    const range =
      this.#lastBucket < 0
        ? { firstBucket: 0, lastBucket: 0 }
        : { firstBucket: this.#firstBucket, lastBucket: this.#lastBucket };
    return {
      count: this.#count,
      sum: this.#sum,
      min: this.min,
      max: this.#max,
      overflow: this.#overflow,
      payload: encodePayload((bucket) => this.#hdr.getCountAtIndex(bucket), range),
    };
  }

  reset(): void {
    if (this.#lastBucket >= 0) this.#hdr.reset();
    this.#count = 0;
    this.#sum = 0;
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = 0;
    this.#overflow = 0;
    this.#firstBucket = GEOMETRY.buckets;
    this.#lastBucket = -1;
  }

  #add(bucket: number, count: number): void {
    this.#hdr.addToCountAtIndex(bucket, count);
    if (bucket < this.#firstBucket) this.#firstBucket = bucket;
    if (bucket > this.#lastBucket) this.#lastBucket = bucket;
  }

  #addTotals(other: Pick<EncodedHistogram, "count" | "sum" | "min" | "max" | "overflow">): void {
    this.#count += other.count;
    this.#sum += other.sum;
    this.#min = Math.min(this.#min, other.min);
    this.#max = Math.max(this.#max, other.max);
    this.#overflow += other.overflow;
  }

  #highestIn(bucket: number): number {
    const highest = this.#hdr.highestEquivalentValue(this.#hdr.valueFromIndex(bucket));
    return Math.min(highest, GEOMETRY.highest);
  }
}

/**
 * Bucket of an integer from 0 to the highest value: 2,048 of width 1, then 1,024 for each power of two. The library's
 * own `countsArrayIndex` says the same by logarithms, at nine times the cost.
 */
export function bucketOf(value: number): number {
  if (value < 2048) return value;
  const shift = 21 - Math.clz32(value);
  return shift * 1024 + (value >>> shift);
}

/** Rank, from 1, of a percentile above 0: the smallest that covers it. 99.9 % of 1,000 is 999, whatever floats say. */
export function rankOf(percentile: number, count: number): number {
  const exact = (percentile * count) / 100;
  const nearest = Math.round(exact);
  const isWhole = Math.abs(exact - nearest) <= 1e-12 * count;
  return Math.max(1, isWhole ? nearest : Math.ceil(exact));
}

function refuseUncounted(name: string, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 0)) refuse(`${name} ${value}`);
}

/**
 * Throws PROTOCOL_MALFORMED unless the payload is whole, of our geometry, and what stands beside it fits it: figures
 * that contradict each other would move means and percentiles without a trace. `kept` then has its counts.
 */
export function checkEncoded(encoded: EncodedHistogram, kept?: DecodedPayloads): void {
  const { count, sum, min, max, overflow } = encoded;
  refuseUncounted("count", count);
  refuseUncounted("min", min);
  refuseUncounted("max", max);
  refuseUncounted("overflow", overflow);
  const inside = checkPayload(encoded.payload, kept);
  if (inside.count + overflow !== count) refuse(`count ${count} beside ${inside.count} + ${overflow} in it`);
  const slack = 1e-9 * sum; // beyond 2^53 a sum is rounded
  if (!(sum >= min * count - slack && sum <= max * count + slack)) refuse(`a sum ${sum} that cannot be`);
  if (count === 0) {
    if (min !== 0 || max !== 0) refuse("a minimum and maximum of nothing");
    return;
  }
  if (overflow > 0 !== max > GEOMETRY.highest) refuse(`overflow ${overflow} beside maximum ${max}`);
  if (inside.count === 0 ? min <= GEOMETRY.highest : bucketOf(min) !== inside.firstBucket) {
    refuse(`a minimum ${min} that is not in it`);
  }
  if (overflow === 0 && bucketOf(max) !== inside.lastBucket) refuse(`a maximum ${max} that is not in it`);
}
