import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistogram } from "./hdr-histogram.js";
import { SparseHistogram } from "./sparse-histogram.js";
import { logUniform, seeded } from "./testing/seeded.js";

test("a sparse histogram has the percentiles of a whole one, over all magnitudes and beyond an hour", () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seeded(seed);
    const whole = createHistogram();
    const sparse = new SparseHistogram();
    const parts = 1 + Math.floor(random() * 4);
    for (let part = 0; part < parts; part += 1) {
      const one = createHistogram();
      const values = Math.floor(random() * 300);
      for (let i = 0; i < values; i += 1) one.record(Math.floor(10 ** (random() * 10)));
      whole.merge(one);
      sparse.mergeChecked(one.encode());
    }
    assert.equal(sparse.count, whole.count, `seed ${seed}`);
    for (const percentile of [0.1, 1, 10, 50, 90, 99, 99.9, 100]) {
      assert.equal(
        sparse.percentile(percentile),
        whole.percentile(percentile),
        `seed ${seed}, p${percentile}`,
      );
    }
  }
  assert.equal(new SparseHistogram().percentile(50), null);
});

test("encoded it is byte for byte what a whole histogram of the same values is", () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const random = seeded(seed);
    const sparse = new SparseHistogram();
    const whole = createHistogram();
    for (let part = 0; part < seed % 4; part += 1) {
      const one = createHistogram();
      for (let i = 0; i < 30; i += 1) one.record(logUniform(random, 4_000_000_000));
      sparse.mergeChecked(one.encode());
      whole.merge(one);
    }
    assert.deepEqual(sparse.encode(), whole.encode(), `seed ${seed}`);
  }
});
