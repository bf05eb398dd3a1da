import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { runCli, scratch, startSimulator } from "../integration/cli.js";

async function report(t: TestContext, plan: object): Promise<RunReport> {
  const folder = scratch(t);
  const file = join(folder, "plan.json");
  writeFileSync(file, JSON.stringify(plan));
  const run = await runCli(t, ["run", file, "--processes", "2", "--out", folder, "--json", "--ui", "none"]);
  assert.match(run.stdout, /"schemaVersion"/, `${run.code}: ${run.stderr}`);
  return JSON.parse(run.stdout);
}

const longPrompts = (url: string, prompts: string) => ({
  version: 1,
  target: { urls: [url] },
  workload: { inputTokens: 2048, outputTokens: 8, prompts },
  load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 6000 }] },
  warmUp: { requests: 0 },
});

test("another salt meets no warm prefix cache, and identical prompts do", async (t) => {
  const simulator = await startSimulator(t);
  const first = await report(t, longPrompts(simulator.url, "unique"));
  const second = await report(t, longPrompts(simulator.url, "unique"));
  const identical = await report(t, longPrompts(simulator.url, "identical"));
  const ttft = (one: RunReport) => one.stages[0]?.latencyUs.ttft.p50 ?? 0;
  assert.notEqual(first.run.salt, second.run.salt);
  for (const one of [first, second]) {
    assert.equal(
      one.totals.server.prefixHitTokens,
      0,
      "the template is shorter than a block: no hit is possible",
    );
    assert.ok(!one.verdict.reasons.some((reason) => /prefix/.test(reason)));
  }
  assert.ok((identical.totals.server.prefixHitTokens ?? 0) > 0.9 * identical.totals.tokens.prompt * 0.5);
  const said = `TTFT ${ttft(first)} and ${ttft(second)} us with unique prompts, ${ttft(identical)} us with identical ones`;
  assert.ok(ttft(identical) <= ttft(first) / 2, said);
  // The figures of two runs differ by what this machine does to each; a warm cache halves them.
  assert.ok(ttft(second) >= (ttft(first) + ttft(identical)) / 2, said);
});

test("between quiescent scrapes the server's tokens and successes are exactly the client's", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "10"]);
  for (const api of ["openai-chat", "openai-completions"]) {
    const result = await report(t, {
      version: 1,
      target: { urls: [simulator.url], api },
      workload: {
        inputTokens: { kind: "uniform", min: 20, max: 200 },
        outputTokens: { kind: "uniform", min: 1, max: 60 },
      },
      load: { kind: "users", stages: [{ users: 40, durationMs: 3000 }] },
    });
    assert.equal(
      result.totals.requests.failed + result.totals.requests.cancelled + result.totals.requests.censored,
      0,
    );
    assert.equal(result.totals.server.exact, true);
    assert.equal(result.totals.server.output, result.totals.tokens.output);
    assert.equal(result.totals.server.prompt, result.totals.tokens.prompt);
    assert.equal(result.totals.server.successes, result.totals.requests.completed);
  }
});
