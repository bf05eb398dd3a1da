import { rankOf } from "./hdr-histogram.js";
import { type DecodedPayloads, decodePayload, encodePayload, GEOMETRY } from "./hdr-payload.js";
import type { EncodedHistogram } from "./snapshot.js";

/** Buckets of a page: neighbours are used together, so few pages are half empty. */
const PAGE_BUCKETS = 64;
const NO_PAGE = new Float64Array(PAGE_BUCKETS);

/**
 * The same buckets as every histogram, kept in pages that are made when something falls into them: a few KB where a
 * whole one takes 188. For the many members (agents, targets) that a level keeps beside the merged figures.
 */
export class SparseHistogram {
  readonly #pages = new Map<number, Float64Array>();
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;
  #overflow = 0;

  get count(): number {
    return this.#count;
  }

  /** One that passed `checkEncoded`. */
  mergeChecked(other: EncodedHistogram, kept?: DecodedPayloads): void {
    if (other.count === 0) return;
    const { size, buckets, counts } = kept?.countsOf(other.payload) ?? decodePayload(other.payload);
    // Buckets ascend, so that a page is looked up once.
    let number = -1;
    let page: Float64Array = NO_PAGE;
    for (let i = 0; i < size; i += 1) {
      const bucket = buckets[i] ?? 0;
      const wanted = Math.floor(bucket / PAGE_BUCKETS);
      if (wanted !== number) {
        number = wanted;
        page = this.#page(number);
      }
      const at = bucket % PAGE_BUCKETS;
      page[at] = (page[at] ?? 0) + (counts[i] ?? 0);
    }
    this.#count += other.count;
    this.#sum += other.sum;
    this.#min = Math.min(this.#min, other.min);
    this.#max = Math.max(this.#max, other.max);
    this.#overflow += other.overflow;
  }

  /** As a whole histogram would be. */
  encode(): EncodedHistogram {
    const pages = [...this.#pages.keys()].sort((a, b) => a - b);
    const at = (bucket: number) =>
      this.#pages.get(Math.floor(bucket / PAGE_BUCKETS))?.[bucket % PAGE_BUCKETS] ?? 0;
    const [first, last] = [pages[0], pages.at(-1)];
    const range = { firstBucket: (first ?? 0) * PAGE_BUCKETS, lastBucket: (last ?? 0) * PAGE_BUCKETS };
    if (first !== undefined && last !== undefined) {
      while (at(range.firstBucket) === 0) range.firstBucket += 1;
      range.lastBucket += PAGE_BUCKETS - 1;
      while (at(range.lastBucket) === 0) range.lastBucket -= 1;
    }
    return {
      count: this.#count,
      sum: this.#sum,
      min: this.#count === 0 ? 0 : this.#min,
      max: this.#max,
      overflow: this.#overflow,
      payload: encodePayload(at, range),
    };
  }

  /** As that of `Histogram`: the highest value of the bucket in which the rank lies. */
  percentile(percentile: number): number | null {
    if (this.#count === 0) return null;
    const rank = rankOf(percentile, this.#count);
    let below = 0;
    for (const page of [...this.#pages.keys()].sort((a, b) => a - b)) {
      const counts = this.#pages.get(page) ?? [];
      for (const [i, count] of counts.entries()) {
        below += count;
        if (below >= rank) return Math.min(this.#max, highestIn(page * PAGE_BUCKETS + i));
      }
    }
    return this.#max;
  }

  #page(number: number): Float64Array {
    const found = this.#pages.get(number);
    if (found !== undefined) return found;
    const page = new Float64Array(PAGE_BUCKETS);
    this.#pages.set(number, page);
    return page;
  }
}

/** Highest value of a bucket: 2,048 of width 1, then 1,024 for each power of two. */
export function highestIn(bucket: number): number {
  if (bucket < 2048) return bucket;
  const shift = Math.floor(bucket / 1024) - 1;
  const lowest = (bucket - shift * 1024) * 2 ** shift;
  return Math.min(GEOMETRY.highest, lowest + 2 ** shift - 1);
}
