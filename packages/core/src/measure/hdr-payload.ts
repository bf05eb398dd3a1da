import { LoadError } from "../errors.js";

/**
 * The V2 payload of HDR histograms, not deflated: a 40-byte big-endian header, then ZigZag LEB128-64b9B words;
 * a positive word is the count of the next bucket, a negative one a run of empty buckets.
 * Format: HdrHistogram's `AbstractHistogram.encodeIntoByteBuffer`, https://github.com/HdrHistogram/HdrHistogram.
 * The library's own encoder writes a wrong normalizing offset and ratio, so this one is written to the specification.
 */
const COOKIE = 0x1c849303 | 0x10;
const HEADER_BYTES = 40;
/** A word of at most 2^53 takes eight bytes; the format's ninth is for counts that no exact number holds. */
const MAX_WORD_BYTES = 8;
const INT64_HIGH = 2 ** 32;

/** What all our histograms share, and every payload must name. */
export const GEOMETRY = { lowest: 1, highest: 3_600_000_000, digits: 3, buckets: 23_552 } as const;

/** Writes the counts of buckets 0 to `lastBucket`, of which those below `firstBucket` are known to be empty. */
export function encodePayload(
  countAt: (bucket: number) => number,
  range: { readonly firstBucket: number; readonly lastBucket: number },
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + (range.lastBucket + 1) * MAX_WORD_BYTES);
  let at = HEADER_BYTES;
  let empty = range.firstBucket;
  for (let bucket = range.firstBucket; bucket <= range.lastBucket; bucket += 1) {
    const count = countAt(bucket);
    if (count === 0) {
      empty += 1;
      continue;
    }
    if (empty > 0) at = putEmpty(bytes, at, empty);
    empty = 0;
    at = putWord(bytes, at, count * 2);
  }
  if (empty > 0) at = putEmpty(bytes, at, empty);
  putHeader(new DataView(bytes.buffer), at - HEADER_BYTES);
  return bytes.slice(0, at);
}

function putHeader(view: DataView, wordBytes: number): void {
  view.setInt32(0, COOKIE);
  view.setInt32(4, wordBytes);
  view.setInt32(8, 0); // normalizingIndexOffset
  view.setInt32(12, GEOMETRY.digits);
  putInt64(view, 16, GEOMETRY.lowest);
  putInt64(view, 24, GEOMETRY.highest);
  view.setFloat64(32, 1); // integerToDoubleValueConversionRatio
}

function putInt64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / INT64_HIGH));
  view.setUint32(at + 4, value % INT64_HIGH);
}

/** One empty bucket is the count 0; several are a negative run. */
function putEmpty(bytes: Uint8Array, at: number, empty: number): number {
  return putWord(bytes, at, empty === 1 ? 0 : empty * 2 - 1);
}

/** `zigZag` is 2n for n >= 0 and 2|n| - 1 below; even above 2^53 it is exact, because it is then even. */
function putWord(bytes: Uint8Array, at: number, zigZag: number): number {
  let next = at;
  let rest = zigZag;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes[next] = (rest % 128) | 128;
    next += 1;
  }
  bytes[next] = rest;
  return next + 1;
}

/** What a payload holds, beside what is said of it. */
export interface PayloadSummary {
  readonly count: number;
  /** -1 when all buckets are empty. */
  readonly firstBucket: number;
  readonly lastBucket: number;
}

/**
 * Reads a payload to its end, without counting anything. Throws PROTOCOL_MALFORMED for whatever is not a payload of
 * our geometry: it may come from anyone who can publish. Takes time in proportion to its length, which is bounded.
 * `kept` then has its counts.
 */
export function checkPayload(payload: Uint8Array, kept?: DecodedPayloads): PayloadSummary {
  const known = kept?.summaryOf(payload);
  if (known !== undefined) return known;
  checkHeader(payload);
  let count = 0;
  const words = decodeWords(payload);
  for (let i = 0; i < words; i += 1) count += DECODED.counts[i] ?? 0;
  const firstBucket = words === 0 ? -1 : (DECODED.buckets[0] ?? -1);
  const lastBucket = words === 0 ? -1 : (DECODED.buckets[words - 1] ?? -1);
  if (!Number.isSafeInteger(count)) refuse("counts that add up to more than 2^53");
  const summary = { count, firstBucket, lastBucket };
  kept?.keep(payload, summary, words);
  return summary;
}

/** Counts that are not 0, by ascending bucket: the first `size` of both lists. */
export interface DecodedCounts {
  readonly size: number;
  readonly buckets: Int32Array;
  readonly counts: Float64Array;
}

/** Counts of a payload that passed `checkPayload`. They lie where every payload's do: the next call of this module overwrites them. */
export function decodePayload(payload: Uint8Array): DecodedCounts {
  return { size: decodeWords(payload), ...DECODED };
}

/** Words of one snapshot's payloads that are kept; usually it has some thousand. */
const MOST_KEPT_WORDS = 65_536;

interface KeptPayload extends DecodedCounts {
  readonly summary: PayloadSummary;
}

/**
 * Counts of checked payloads, so that each is decoded once, however many histograms it is merged into. One snapshot at a
 * time: a payload is known by its object, which nobody changes from its check to its last merge.
 */
export class DecodedPayloads {
  readonly #buckets = new Int32Array(MOST_KEPT_WORDS);
  readonly #counts = new Float64Array(MOST_KEPT_WORDS);
  readonly #kept = new Map<Uint8Array, KeptPayload>();
  #used = 0;

