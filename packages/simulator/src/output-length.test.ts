import assert from "node:assert/strict";
import { test } from "node:test";
import { type OutputLengthProfile, OutputLengths } from "./output-length.js";

const lengthsOf = (outputLengthProfile: OutputLengthProfile) =>
  new OutputLengths({ outputLengthProfile, naturalStopMedian: 128, naturalStopSigma: 0.4 });
const request = { outputSeed: 1, ignoreEos: false, minTokens: 0, nowUs: 0 };

/** Lengths of so many requests that are open at once; `limit` where one does not stop. */
function burst(lengths: OutputLengths, count: number, nowUs: number, limit = 512): number[] {
  const drawn = Array.from(
    { length: count },
    (_, i) => lengths.begin({ ...request, outputSeed: nowUs + i, nowUs }) ?? limit,
  );
  for (let i = 0; i < count; i += 1) lengths.end(nowUs);
  return drawn;
}

test("of each hundred requests of a burst two run to their limit, both among the first ten", () => {
  const lengths = lengthsOf("study-multi-run");
  for (const nowUs of [0, 1_000_000, 1_700_000]) {
    const drawn = burst(lengths, 100, nowUs);
    assert.equal(drawn.slice(0, 10).filter((tokens) => tokens === 512).length, 2);
    assert.ok(drawn.slice(10).every((tokens) => tokens === 96));
  }
});

test("a pause shorter than half a second is no new burst", () => {
  const lengths = lengthsOf("study-multi-run");
  burst(lengths, 50, 0);
  assert.ok(burst(lengths, 10, 400_000).every((tokens) => tokens === 96));
  assert.equal(burst(lengths, 10, 1_000_000).filter((tokens) => tokens === 512).length, 2);
});

test("the stochastic lengths of DeepSeek have their share at the limit and their median", () => {
  const drawn = burst(lengthsOf("study-stochastic"), 20_000, 0, 100_000);
  const atLimit = drawn.filter((tokens) => tokens === 100_000).length / drawn.length;
  // Standard errors: 0.12 % of the share, 0.5 tokens of the median.
  assert.ok(Math.abs(atLimit - 0.03) < 0.005, `seeds 0 to 19999: ${atLimit} at the limit`);
  const rest = drawn.filter((tokens) => tokens < 100_000).sort((a, b) => a - b);
  const median = rest[Math.floor(rest.length / 2)] ?? 0;
  assert.ok(Math.abs(median - 75) <= 2, `seeds 0 to 19999: median ${median}`);
});

test("answers run to the limit where the profile or the request says so, and keep min_tokens", () => {
  assert.equal(lengthsOf("to-limit").begin(request), undefined);
  assert.equal(lengthsOf("study-multi-run").begin({ ...request, ignoreEos: true }), undefined);
  assert.equal(lengthsOf("study-multi-run").begin({ ...request, minTokens: 200 }), 201);
});
