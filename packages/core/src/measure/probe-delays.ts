import { assert } from "../errors.js";

/**
 * How late the agent's own loop read stamps that were sent to it over loopback in one interval (self-probe). Stamps that a
 * stall kept from being sent count as read when the next one came, so that a stopped process shows too.
 */
export interface ProbeDelays {
  readonly count: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** How many fell into each bucket of `probeBucketUs`, up to the last that is not empty: they add up over intervals. */
  readonly buckets: readonly number[];
}

/**
 * The probe under-reads the true delay by up to 1.6 once a process is past its knee: measured over seven clients, from
 * 16,000 to 127,000 events/s (docs/measuring.md, Trust).
 */
export const PROBE_UNDER_READING = 1.6;

/** The first bucket ends at 50 us, about the floor of a probe; eight make a doubling, so that an edge is within 9 %. */
const FIRST_BUCKET_US = 50;
const BUCKETS_PER_DOUBLING = 8;
/** The last one ends above an hour. */
export const PROBE_BUCKETS = 220;

/** Upper edge of a bucket, us. */
export function probeBucketUs(bucket: number): number {
  return Math.ceil(FIRST_BUCKET_US * 2 ** (bucket / BUCKETS_PER_DOUBLING));
}

/** Exact percentiles of one interval's delays; undefined where there were none. */
export function summariseProbes(delaysUs: readonly number[]): ProbeDelays | undefined {
  if (delaysUs.length === 0) return undefined;
  const sorted = delaysUs.toSorted((a, b) => a - b);
  const at = (percentile: number) => sorted[Math.ceil((percentile / 100) * sorted.length) - 1] ?? 0;
  const buckets: number[] = [];
  for (const delayUs of sorted) {
    assert(Number.isSafeInteger(delayUs) && delayUs >= 0, `not a delay: ${delayUs}`);
    const bucket = bucketOf(delayUs);
    while (buckets.length <= bucket) buckets.push(0);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  return { count: sorted.length, p50Us: at(50), p90Us: at(90), p99Us: at(99), maxUs: at(100), buckets };
}

/** Percentile over several counts by bucket, us, rounded up to a bucket's edge; null where no probe came. */
export function probePercentile(percentile: number, several: readonly (readonly number[])[]): number | null {
  const sums: number[] = [];
  let count = 0;
  for (const buckets of several) {
    for (const [bucket, times] of buckets.entries()) {
      sums[bucket] = (sums[bucket] ?? 0) + times;
      count += times;
    }
  }
  if (count === 0) return null;
  const rank = Math.ceil((percentile / 100) * count);
  let below = 0;
  for (let bucket = 0; bucket < sums.length; bucket += 1) {
    below += sums[bucket] ?? 0;
    if (below >= rank) return probeBucketUs(bucket);
  }
  return probeBucketUs(sums.length - 1);
}

function bucketOf(delayUs: number): number {
  if (delayUs <= FIRST_BUCKET_US) return 0;
  const near = Math.max(0, Math.ceil(BUCKETS_PER_DOUBLING * Math.log2(delayUs / FIRST_BUCKET_US)) - 1);
  let bucket = near;
  // Edges are whole microseconds: the logarithm may miss by one.
  while (probeBucketUs(bucket) < delayUs) bucket += 1;
  return Math.min(PROBE_BUCKETS - 1, bucket);
}
