import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  chiSquareQuantile,
  coefficientOfVariation,
  createHistogram,
  fCdf,
  incompleteBeta,
  incompleteGamma,
  meanInterval,
  percentileInterval,
  studentTQuantile,
  varianceTest,
  varianceTestOverLevels,
  welchInterval,
} from "@tokenstorm/core";

type Row = readonly number[];
interface Sides {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

/** What other programs make of the same inputs; ORIGIN.md beside it names them. */
interface Golden {
  readonly incompleteBeta: readonly Row[];
  readonly incompleteGamma: readonly Row[];
  readonly chiSquareQuantile: readonly Row[];
  readonly studentTQuantile: readonly Row[];
  readonly fCdf: readonly Row[];
  readonly meanInterval: readonly {
    readonly values: readonly number[];
    readonly confidence: number;
    readonly mean: number;
    readonly deviation: number;
    readonly low: number;
    readonly high: number;
  }[];
  readonly coefficientOfVariation: readonly {
    readonly values: readonly number[];
    readonly cov: number;
    readonly low: number | null;
    readonly high: number | null;
  }[];
  readonly welchInterval: readonly (Sides & {
    readonly confidence: number;
    readonly low: number;
    readonly high: number;
    readonly degrees: number;
    readonly pValue: number;
  })[];
  readonly varianceTest: readonly (Sides & { readonly statistic: number; readonly pValue: number })[];
  readonly varianceTestOverLevels: readonly {
    readonly levels: readonly Sides[];
    readonly statistic: number;
    readonly pValue: number;
  }[];
  readonly percentileInterval: readonly {
    readonly count: number;
    readonly percentile: number;
    readonly confidence: number;
    readonly low: number | null;
    readonly high: number | null;
  }[];
}

const file = fileURLToPath(new URL("../../golden/statistics/golden.json", import.meta.url));
const golden: Golden = JSON.parse(readFileSync(file, "utf8"));

/** To nine digits, unless told otherwise. */
function near(actual: number | null, expected: number | null, where: string, share = 1e-9): void {
  if (actual === null || expected === null) {
    assert.equal(actual, expected, where);
    return;
  }
  const apart = Math.abs(actual - expected);
  assert.ok(apart <= share * Math.abs(expected) + 1e-290, `${where}: ${actual}, not ${expected}`);
}

test("special functions and quantiles are SciPy's to nine digits", () => {
  for (const [x = 0, a = 0, b = 0, value = 0] of golden.incompleteBeta) {
    near(incompleteBeta(x, a, b), value, `I_${x}(${a}, ${b})`);
  }
  for (const [x = 0, a = 0, value = 0] of golden.incompleteGamma)
    near(incompleteGamma(x, a), value, `P(${a}, ${x})`);
  for (const [p = 0, d = 0, value = 0] of golden.chiSquareQuantile) {
    near(chiSquareQuantile(p, d), value, `chi-square ${p} of ${d}`);
  }
  for (const [p = 0, d = 0, value = 0] of golden.studentTQuantile) {
    near(studentTQuantile(p, d), value, `t ${p} of ${d}`);
  }
  for (const [f = 0, above = 0, below = 0, value = 0] of golden.fCdf) {
    near(fCdf(f, { above, below }), value, `F ${f} of ${above}, ${below}`);
  }
});

test("the interval of a mean is SciPy's", () => {
  for (const { values, confidence, ...expected } of golden.meanInterval) {
    const found = meanInterval(values, confidence);
    assert.ok(found.kind === "interval");
    const where = `${values} at ${confidence}`;
    near(found.mean, expected.mean, where);
    // A spread of one in ten million about a large mean has lost that many digits in both.
    near(found.deviation, expected.deviation, where, 1e-7);
    near(found.low, expected.low, where);
    near(found.high, expected.high, where);
  }
});

test("the coefficient of variation and its limits are those of a second program", () => {
  for (const { values, cov, low, high } of golden.coefficientOfVariation) {
    const found = coefficientOfVariation(values);
    assert.ok(found.kind === "value");
    near(found.cov, cov, `${values}`, 1e-7);
    near(found.low, low, `${values}, low`, 1e-7);
    near(found.high, high, `${values}, high`, 1e-7);
  }
});

test("Welch's interval is SciPy's and statsmodels'", () => {
  for (const { a, b, confidence, ...expected } of golden.welchInterval) {
    const found = welchInterval(a, b, confidence);
    assert.ok(found.kind === "interval");
    for (const key of ["low", "high", "degrees", "pValue"] as const) {
      near(found[key], expected[key], `${a} against ${b} at ${confidence}, ${key}`);
    }
  }
});

test("Brown and Forsythe's test is SciPy's, for one level and for several", () => {
  for (const { a, b, statistic, pValue } of golden.varianceTest) {
    const found = varianceTest(a, b);
    assert.ok(found.kind === "test");
    near(found.statistic, statistic, `${a} against ${b}`);
    near(found.pValue, pValue, `${a} against ${b}`);
  }
  for (const { levels, statistic, pValue } of golden.varianceTestOverLevels) {
    const found = varianceTestOverLevels(levels);
    assert.ok(found.kind === "test");
    near(found.statistic, statistic, "over levels");
    near(found.pValue, pValue, "over levels");
  }
});

test("the ranks of a percentile's interval are SciPy's", () => {
  for (const { count, percentile, confidence, low, high } of golden.percentileInterval) {
    const found = percentileInterval(ranks(count), percentile, { confidence });
    assert.ok(found.kind !== "unknown");
    const where = `${percentile} of ${count} at ${confidence}`;
    assert.deepEqual([found.low, found.high], [low, high], where);
  }
});

/** The values 1 ... count, exactly. */
const ranks = (count: number) => ({
  count,
  percentile: (percentile: number) => Math.max(1, Math.ceil((percentile / 100) * count - 1e-9)),
});

test("of a histogram the interval's ends are the values at those ranks", () => {
  const histogram = createHistogram();
  for (let value = 1; value <= 1000; value += 1) histogram.record(value);
  const found = percentileInterval(histogram, 50);
  const expected = golden.percentileInterval.find(
    ({ count, percentile, confidence }) => count === 1000 && percentile === 50 && confidence === 0.95,
  );
  assert.ok(found.kind === "interval");
  assert.deepEqual([found.low, found.high], [expected?.low, expected?.high]);
});
