import assert from "node:assert/strict";
import { test } from "node:test";
import { stepAgainstFloor, weightReadFloor } from "./step-floor.js";

const NODE = 48e12;

test("floors are those that the study's facts give: 8.4 ms for a dense 405B in FP8 on 48 TB/s", () => {
  const llama = weightReadFloor({ alwaysBytes: 405e9, bandwidthBytesPerS: NODE }, 100);
  assert.ok(llama.kind === "floor" && Math.abs(llama.us - 8437.5) < 1e-6);
  const measured = stepAgainstFloor(25_100, llama);
  assert.ok(measured.kind === "ratio" && measured.times > 2.97 && measured.times < 2.98);
  assert.match(measured.sentence, /25.1 ms is 3.0 x the 8.44 ms .* is not shown/);
});

test("a batch touches more experts than a token, and never more than there are", () => {
  const weights = {
    alwaysBytes: 10,
    experts: { bytes: 1, count: 256, perToken: 8 },
    bandwidthBytesPerS: 1e6,
  };
  const bytes = (batch: number) => {
    const floor = weightReadFloor(weights, batch);
    return floor.kind === "floor" ? floor.bytes : Number.NaN;
  };
  assert.ok(Math.abs(bytes(1) - 18) < 1e-9);
  // Two tokens meet in 8 x 8 / 256 experts on average.
  assert.ok(Math.abs(bytes(2) - (10 + 16 - 0.25)) < 1e-9);
  assert.ok(bytes(1000) > 265.9 && bytes(1000) <= 266);
});

test("a step under the floor accuses the facts, one near it is explained by it", () => {
  const floor = weightReadFloor({ alwaysBytes: 48e9, bandwidthBytesPerS: NODE }, 1);
  const under = stepAgainstFloor(900, floor);
  assert.match(under.kind === "ratio" ? under.sentence : "", /is wrong/);
  const near = stepAgainstFloor(1400, floor);
  assert.match(near.kind === "ratio" ? near.sentence : "", /explains most/);
});
