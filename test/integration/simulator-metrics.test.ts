import assert from "node:assert/strict";
import { test } from "node:test";
import { EMULATED_VERSIONS, startSimulator } from "@tokenstorm/simulator";
import { lintMetrics, promtoolOrSkip } from "@tokenstorm/testkit";

/** vLLM's own names: Prometheus keeps the colon for recording rules, and would have `_total` only on counters. */
const VLLMS_OWN =
  /^vllm:\S+ (metric names should not contain ':'|non-counter metrics should not have "_total" suffix)$/;

for (const emulate of EMULATED_VERSIONS) {
  test(`promtool reads the simulator's /metrics as ${emulate}, and faults only what vLLM itself does`, async (t) => {
    const bin = promtoolOrSkip(t);
    if (bin === undefined) return;
    const simulator = await startSimulator({
      emulate,
      profile: "qwen3-vl-235b",
      timeScale: 100,
      dataParallelSize: 2,
    });
    t.after(() => simulator.close());
    const body = JSON.stringify({ prompt: "red sky at night", max_tokens: 5, ignore_eos: true });
    const headers = { "content-type": "application/json" };
    await (await fetch(`${simulator.url}/v1/completions`, { method: "POST", headers, body })).text();
    const said = await lintMetrics(bin, await (await fetch(`${simulator.url}/metrics`)).text());
    const others = said
      .split("\n")
      .filter((line) => line !== "" && line !== "(exit 3)" && !VLLMS_OWN.test(line));
    assert.deepEqual(others, []);
  });
}
