import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistogram } from "../measure/hdr-histogram.js";
import { seeded } from "../measure/testing/seeded.js";
import { coefficientOfVariation, meanInterval } from "./mean-interval.js";
import { percentileInterval } from "./order-statistics.js";
import { saturationEstimate } from "./saturation-estimate.js";
import { stepAgainstFloor, weightReadFloor } from "./step-floor.js";
import { studySaturation } from "./study-saturation.js";
import { varianceTest, varianceTestOverLevels } from "./variance-test.js";
import { welchInterval } from "./welch-interval.js";

const ODD = [
  0,
  -0,
  1,
  -1,
  1e-300,
  5e-324,
  1e300,
  1.7e308,
  -1.7e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  0.1,
  1e-9,
  7,
  7,
  7,
];

/** No number within is NaN or infinite, and whoever says "unknown" says why. */
function isTold(result: unknown, where: string): void {
  if (typeof result === "number") assert.ok(Number.isFinite(result), `${where}: ${result}`);
  if (typeof result === "string") assert.doesNotMatch(result, /undefined|^$|: NaN/, where);
  if (typeof result !== "object" || result === null) return;
  if ("kind" in result && result.kind === "unknown") {
    assert.ok("because" in result && String(result.because).length > 10, where);
  }
  for (const [key, value] of Object.entries(result)) isTold(value, `${where}.${key}`);
}

test("whatever numbers come in, no routine says NaN or infinity", () => {
  const first = Number(process.env["TOKENSTORM_SEED"] ?? 1);
  for (let seed = first; seed < first + 4000; seed += 1) {
    const random = seeded(seed);
    const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(random() * of.length)];
    const isOdd = random() < 0.6;
    const number = () => (isOdd ? (pick(ODD) ?? 0) : Math.round(random() * 5));
    const list = () => Array.from({ length: Math.floor(random() * 5) }, number);
    const maybe = () => (random() < 0.2 ? null : number());
    const confidence = pick([0.5, 0.95, 0.999999, 0, 1, 2, Number.NaN]) ?? 0;
    const [a, b] = [list(), list()];
    const where = `seed ${seed}, [${a}], [${b}] at ${confidence}`;
    isTold(meanInterval(a, confidence), `mean, ${where}`);
    isTold(coefficientOfVariation(a, confidence), `cov, ${where}`);
    isTold(welchInterval(a, b, confidence), `welch, ${where}`);
    isTold(varianceTest(a, b), `variance, ${where}`);
    const pairs = [
      { a, b },
      { a: list(), b: list() },
    ];
    isTold(varianceTestOverLevels(pairs), `variances, ${where}`);
    const histogram = createHistogram();
    for (const value of a) if (Number.isSafeInteger(value) && value >= 0) histogram.record(value);
    const independent = pick([undefined, 0, 1, 3, Number.NaN]);
    const options = { confidence, ...(independent === undefined ? {} : { independent }) };
    isTold(
      percentileInterval(histogram, pick([0, 50, 99.9, 100, Number.NaN]) ?? 1, options),
      `percentile, ${where}`,
    );
    const levels = Array.from({ length: Math.floor(random() * 6) }, () => ({
      asked: Math.ceil(random() * 3),
      success: maybe(),
      totalTokensPerS: maybe(),
      e2eP99Us: maybe(),
    }));
    isTold(studySaturation(levels, { baselineE2eP99Us: maybe() }), `study, ${JSON.stringify(levels)}`);
    const ladder = Array.from({ length: Math.floor(random() * 6) }, () => ({
      inFlight: number(),
      throughput: list(),
      success: maybe(),
      waitingShares: list(),
      serverRunning: list(),
    }));
    isTold(saturationEstimate(ladder), `saturation, seed ${seed}, ${JSON.stringify(ladder)}`);
    const experts = { bytes: number(), count: number(), perToken: number() };
    const facts = {
      alwaysBytes: number(),
      bandwidthBytesPerS: number(),
      ...(random() < 0.5 ? { experts } : {}),
    };
    const floor = weightReadFloor(facts, number());
    isTold(floor, `floor, seed ${seed}`);
    isTold(stepAgainstFloor(maybe(), floor), `step, seed ${seed}`);
  }
});

test("one repeat, no spread, an empty level and one that failed are each said in words", () => {
  const cases = [
    [meanInterval([]), /there are no values/],
    [meanInterval([7]), /one value says nothing/],
    [meanInterval([7, 7, 7]), /all 3 values are equal/],
    [coefficientOfVariation([7]), /one value has no spread/],
    [coefficientOfVariation([0, 0]), /mean above 0/],
    [welchInterval([1], [2, 3]), /A with one value/],
    [welchInterval([1, 1], [2, 2]), /there is no spread/],
    [welchInterval([], [2, 2]), /there are no values of A/],
    [varianceTest([1, 1], [2, 2]), /no side shows any spread/],
    [varianceTest([1], [2, 3]), /A has one value/],
    [percentileInterval(createHistogram(), 99), /nothing was measured/],
    [stepAgainstFloor(null, { kind: "unknown", because: "?" }), /no inter-token latency/],
    [weightReadFloor({ alwaysBytes: 1, bandwidthBytesPerS: 0 }, 1), /bandwidth is not known/],
  ] as const;
  for (const [result, words] of cases) {
    assert.ok("because" in result, JSON.stringify(result));
    assert.match(result.because, words);
  }
  const note = coefficientOfVariation([7, 7, 7]);
  assert.ok(note.kind === "value" && note.note.startsWith("all 3 values are equal"));
});
