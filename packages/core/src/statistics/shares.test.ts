import assert from "node:assert/strict";
import { test } from "node:test";
import { incompleteBeta } from "./incomplete-beta.js";
import { percentileRankBounds } from "./order-statistics.js";
import { binomialCdf, shareLowerBound } from "./shares.js";

const near = (actual: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);

test("the incomplete beta function agrees with its closed forms", () => {
  for (const x of [0.01, 0.2, 0.5, 0.8, 0.99]) {
    near(incompleteBeta(x, 1, 1), x, 1e-12);
    near(incompleteBeta(x, 3, 1), x ** 3, 1e-12);
    near(incompleteBeta(x, 1, 4), 1 - (1 - x) ** 4, 1e-12);
    // I_x(2, 2) = 3x^2 - 2x^3
    near(incompleteBeta(x, 2, 2), 3 * x * x - 2 * x ** 3, 1e-12);
  }
});

test("the binomial distribution adds up to what counting gives", () => {
  // 10 throws of a coin: 1, 10, 45, 120, 210, 252 ways of 1024.
  for (const [k, ways] of [
    [0, 1],
    [1, 11],
    [2, 56],
    [3, 176],
    [4, 386],
    [5, 638],
  ] as const) {
    near(binomialCdf(k, 10, 0.5), ways / 1024, 1e-12);
  }
  // Summed term by term in exact integers by another program.
  near(binomialCdf(990, 1000, 0.99), 0.5426994078251, 1e-10);
});

test("no failure in n trials bounds success by 0.05^(1/n), the rule of three", () => {
  for (const n of [1, 10, 59, 300, 17_406]) near(shareLowerBound(n, n) ?? 0, 0.05 ** (1 / n), 1e-12);
  near(shareLowerBound(17_406, 17_406) ?? 0, 0.999828, 1e-6);
});

test("the lower bound of a share is the p at which so many successes have a chance of one in twenty", () => {
  for (const [successes, trials] of [
    [1, 2],
    [9, 10],
    [95, 100],
    [999, 1000],
    [1, 1000],
  ] as const) {
    const bound = shareLowerBound(successes, trials) ?? 0;
    near(1 - binomialCdf(successes - 1, trials, bound), 0.05, 1e-9);
  }
  // Two-sided 90 % limits of 9 in 10 in the tables begin at 0.6058.
  near(shareLowerBound(9, 10) ?? 0, 0.6058, 1e-4);
  assert.equal(shareLowerBound(0, 5), 0);
  assert.equal(shareLowerBound(0, 0), null);
});

test("the median of ten lies between the 2nd and the 9th with 97.9 %", () => {
  assert.deepEqual(percentileRankBounds(10, 50), { lower: 2, upper: 9 });
  assert.deepEqual(percentileRankBounds(100, 50), { lower: 40, upper: 61 });
});

test("few samples bound a high percentile on one side only", () => {
  assert.equal(percentileRankBounds(50, 99).upper, null);
  const many = percentileRankBounds(10_000, 99);
  assert.ok(many.lower > 9800 && many.lower < 9900 && many.upper !== null && many.upper > 9900);
  assert.deepEqual(percentileRankBounds(0, 99), { lower: 0, upper: null });
});
