import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { resolveOptions, type SimulatorOptions } from "./options.js";
import { startSimulator } from "./simulator.js";

test("wrong options are refused by name", () => {
  const cases: [SimulatorOptions, RegExp][] = [
    [{ timeScale: 0 }, /timeScale: 0 is not a positive/],
    [{ port: 70_000 }, /port: 70000/],
    [{ maxNumSeqs: 1.5 }, /maxNumSeqs/],
    [{ kvBlocks: 10, maxModelLen: 1000 }, /maxModelLen: 1000 tokens do not fit/],
    [{ decodeStepMs: [] }, /decodeStepMs/],
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
  assert.equal(resolveOptions({ profile: "qwen3-vl-235b" }).tokensPerImage, 1060);
  assert.equal(resolveOptions({ kvBlocks: 10 }).maxModelLen, 160);
  assert.equal(resolveOptions({ host: undefined, port: undefined }).port, 0);
});

test("a port that is taken is one clear error", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await assert.rejects(startSimulator({ port }), /cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)/);
  taken.close();
});
