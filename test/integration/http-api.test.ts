import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { lintMetrics, promtoolOrSkip, withNatsServer } from "@tokenstorm/testkit";
import { assertClearFailure, type Running, runCli, scratch, startCli, startSimulator } from "./cli.js";

const TOKEN = "a-token-that-nobody-must-see";

interface Started {
  readonly running: Running;
  readonly url: string;
}

async function startCoordinator(
  t: TestContext,
  nats: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const running = startCli(t, ["coordinator", "--nats", nats, "--out", scratch(t), ...args], { env });
  const line: { http: string } = JSON.parse(await running.line(/"http":/));
  await running.line(/leading as/);
  return { running, url: line.http };
}

test("a run over HTTP from its plan to its report, watched, counted and read in its files", async (t) => {
  await withNatsServer(t, async (server) => {
    const simulator = await startSimulator(t, ["--time-scale", "20"]);
    const { running, url } = await startCoordinator(t, server.url, ["--http", "0"], {
      TOKENSTORM_HTTP_TOKEN: TOKEN,
    });
    startCli(t, ["agent", "--nats", server.url, "--id", "a1", "--processes", "1"]);
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const get = async (path: string) => (await fetch(`${url}${path}`, { headers })).text();
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal((await fetch(`${url}/metrics`)).status, 401);
    const plan = {
      version: 1,
      name: "over-http",
      target: { urls: [simulator.url] },
      workload: { inputTokens: 32, outputTokens: 8 },
      load: { kind: "users", stages: [{ users: 4, settleMs: 0, durationMs: 2000 }] },
    };
    const submitted = await fetch(`${url}/api/v1/runs`, {
      method: "POST",
      headers,
      body: JSON.stringify(plan),
    });
    assert.equal(submitted.status, 201);
    const { id }: { id: string } = JSON.parse(await submitted.text());
    // The stream ends with the run.
    const live = await get(`/api/v1/runs/${id}/live`);
    assert.match(live, /event: live\ndata: \{"run":"\w+","name":"over-http","state":"running"/);
    assert.match(live, /event: end\ndata: \{"id":"\w+","state":"completed","problem":null\}\n\n$/);
    const report = JSON.parse(await get(`/api/v1/runs/${id}/report`));
    const { completed } = report.totals.requests;
    assert.ok(completed > 0);
    const metrics = await get("/metrics");
    const counts = [...metrics.matchAll(/^tokenstorm_requests_total\{.*outcome="completed"\} (\d+)$/gm)];
    assert.equal(
      counts.reduce((sum, [, count]) => sum + Number(count), 0),
      completed,
      "the page counts what the report counts",
    );
    // A test of its own, so that a promtool that is not here is told, and the rest is tested all the same.
    await t.test("promtool has nothing to find fault with on the page of a run", async (t) => {
      const bin = promtoolOrSkip(t);
      if (bin !== undefined) assert.equal(await lintMetrics(bin, metrics), "");
    });
    assert.equal(JSON.parse(await get(`/api/v1/runs/${id}/files/report.json`)).run.id, id);
    running.signal("SIGTERM");
    const ended = await running.finished;
    assert.equal(ended.code, 0, ended.stderr);
    assert.ok(!`${ended.stdout}${ended.stderr}`.includes(TOKEN), "the token stands in the log");
  });
});

test("where the default port is taken the coordinator warns and takes another; one that was named is an error", async (t) => {
  await withNatsServer(t, async (server) => {
    const taken = createServer();
    // Somebody else may have it already: that is as good.
    await new Promise<void>((resolve) => {
      taken.once("error", () => resolve());
      taken.listen(7373, "127.0.0.1", resolve);
    });
    t.after(() => taken.close());
    const { running, url } = await startCoordinator(t, server.url, []);
    await running.line(/127\.0\.0\.1:7373 is taken/);
    assert.doesNotMatch(url, /:7373$/);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    const named = await runCli(t, [
      "coordinator",
      "--nats",
      server.url,
      "--out",
      scratch(t),
      "--http",
      new URL(url).port,
    ]);
    assertClearFailure(named, {
      code: 1,
      says: /^error: the HTTP API cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)$/m,
    });
  });
});

test("a coordinator that others could ask without a token does not start, before it even looks for NATS", async (t) => {
  const result = await runCli(t, ["coordinator", "--nats", "nats://127.0.0.1:1", "--http", "0.0.0.0:0"], {
    env: { TOKENSTORM_HTTP_TOKEN: undefined },
  });
  assertClearFailure(result, { code: 2, says: /without a token: set TOKENSTORM_HTTP_TOKEN/ });
});
