import assert from "node:assert/strict";
import { test } from "node:test";
import { profiles } from "../profiles.js";
import { decodeStepMs } from "./step-time.js";

test("step times meet the points, run straight between them, and go on with the last slope", () => {
  const llama = profiles["llama-3.1-405b"].decodeStepMs;
  const cases = [
    [0, 0],
    [1, 25.1],
    [3, (25.1 + 30.8) / 2],
    [100, 50.3],
    [125, (50.3 + 59.4) / 2],
    [450, 120.5],
    [600, 120.5 + 150 * ((120.5 - 91.5) / 150)],
  ] as const;
  for (const [sequences, ms] of cases) {
    assert.ok(Math.abs(decodeStepMs(llama, sequences) - ms) < 1e-9, `${sequences} sequences`);
  }
});

test("a table of one point holds for every batch", () => {
  assert.equal(decodeStepMs([[4, 7]], 1), 7);
  assert.equal(decodeStepMs([[4, 7]], 100), 7);
});
