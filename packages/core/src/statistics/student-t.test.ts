import assert from "node:assert/strict";
import { test } from "node:test";
import { studentTQuantile } from "./student-t.js";
import { welchInterval } from "./welch-interval.js";

const near = (value: number | undefined, expected: number, by = 5e-4) =>
  assert.ok(value !== undefined && Math.abs(value - expected) < by, `${value}, not ${expected}`);

test("quantiles are those of the printed tables of Student's t", () => {
  for (const [share, degrees, t] of [
    [0.975, 1, 12.7062],
    [0.975, 5, 2.5706],
    [0.975, 10, 2.2281],
    [0.975, 30, 2.0423],
    [0.995, 9, 3.2498],
    [0.95, 4, 2.1318],
    [0.975, 1e6, 1.96],
  ] as const) {
    near(studentTQuantile(share, degrees), t);
  }
});

test("Welch's interval is what can be reckoned by hand", () => {
  // Means 3 and 9, variances 2.5 and 10 over 5: standard error sqrt(2.5) and 5.882 degrees of freedom, t = 2.4587.
  const found = welchInterval([1, 2, 3, 4, 5], [5, 7, 9, 11, 13]);
  assert.ok(found.kind === "interval");
  near(found.low, 6 - 2.4587 * Math.sqrt(2.5), 2e-3);
  near(found.high, 6 + 2.4587 * Math.sqrt(2.5), 2e-3);
});