  /** Forgets all: the next snapshot begins. */
  clear(): void {
    this.#kept.clear();
    this.#used = 0;
  }

  /** Undefined for one that was not checked, or for which there was no room. */
  summaryOf(payload: Uint8Array): PayloadSummary | undefined {
    return this.#kept.get(payload)?.summary;
  }

  /** Takes over what was decoded last; passes over it where there is no room. */
  keep(payload: Uint8Array, summary: PayloadSummary, size: number): void {
    const from = this.#used;
    const end = from + size;
    if (end > MOST_KEPT_WORDS) return;
    const buckets = this.#buckets.subarray(from, end);
    const counts = this.#counts.subarray(from, end);
    buckets.set(DECODED.buckets.subarray(0, size));
    counts.set(DECODED.counts.subarray(0, size));
    this.#used = end;
    this.#kept.set(payload, { size, buckets, counts, summary });
  }

  /** Of a payload that passed `checkPayload`. */
  countsOf(payload: Uint8Array): DecodedCounts {
    return this.#kept.get(payload) ?? decodePayload(payload);
  }
}

/** Hands every count of a payload that passed `checkPayload` to `add`, which must not read another one meanwhile. */
export function readPayload(payload: Uint8Array, add: (bucket: number, count: number) => void): void {
  const { size, buckets, counts } = decodePayload(payload);
  for (let i = 0; i < size; i += 1) add(buckets[i] ?? 0, counts[i] ?? 0);
}

function checkHeader(payload: Uint8Array): void {
  const { length } = payload;
  if (length < HEADER_BYTES) refuse(`${length} bytes, less than a header`);
  if (length > HEADER_BYTES + GEOMETRY.buckets * (MAX_WORD_BYTES + 1)) refuse(`${length} bytes, too many`);
  const view = new DataView(payload.buffer, payload.byteOffset, length);
  if (isOurHeader(view)) return;
  const expected: readonly (readonly [string, number, number])[] = [
    ["cookie", view.getInt32(0), COOKIE],
    ["payload length", view.getInt32(4), length - HEADER_BYTES],
    ["normalizing offset", view.getInt32(8), 0],
    ["significant digits", view.getInt32(12), GEOMETRY.digits],
    ["lowest value", view.getInt32(16) * INT64_HIGH + view.getUint32(20), GEOMETRY.lowest],
    ["highest value", view.getInt32(24) * INT64_HIGH + view.getUint32(28), GEOMETRY.highest],
    ["conversion ratio", view.getFloat64(32), 1],
  ];
  for (const [name, found, wanted] of expected) {
    if (found !== wanted) refuse(`${name} ${found} where ${wanted} belongs`);
  }
}

/** The whole header is ours; where it is not, `checkHeader` says what of it. */
function isOurHeader(view: DataView): boolean {
  return (
    view.getInt32(0) === COOKIE &&
    view.getInt32(4) === view.byteLength - HEADER_BYTES &&
    view.getInt32(8) === 0 &&
    view.getInt32(12) === GEOMETRY.digits &&
    view.getInt32(16) === 0 &&
    view.getUint32(20) === GEOMETRY.lowest &&
    view.getInt32(24) === 0 &&
    view.getUint32(28) === GEOMETRY.highest &&
    view.getFloat64(32) === 1
  );
}

/** What the last payload held: one place for all, since a fold decodes hundreds of thousands. */
const DECODED = { buckets: new Int32Array(GEOMETRY.buckets), counts: new Float64Array(GEOMETRY.buckets) };

/** Decodes the counts that are not 0 into `DECODED`; says how many. Throws PROTOCOL_MALFORMED. */
function decodeWords(bytes: Uint8Array): number {
  const { buckets, counts } = DECODED;
  const { length } = bytes;
  let following = 0;
  let words = 0;
  for (let at = HEADER_BYTES; at < length; ) {
    const first = bytes[at] ?? 0;
    at += 1;
    // The sign bit goes first, so that the magnitude stays exact up to 2^53.
    let magnitude = (first & 127) >> 1;
    // Nearly every count is below 64.
    if (first >= 128) {
      let weight = 64;
      for (let byte = first, i = 1; byte >= 128; i += 1, weight *= 128) {
        if (i === MAX_WORD_BYTES) refuse("a word of more than eight bytes");
        if (at >= length) refuse("a word that is cut off");
        byte = bytes[at] ?? 0;
        at += 1;
        magnitude += (byte & 127) * weight;
      }
      if (magnitude > Number.MAX_SAFE_INTEGER) refuse("a count above 2^53");
    }
    if ((first & 1) === 1) following += magnitude + 1;
    else {
      if (magnitude > 0) {
        if (following >= GEOMETRY.buckets) refuse(`a count in bucket ${following} of ${GEOMETRY.buckets}`);
        buckets[words] = following;
        counts[words] = magnitude;
        words += 1;
      }
      following += 1;
    }
    if (following > GEOMETRY.buckets) refuse(`more than ${GEOMETRY.buckets} buckets`);
  }
  return words;
}

/** Throws PROTOCOL_MALFORMED; `what` completes "a histogram with". */
export function refuse(what: string): never {
  throw new LoadError("PROTOCOL_MALFORMED", `a histogram with ${what} was refused`, {
    hint: "Its sender runs another version, or its bytes were damaged on the way.",
  });
}
