import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { decodeStepMs } from "./engine/step-time.js";
import { profiles } from "./profiles.js";
import { resolveOptions } from "./resolve-options.js";

const llama = (aiter: "on" | "off") =>
  resolveOptions({ profile: "llama-3.1-405b", aiter }).engine.decodeStepMs;

test("with AITER on, Llama's steps have the factors of the study's ablation at each of its loads", () => {
  const [on, off] = [llama("on"), llama("off")];
  const factors = [
    [1, 0.909],
    [5, 1.0106],
    [10, 1.0078],
    [50, 1.0092],
    [100, 0.9626],
    [200, 0.9626],
    [450, 0.9626],
    [1000, 0.9626],
  ] as const;
  for (const [sequences, factor] of factors) {
    const found = decodeStepMs(on, sequences) / decodeStepMs(off, sequences);
    assert.ok(Math.abs(found - factor) < 1e-9, `${sequences} sequences: ${found}, not ${factor}`);
  }
});

test("between two loads the factor changes evenly", () => {
  const factor = decodeStepMs(llama("on"), 75) / decodeStepMs(llama("off"), 75);
  assert.ok(Math.abs(factor - (1.0092 + 0.9626) / 2) < 1e-9, `${factor}`);
});

test("a profile steps as it was fitted unless the other state is asked for", () => {
  assert.deepEqual(
    resolveOptions({ profile: "llama-3.1-405b" }).engine.decodeStepMs,
    profiles["llama-3.1-405b"].decodeStepMs,
  );
  assert.equal(resolveOptions({ profile: "deepseek-v3.2" }).aiter, "on");
  assert.equal(resolveOptions({ profile: "kimi-k2.5", aiter: "off" }).aiter, "off");
});

test("what nobody published is refused, not made up", () => {
  for (const [profile, aiter] of [
    ["deepseek-v3.2", "off"],
    ["qwen3-vl-235b", "off"],
    ["kimi-k2.5", "on"],
  ] as const) {
    assert.throws(
      () => resolveOptions({ profile, aiter }),
      (error) =>
        error instanceof LoadError && /aiter: nothing is published of .* with AITER/.test(error.message),
      profile,
    );
  }
});
