import assert from "node:assert/strict";
import { test } from "node:test";
import { probeTarget } from "@tokenstorm/agent";
import { EMULATED_VERSIONS, emulations, type SimulatorOptions, startSimulator } from "@tokenstorm/simulator";
import { aPlan, realGoldenClock } from "@tokenstorm/testkit";

const CASES: readonly (readonly [name: string, options: SimulatorOptions])[] = [
  ["text alone", {}],
  ["thoughts before the text", { reasoningTokens: 5 }],
  ["thoughts and text in one event", { reasoningTokens: 5, streamInterval: 3 }],
  ["tokens merged by a slow front end", { frontEndUs: 100_000 }],
  ["usage unasked on top", { forceIncludeUsage: true, promptTokensDetails: true }],
];

for (const emulate of EMULATED_VERSIONS) {
  for (const [name, options] of CASES) {
    test(`the agent counts what vLLM ${emulate} sends: ${name}`, async (t) => {
      const simulator = await startSimulator({ emulate, timeScale: 20, ...options });
      t.after(() => simulator.close());
      const { url, model } = simulator;
      const plan = aPlan({ target: { urls: [url], model }, workload: { inputTokens: 30, outputTokens: 20 } });
      const seen = await probeTarget({ plan, env: {}, clock: realGoldenClock, salt: "versions" });
      assert.equal(seen.outcome.kind, "completed", seen.problem ?? "");
      assert.deepEqual([seen.tokens, seen.finishReason, seen.usage?.output], [20, "length", 20]);
      assert.equal(seen.serverVersion, emulations[emulate].version);
      // One word a token; neither is read twice where thoughts stand in two fields.
      const isAlone = options.streamInterval === undefined;
      if (isAlone) assert.equal(seen.text.trim().split(/\s+/).length, 20);
    });
  }
}
