import assert from "node:assert/strict";
import { test } from "node:test";
import { PROBE_BUCKETS, probeBucketUs, probePercentile, summariseProbes } from "./probe-delays.js";

test("percentiles of one interval are exact, and its buckets hold every probe", () => {
  const delays = Array.from({ length: 200 }, (_, i) => (i + 1) * 10);
  const found = summariseProbes(delays.toReversed());
  assert.deepEqual(
    [found?.count, found?.p50Us, found?.p90Us, found?.p99Us, found?.maxUs],
    [200, 1000, 1800, 1980, 2000],
  );
  assert.equal(
    found?.buckets.reduce((sum, count) => sum + count, 0),
    200,
  );
  assert.equal(summariseProbes([]), undefined);
});

test("over several intervals a percentile is that of all probes together, rounded up by less than 10 %", () => {
  const good = Array.from({ length: 990 }, () => 120);
  const late = Array.from({ length: 10 }, () => 25_000);
  const intervals = [good, late].flatMap((delays) => summariseProbes(delays) ?? []);
  const [p99, p999] = [99, 99.9].map(
    (percentile) =>
      probePercentile(
        percentile,
        intervals.map((one) => one?.buckets ?? []),
      ) ?? 0,
  );
  assert.ok(p99 !== undefined && p99 >= 120 && p99 < 132, `${p99}`);
  assert.ok(p999 !== undefined && p999 >= 25_000 && p999 < 27_500, `${p999}`);
  assert.equal(probePercentile(99, []), null);
});

test("every delay falls into the first bucket whose edge is no less, and what is beyond all of them into the last", () => {
  for (const delayUs of [0, 1, 50, 51, 54, 55, 99, 100, 101, 3000, 8000, 3_600_000_000, 2 ** 50]) {
    const { buckets } = summariseProbes([delayUs]) ?? { buckets: [] };
    const bucket = buckets.length - 1;
    assert.equal(buckets[bucket], 1);
    if (bucket < PROBE_BUCKETS - 1) assert.ok(probeBucketUs(bucket) >= delayUs, `${delayUs} in ${bucket}`);
    if (bucket > 0) assert.ok(probeBucketUs(bucket - 1) < delayUs, `${delayUs} in ${bucket}`);
  }
  assert.ok(probeBucketUs(PROBE_BUCKETS - 1) > 3_600_000_000);
});
