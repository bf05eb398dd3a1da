import assert from "node:assert/strict";
import { test } from "node:test";
import { missedProbes } from "./missed-probes.js";
import { ProbeReadings } from "./probe-readings.js";

const S = 1_000_000;

test("times at which a probe was due while nobody could send one count too, and an ordinary delay of a timer does not", () => {
  assert.deepEqual(missedProbes(1_000_000, 1_020_000), []);
  assert.deepEqual(missedProbes(1_000_000, 1_023_000), []);
  assert.deepEqual(missedProbes(1_000_000, 1_023_001), [1_020_000]);
  assert.deepEqual(missedProbes(1_000_000, 1_083_500), [1_020_000, 1_040_000, 1_060_000, 1_080_000]);
  assert.equal(missedProbes(0, 3_600_000_000).length, 4000);
});

test("a stop of the whole process for 300 ms is fifteen late probes, not one", () => {
  const readings = new ProbeReadings();
  for (let sentUs = 0; sentUs <= 200_000; sentUs += 20_000) readings.heed(sentUs + 100, sentUs);
  readings.heed(500_100, 500_000);
  for (let sentUs = 520_000; sentUs < S; sentUs += 20_000) readings.heed(sentUs + 100, sentUs);
  const delays = readings.take(S);
  assert.deepEqual([delays?.count, delays?.p50Us, delays?.maxUs], [50, 100, 280_100]);
  // Those that were due at 220, 240, ... 480 ms.
  assert.equal(
    delays?.buckets.slice(1 + delays.buckets.indexOf(36)).reduce((sum, count) => sum + count, 0),
    14,
  );
});

test("what is read at the edge or after it is the next interval's", () => {
  const readings = new ProbeReadings();
  readings.heed(S - 1, S - 101);
  readings.heed(S, S - 5000);
  assert.equal(readings.take(S)?.maxUs, 100);
  assert.equal(readings.take(2 * S)?.maxUs, 5000);
});

test("an interval in which nothing was read has the time since the last reading for its delay; a short one has none", () => {
  const readings = new ProbeReadings();
  assert.equal(readings.take(S), undefined);
  readings.heed(S, S - 100);
  readings.take(S + 1);
  assert.equal(readings.take(S + 50_000), undefined);
  const silent = readings.take(2 * S);
  assert.deepEqual([silent?.count, silent?.p90Us], [1, S]);
});
