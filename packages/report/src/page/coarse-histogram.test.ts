import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistogram } from "@tokenstorm/core";
import { seededRandom } from "@tokenstorm/testkit";
import { CoarseHistogram, heatMap } from "./coarse-histogram.js";

test("a coarse percentile is never below the true one, nor above it by more than 2.2 %", () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seededRandom(seed);
    const exact = createHistogram();
    const coarse = new CoarseHistogram();
    for (let i = 0; i < 5; i += 1) {
      const part = createHistogram();
      const count = random.int(1, 300);
      for (let j = 0; j < count; j += 1) {
        const value = Math.floor(Math.exp(random.next() * Math.log(3_000_000_000)));
        part.record(value);
        exact.record(value);
      }
      coarse.merge(part.encode());
    }
    assert.deepEqual([coarse.count, coarse.max], [exact.count, exact.max], `seed ${seed}`);
    for (const at of [1, 50, 90, 99, 99.9, 100]) {
      const [is, was] = [coarse.percentile(at) ?? 0, exact.percentile(at) ?? 0];
      // The exact histogram itself has 3 digits; below 32 us a part is no wider than one.
      assert.ok(
        is >= was * 0.999 - 1 && is <= was * 1.0222 * 1.001 + 1,
        `seed ${seed}, p${at}: ${is} for ${was}`,
      );
    }
  }
});

test("an empty histogram has no percentile, and an empty map is none", () => {
  assert.equal(new CoarseHistogram().percentile(50), null);
  assert.equal(heatMap([undefined, new CoarseHistogram()]), null);
});

test("a heat map has every sample in the row of its value, in a bounded number of rows", () => {
  const random = seededRandom(9);
  const points = Array.from({ length: 7 }, () => {
    const histogram = createHistogram();
    for (let i = 0; i < 50; i += 1) histogram.record(Math.floor(Math.exp(random.next() * 21)) + 1);
    const coarse = new CoarseHistogram();
    coarse.merge(histogram.encode());
    return coarse;
  });
  const map = heatMap(points) ?? assert.fail();
  assert.ok(map.counts.length <= 56, `${map.counts.length} rows`);
  for (const [i, point] of points.entries()) {
    assert.equal(
      map.counts.reduce((sum, row) => sum + (row[i] ?? 0), 0),
      point.count,
    );
  }
  const one = new CoarseHistogram();
  const single = createHistogram();
  single.record(1000, 3);
  one.merge(single.encode());
  const small = heatMap([one]) ?? assert.fail();
  assert.deepEqual(small.counts, [[3]]);
  assert.ok(small.lowestUs <= 1000 && small.lowestUs * small.ratio >= 1000, `${small.lowestUs}`);
});
