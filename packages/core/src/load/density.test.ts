import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../measure/testing/seeded.js";
import { densityOf, mostByDensity, mostWithin } from "./density.js";

test("how dense moments lie is never less than it is, for any time, and less than twice as long a time's", () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const random = seeded(seed);
    const moments = Array.from({ length: 1 + Math.floor(random() * 200) }, () =>
      Math.floor(random() ** 2 * 10_000_000),
    ).sort((a, b) => a - b);
    const density = densityOf(moments);
    assert.equal(density.at(-1)?.requests, moments.length, `seed ${seed}`);
    for (let i = 0; i < 20; i += 1) {
      const lengthUs = Math.ceil(random() * 20_000_000);
      const told = mostByDensity(density, lengthUs);
      assert.ok(told >= mostWithin(moments, lengthUs), `seed ${seed}, ${lengthUs} us`);
      assert.ok(told <= mostWithin(moments, Math.max(1000, 2 * lengthUs)), `seed ${seed}, ${lengthUs} us`);
    }
    assert.equal(mostByDensity(density, 0), 0);
  }
});

test("no moments have no density", () => {
  assert.deepEqual(densityOf([]), []);
  assert.equal(mostByDensity([], 5), 0);
});
