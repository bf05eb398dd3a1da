import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { startScriptedServer } from "@tokenstorm/testkit";
import { assertClearFailure, runCli, scratch, startSimulator } from "./cli.js";
import { startAgent, startCoordinator, startNats, type TestNats } from "./cluster.js";

function submit(t: TestContext, nats: TestNats, plan: object) {
  return runCli(
    t,
    ["submit", "-", "--wait", "--ui", "none", "--json", "--nats", nats.url, "--out", scratch(t)],
    {
      input: JSON.stringify({ version: 1, warmUp: { requests: 0 }, ...plan }),
    },
  );
}

const load = {
  workload: { inputTokens: 16, outputTokens: 4 },
  load: { kind: "users", stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 1000 }] },
};

test("an agent that may not send to a plan's target says so, and the target hears nothing", async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const server = await startScriptedServer(() => []);
  t.after(() => server.close());
  await startCoordinator(t, nats, ["--out", scratch(t), "--allow-target", "127.0.0.9"]);
  // By a supervisor, which passes the rules on.
  await startAgent(t, nats, [
    "--id",
    "a",
    "--processes",
    "2",
    "--allow-target",
    "10.0.0.0/8",
    "--allow-target",
    "*.lab.example",
  ]);
  const result = await submit(t, nats, { target: { urls: [server.url], model: "m" }, ...load });
  assertClearFailure(result, {
    code: 1,
    says: new RegExp(
      `error: .*agent a-[12] may not send to ${server.url}: it is allowed 10\\.0\\.0\\.0/8, \\*\\.lab\\.example`,
    ),
  });
  assert.match(result.stderr, /hint: .*--allow-target/);
  assert.equal(server.accepted, 0);
});

test("a plan gets no secret of an agent that is not lent to it, and no server hears of one", async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const server = await startScriptedServer(() => []);
  t.after(() => server.close());
  await startCoordinator(t, nats, ["--out", scratch(t)]);
  // By a supervisor, which passes on what is lent.
  await startAgent(t, nats, ["--id", "a", "--processes", "2", "--allow-secret", "LENT_KEY"], {
    env: { LENT_KEY: "lent-key", OTHER_KEY: "other-key" },
  });
  const wanted = [
    { apiKeyEnv: "NATS_URL" },
    { apiKeyEnv: "OTHER_KEY" },
    { apiKeyFile: "/proc/self/environ" },
  ];
  for (const key of wanted) {
    const plan = { target: { urls: [server.url], model: "m", ...key }, ...load };
    assertClearFailure(await submit(t, nats, plan), {
      code: 1,
      says: /error: .*agent a-[12] does not give the (environment variable|file) \S+ to a plan: it lends plans LENT_KEY/,
    });
    assert.equal(server.accepted, 0);
  }
  const lent = { target: { urls: [server.url], model: "m", apiKeyEnv: "LENT_KEY" }, ...load };
  const tried = await submit(t, nats, lent);
  assert.doesNotMatch(tried.stderr, /does not give/);
  assert.ok(server.accepted > 0);
});

test("metrics that the coordinator may not read are a note in the run, which goes on", async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const simulator = await startSimulator(t);
  const metrics = await startScriptedServer(() => []);
  t.after(() => metrics.close());
  const out = scratch(t);
  await startCoordinator(t, nats, ["--out", out], { env: { TOKENSTORM_ALLOW_TARGET: simulator.url } });
  await startAgent(t, nats, ["--id", "a", "--allow-target", simulator.url]);
  const plan = { target: { urls: [simulator.url] }, metricsUrls: [`${metrics.url}/metrics`], ...load };
  const result = await submit(t, nats, plan);
  const report: RunReport = JSON.parse(result.stdout);
  assert.equal(report.run.state, "completed", result.stderr);
  const [directory = ""] = readdirSync(out).filter((name) => name.endsWith(report.run.id));
  assert.match(
    readFileSync(join(out, directory, "events.ndjson"), "utf8"),
    /the coordinator may not connect to http:\/\/127\.0\.0\.1:\d+: it is allowed/,
  );
  assert.equal(metrics.accepted, 0);
});
