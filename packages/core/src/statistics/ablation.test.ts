import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../measure/testing/seeded.js";
import { varianceTestOverLevels } from "./variance-test.js";
import { welchInterval } from "./welch-interval.js";

/** The study's ablation, tok/s with the kernels off and on, and the spreads that it gives: 0.2 % and 4 % of the mean. */
const LEVELS = [
  [137, 150],
  [554, 549],
  [1092, 1084],
  [4380, 4340],
  [6682, 6955],
  [6663, 6871],
  [6676, 6972],
] as const;
const [OFF, ON] = [0.002, 0.04];
const REPEATS = 5;

/** Marsaglia's polar method. */
function normal(random: () => number): number {
  for (;;) {
    const [u, v] = [2 * random() - 1, 2 * random() - 1];
    const s = u * u + v * v;
    if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s);
  }
}

test("of 200 ablations with five repeats a side 180 to 199 intervals hold the true difference, at each level", () => {
  for (const [level, [off, on]] of LEVELS.entries()) {
    const random = seeded(100 + level);
    const repeats = (mean: number, cov: number) =>
      Array.from({ length: REPEATS }, () => mean * (1 + cov * normal(random)));
    let held = 0;
    for (let i = 0; i < 200; i += 1) {
      const found = welchInterval(repeats(off, OFF), repeats(on, ON));
      if (found.kind === "interval" && found.low <= on - off && found.high >= on - off) held += 1;
    }
    assert.ok(held >= 180 && held <= 199, `level ${level}: ${held} of 200`);
  }
});

test("the on-arm's spread is found in every ladder, and where there is none in about one of twenty", () => {
  const random = seeded(7);
  const ladder = (a: number, b: number) =>
    LEVELS.map(([off, on]) => ({
      a: Array.from({ length: REPEATS }, () => off * (1 + a * normal(random))),
      b: Array.from({ length: REPEATS }, () => on * (1 + b * normal(random))),
    }));
  const finds = (a: number, b: number) =>
    Array.from({ length: 200 }, () => varianceTestOverLevels(ladder(a, b))).filter(
      (found) => found.kind === "test" && found.pValue < 0.05,
    ).length;
  assert.equal(finds(OFF, ON), 200);
  const none = finds(0.01, 0.01);
  assert.ok(none >= 2 && none <= 20, `${none} of 200`);
});
