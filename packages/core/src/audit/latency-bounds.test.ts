import assert from "node:assert/strict";
import { test } from "node:test";
import { exact } from "./figure.js";
import { highestMean, shareAtOrAbove, shareAtOrBelow } from "./latency-bounds.js";
import { PERCENTILE_RULES, percentileOf } from "./testing/closed-loop.js";

test("so many values lie at or below a percentile, and at or above it, whatever rule made it and however few they are", () => {
  for (let count = 1; count <= 220; count += 1) {
    const sorted = Array.from({ length: count }, (_, at) => at + 1);
    for (const percentile of [1, 25, 50, 75, 90, 95, 99, 99.9]) {
      for (const rule of PERCENTILE_RULES) {
        const value = percentileOf(sorted, percentile / 100, rule);
        const says = `p${percentile} of ${count} by ${rule} is ${value}`;
        const below = sorted.filter((one) => one <= value + 1e-9).length / count;
        const above = sorted.filter((one) => one >= value - 1e-9).length / count;
        assert.ok(shareAtOrBelow(percentile, count) <= below + 1e-12, says);
        assert.ok(shareAtOrAbove(percentile, count) <= above + 1e-12, says);
      }
    }
  }
});

test("the mean of a known sample lies below its bound from percentiles and maximum", () => {
  const percentiles = [
    { percentile: 50, value: exact(1) },
    { percentile: 90, value: exact(2) },
  ];
  const row = { label: "", latencyS: { percentiles, max: exact(10) } };
  const bound = highestMean(row, { runS: undefined, count: undefined });
  assert.ok(Math.abs((bound?.seconds ?? 0) - (0.5 * 1 + 0.4 * 2 + 0.1 * 10)) < 1e-12, JSON.stringify(bound));
  assert.match(bound?.because ?? "", /from p50, p90; 10 % of the requests beyond as the maximum, 10 s/);
});
