import assert from "node:assert/strict";
import { test } from "node:test";
import { createStepNoise, runFactor } from "./noise.js";

function spread(values: readonly number[]): { readonly mean: number; readonly cov: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, cov: Math.sqrt(squares / (values.length - 1)) / mean };
}

test("servers differ by the coefficient of variation that was asked for, and the same seed gives the same server", () => {
  const factors = Array.from({ length: 4000 }, (_, seed) => runFactor({ seed, runNoiseCov: 0.04 }));
  const { mean, cov } = spread(factors);
  // Standard errors: 0.0006 of the mean, 1.1 % of the coefficient.
  assert.ok(Math.abs(mean - 1) < 0.003, `seeds 0 to 3999: mean ${mean}`);
  assert.ok(Math.abs(cov - 0.04) < 0.002, `seeds 0 to 3999: CoV ${cov}`);
  assert.equal(runFactor({ seed: 17, runNoiseCov: 0.04 }), factors[17]);
});

test("steps differ around their server's factor, each engine by draws of its own", () => {
  const options = { seed: 5, runNoiseCov: 0.02, stepNoiseCov: 0.1 };
  const draw = (rank: number) => {
    const noise = createStepNoise({ ...options, rank });
    return Array.from({ length: 4000 }, () => noise?.() ?? 1);
  };
  const [first, second] = [draw(0), draw(1)];
  const { mean, cov } = spread(first);
  assert.ok(Math.abs(mean / runFactor(options) - 1) < 0.008, `seed 5: mean ${mean}`);
  assert.ok(Math.abs(cov - 0.1) < 0.006, `seed 5: CoV ${cov}`);
  assert.notDeepEqual(first.slice(0, 5), second.slice(0, 5));
  assert.deepEqual(draw(0).slice(0, 5), first.slice(0, 5));
});

test("without noise nothing is asked, with run noise alone every step has the same factor", () => {
  assert.equal(createStepNoise({ seed: 1, rank: 0, runNoiseCov: 0, stepNoiseCov: 0 }), undefined);
  const noise = createStepNoise({ seed: 3, rank: 0, runNoiseCov: 0.3, stepNoiseCov: 0 });
  assert.equal(noise?.(), noise?.());
});

test("however unlikely a draw is, a step takes time", () => {
  for (let seed = 0; seed < 20_000; seed += 1) {
    assert.ok(runFactor({ seed, runNoiseCov: 0.5 }) >= 0.05, `seed ${seed}`);
  }
});
