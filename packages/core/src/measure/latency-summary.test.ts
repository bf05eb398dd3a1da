import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistogram, rankOf } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import { summariseLatency, valueAtRank } from "./latency-summary.js";
import { logUniform, seeded } from "./testing/seeded.js";

function histogramOf(values: readonly number[]): Histogram {
  const histogram = createHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

const oneTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

test("without censored requests a summary is exact, and nothing is at least", () => {
  const summary = summariseLatency({ known: histogramOf(oneTo(1000)), censored: undefined });
  assert.deepEqual(summary, {
    count: 1000,
    mean: 500.5,
    min: 1,
    p50: 500,
    p90: 900,
    p95: 950,
    p99: 990,
    p999: 999,
    max: 1000,
    atLeast: [],
  });
  assert.deepEqual(summariseLatency({ known: undefined, censored: createHistogram() }), {
    count: 0,
    mean: null,
    min: null,
    p50: null,
    p90: null,
    p95: null,
    p99: null,
    p999: null,
    max: null,
    atLeast: [],
  });
});

for (const [name, known, censored, expected] of [
  // 99 ended by 99, one is open: only what would be its rank can move.
  ["one in a hundred, older than all", oneTo(99), [500], ["p999", "mean", "max"]],
  ["one in a hundred, young", oneTo(99), [10], ["p50", "p90", "p95", "p99", "p999", "mean", "max"]],
  ["one in a hundred, as old as the median", oneTo(99), [50], ["p90", "p95", "p99", "p999", "mean", "max"]],
  ["one in ten", oneTo(90), Array.from({ length: 10 }, () => 1000), ["p95", "p99", "p999", "mean", "max"]],
  [
    "one younger than the least",
    [50, 60, 70],
    [40],
    ["min", "p50", "p90", "p95", "p99", "p999", "mean", "max"],
  ],
  ["all of them", [], [7, 8], ["min", "p50", "p90", "p95", "p99", "p999", "mean", "max"]],
  [
    "one whose age shares a bucket with the rank's value",
    [50_000, 50_000, 50_001],
    [50_002],
    ["p90", "p95", "p99", "p999", "mean", "max"],
  ],
] as const) {
  test(`the figures that open requests could move are named: ${name}`, () => {
    const summary = summariseLatency({ known: histogramOf(known), censored: histogramOf(censored) });
    assert.deepEqual(summary.atLeast, expected);
    assert.equal(summary.count, known.length);
    assert.equal(summary.max, Math.max(...known, ...censored));
  });
}

test("what is not named stays as it is, however late the open requests end", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed);
    const values = (size: number) => Array.from({ length: size }, () => logUniform(random, 1e6));
    const known = values(Math.floor(random() * 60));
    const ages = values(1 + Math.floor(random() * 20));
    const summary = summariseLatency({ known: histogramOf(known), censored: histogramOf(ages) });
    // They may end at once, or take anything from a little to ten thousand times longer.
    const ends = ages.map((age) => Math.round(age * 10_000 ** random()));
    const truth = summariseLatency({ known: histogramOf([...known, ...ends]), censored: undefined });
    for (const name of ["min", "p50", "p90", "p95", "p99", "p999", "max"] as const) {
      const said = summary[name] ?? Number.NaN;
      const actual = truth[name] ?? Number.NaN;
      const isSame = Math.abs(said - actual) <= 0.001 * actual;
      assert.ok(isSame || actual > said, `seed ${seed}: ${name} is ${actual}, below the bound ${said}`);
      assert.ok(isSame || summary.atLeast.includes(name), `seed ${seed}: ${name} moved, and is not named`);
    }
  }
});

test("the value at a rank is that of the sorted sample", () => {
  const histogram = histogramOf([5, 1, 9, 9, 3]);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6].map((rank) => valueAtRank(histogram, rank)),
    [null, 1, 3, 5, 9, 9, null],
  );
  const large = histogramOf(oneTo(2000));
  for (const rank of [1, 2, 999, 1000, 1001, 1999, 2000]) assert.equal(valueAtRank(large, rank), rank);
  assert.equal(rankOf(99.9, 2000), 1998);
});
