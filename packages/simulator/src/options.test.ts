import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { cautions } from "./cautions.js";
import type { SimulatorOptions } from "./options.js";
import { resolveOptions } from "./resolve-options.js";
import { startSimulator } from "./simulator.js";

test("wrong options are refused by name", () => {
  const cases: [SimulatorOptions, RegExp][] = [
    [{ timeScale: 0 }, /timeScale: 0 is not a positive/],
    [{ port: 70_000 }, /port: 70000/],
    [{ maxNumSeqs: 1.5 }, /maxNumSeqs/],
    [{ kvBlocks: 10, maxModelLen: 1000 }, /maxModelLen: 1000 tokens do not fit/],
    [{ decodeStepMs: [] }, /decodeStepMs/],
    [{ stepModel: "table", hardware: "mi325x" }, /hardware: the table was fitted to published rows/],
    [{ stepModel: "roofline", prefillTokensPerS: 1 }, /prefillTokensPerS: the roofline model has no table/],
    [{ hardware: "mi300x", aiter: "off" }, /aiter: the roofline model has no/],
    [{ gpuMemoryUtilization: 1.5 }, /gpuMemoryUtilization: 1.5 is not between 0 and 1/],
    [{ tensorParallelSize: 0 }, /tensorParallelSize/],
    [{ profile: "kimi-k2.5", hardware: "h100-sxm" }, /hardware: kimi-k2.5 needs 150/],
    [{ faults: { reset: 0.7, close: 0.7 } }, /faults/],
  ];
  for (const [options, message] of cases) {
    assert.throws(
      () => resolveOptions(options),
      (error) => error instanceof LoadError && error.code === "PLAN_INVALID" && message.test(error.message),
      JSON.stringify(options),
    );
  }
});

test("the defaults are the profile's, and a small KV cache shortens the context", () => {
  assert.equal(resolveOptions({}).model, "meta-llama/Llama-3.1-405B-Instruct");
  assert.equal(resolveOptions({ profile: "qwen3-vl-235b" }).vision?.tokensOfUnseen, 1060);
  assert.equal(resolveOptions({ kvBlocks: 10 }).maxModelLen, 160);
  assert.equal(resolveOptions({ host: undefined, port: undefined }).port, 0);
});

test("what is said of the hardware asks for the roofline model, whose KV blocks follow from the memory", () => {
  const table = resolveOptions({});
  assert.deepEqual([table.stepModel, table.hardware], ["table", undefined]);
  const derived = resolveOptions({ hardware: "mi325x" });
  assert.equal(derived.stepModel, "roofline");
  // (0.9 x 256 GiB - 51.26 GB - 6 GiB) / 64,512 bytes / 16 tokens, by hand.
  assert.ok(Math.abs(derived.engine.kvBlocks - 183_780) < 20, String(derived.engine.kvBlocks));
  assert.equal(derived.engine.kvBlocks, Math.floor((derived.hardware?.kvTokens ?? 0) / 16));
  assert.ok(resolveOptions({ kvCacheDtype: "fp8" }).engine.kvBlocks >= 2 * derived.engine.kvBlocks);
  assert.equal(resolveOptions({ hardware: "mi325x", kvBlocks: 77 }).engine.kvBlocks, 77);
});

test("cautions say what was never measured, and where a version did not run the model", () => {
  assert.match(
    cautions(resolveOptions({})).join(),
    /KV capacity and prefill rates are derived or estimated, never measured/,
  );
  assert.match(cautions(resolveOptions({ stepModel: "roofline" })).join(), /nothing of it was measured/);
  assert.match(cautions(resolveOptions({ profile: "kimi-k2.5" })).join(), /0\.14\.1 did not run Kimi-K2\.5/);
  assert.equal(cautions(resolveOptions({ profile: "kimi-k2.5", version: "0.15.0" })).length, 1);
});

test("a port that is taken is one clear error", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await assert.rejects(startSimulator({ port }), /cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)/);
  taken.close();
});
