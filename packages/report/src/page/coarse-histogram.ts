import { type EncodedHistogram, highestIn, readPayload } from "@tokenstorm/core";

/** Parts of a doubling: each is 2.2 % wide, so that a percentile read from it is at most 2.2 % too high. */
const PER_OCTAVE = 32;
const OCTAVES = 32;
const SIZE = PER_OCTAVE * OCTAVES;

/** Parts of a doubling that a row of a heat map takes. */
const ROW = PER_OCTAVE / 4;
const MAX_ROWS = 56;

/** Counts of one metric in one point of a line over time: 4 KB where a full histogram takes 188. */
export class CoarseHistogram {
  readonly counts = new Float64Array(SIZE);
  count = 0;
  max = 0;

  /** One that the fold has checked. */
  merge(encoded: EncodedHistogram): void {
    if (encoded.count === 0) return;
    readPayload(encoded.payload, (bucket, count) => {
      const at = partOf(bucket);
      this.counts[at] = (this.counts[at] ?? 0) + count;
    });
    this.count += encoded.count;
    this.max = Math.max(this.max, encoded.max);
  }

  /** Upper end of the part in which the percentile lies, never above the maximum; null when empty. */
  percentile(percentile: number): number | null {
    if (this.count === 0) return null;
    const rank = Math.max(1, Math.ceil((percentile * this.count) / 100 - 1e-9));
    let below = 0;
    for (let part = 0; part < SIZE; part += 1) {
      below += this.counts[part] ?? 0;
      if (below >= rank) return Math.min(this.max, Math.round(2 ** ((part + 1) / PER_OCTAVE)));
    }
    return this.max;
  }
}

/** By bucket, made once: a logarithm for each of a million buckets would be felt. */
const parts: number[] = [];

function partOf(bucket: number): number {
  const known = parts[bucket];
  if (known !== undefined) return known;
  const part = Math.min(SIZE - 1, Math.floor(Math.log2(Math.max(1, highestIn(bucket))) * PER_OCTAVE));
  parts[bucket] = part;
  return part;
}

/** Rows by value over all points; null without a sample. Rows are joined where the values span more than MAX_ROWS. */
export function heatMap(points: readonly (CoarseHistogram | undefined)[]) {
  let first = SIZE;
  let last = -1;
  for (const point of points) {
    if (point === undefined) continue;
    for (let part = 0; part < SIZE; part += 1) {
      if ((point.counts[part] ?? 0) === 0) continue;
      first = Math.min(first, part);
      last = Math.max(last, part);
    }
  }
  if (last < 0) return null;
  let row = ROW;
  while (Math.floor(last / row) - Math.floor(first / row) + 1 > MAX_ROWS) row *= 2;
  const lowest = Math.floor(first / row) * row;
  const rows = Math.floor((last - lowest) / row) + 1;
  const counts = Array.from({ length: rows }, (_, i) =>
    points.map((point) => {
      let sum = 0;
      for (let part = lowest + i * row; part < lowest + (i + 1) * row; part += 1) {
        sum += point?.counts[part] ?? 0;
      }
      return sum;
    }),
  );
  return { lowestUs: 2 ** (lowest / PER_OCTAVE), ratio: 2 ** (row / PER_OCTAVE), counts };
}
