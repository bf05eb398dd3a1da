import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { connectNats, findNatsServer, startNatsServer } from "@tokenstorm/protocol/nats";
import { assertClearFailure, runCli, scratch, startCli, startSimulator } from "./cli.js";

/** A nats-server of the test's own; the tests of bad input cannot do without one. */
async function startNats(t: TestContext, users?: string): Promise<string> {
  const found = await findNatsServer(process.env);
  assert.ok(found !== undefined, "no nats-server: set NATS_SERVER_BIN");
  const server = await startNatsServer({
    bin: found.bin,
    dataDir: scratch(t),
    ...(users === undefined ? {} : { extraConfig: users }),
  });
  t.after(() => server.close());
  return server.url;
}

function planFile(t: TestContext, plan: object): string {
  const file = join(scratch(t), "plan.json");
  writeFileSync(file, JSON.stringify(plan));
  return file;
}

const shortLoad = { kind: "users", stages: [{ users: 2, settleMs: 0, durationMs: 500 }] };
const planFor = (url: string, more: object = {}) => ({
  version: 1,
  target: { urls: [url] },
  load: shortLoad,
  ...more,
});
const quiet = ["--ui", "none"];

test("a plan with three mistakes names all three and exits 104", async (t) => {
  const file = planFile(t, {
    version: 1,
    target: { urls: ["http://h:8000"] },
    load: { kind: "users", stages: [{ usres: 2, durationMs: "soon", users: 0 }] },
  });
  for (const command of [["run"], ["validate"], ["submit", "--nats", "nats://127.0.0.1:1"]]) {
    const result = await runCli(t, [...command, file]);
    assertClearFailure(result, { code: 104, says: /usres/ });
    for (const word of [/users/, /durationMs/, /did you mean/i]) assert.match(result.stderr, word);
  }
});

test("an unknown plan version and an unreadable plan exit 104", async (t) => {
  const file = planFile(t, { ...planFor("http://h:8000"), version: 7 });
  assertClearFailure(await runCli(t, ["run", file]), { code: 104, says: /version 7/ });
  assertClearFailure(await runCli(t, ["run", join(scratch(t), "none.yaml")]), {
    code: 104,
    says: /none\.yaml/,
  });
  assertClearFailure(await runCli(t, ["run", "-"], { input: "{ : [" }), { code: 104, says: /error: / });
});

test("resharding is refused with 104 where the plan has no stage at whose edge a shard could change hands", async (t) => {
  const plan = planFor("http://h:8000", { lossPolicy: "reshard", warmUp: { requests: 0 } });
  assertClearFailure(await runCli(t, ["validate", planFile(t, plan)]), {
    code: 104,
    says: /lossPolicy.*single stage/,
  });
  const later = planFile(t, planFor("http://h:8000", { lossPolicy: "reshard", warmUp: { requests: 4 } }));
  assert.equal((await runCli(t, ["validate", later])).code, 0);
});

test("wrong use of the command line exits 2", async (t) => {
  for (const args of [["runn"], ["run", "--no-such-flag"], ["run"], ["agent"], ["tail", "--ui", "loud"]]) {
    assertClearFailure(await runCli(t, args), { code: 2, says: /error: / });
  }
});

test("an absent NATS is named, with what to do, and nothing hangs", async (t) => {
  const url = "nats://127.0.0.1:1";
  const file = planFile(t, planFor("http://127.0.0.1:1"));
  for (const args of [
    ["run", file],
    ["submit", file],
    ["tail"],
    ["stop"],
    ["agents"],
    ["runs"],
    ["coordinator"],
    ["agent"],
  ]) {
    const result = await runCli(t, [...args, "--nats", url], { limitMs: 30_000 });
    assertClearFailure(result, { code: 1, says: /127\.0\.0\.1:1/ });
  }
});

test("a NATS that refuses the user is named as such", async (t) => {
  const url = await startNats(t, 'authorization { users: [ { user: "ops", password: "secret-word" } ] }');
  for (const args of [["agents"], ["coordinator"], ["agent"]]) {
    const result = await runCli(t, [...args, "--nats", url], { limitMs: 30_000 });
    assertClearFailure(result, { code: 1, says: /refus|denied|authori/i });
  }
});

async function startCoordinator(t: TestContext, url: string, out = scratch(t)): Promise<void> {
  const coordinator = startCli(t, ["coordinator", "--nats", url, "--out", out], { limitMs: 200_000 });
  await coordinator.line(/lead|ready|listen/i);
}

test("no agents, or fewer than asked, ends the run with both numbers", async (t) => {
  const url = await startNats(t);
  await startCoordinator(t, url);
  const file = planFile(t, planFor("http://127.0.0.1:1", { agents: { min: 3, waitMs: 1500 } }));
  assertClearFailure(await runCli(t, ["submit", file, "--wait", "--nats", url]), { code: 1, says: /3/ });
  const agent = startCli(t, ["agent", "--nats", url, "--processes", "1"]);
  await agent.line(/ready|waiting|connected|joined/i);
  const result = await runCli(t, ["submit", file, "--wait", "--nats", url]);
  assertClearFailure(result, { code: 1, says: /1 .*3|3 .*1/ });
});

test("two agents with one id: the second ends, and says where the first is", async (t) => {
  const url = await startNats(t);
  await startCoordinator(t, url);
  const first = startCli(t, ["agent", "--nats", url, "--processes", "1", "--id", "twin"]);
  await first.line(/ready|waiting|connected|joined/i);
  const second = await runCli(t, ["agent", "--nats", url, "--processes", "1", "--id", "twin"], {
    limitMs: 30_000,
  });
  assertClearFailure(second, { code: 1, says: /twin/ });
});

test("a target that refuses, is unknown, or wants a key is named", async (t) => {
  const out = ["--out", scratch(t)];
  const local = (...args: string[]) =>
    runCli(t, ["run", "--processes", "1", "--users", "1", "--duration", "1s", ...quiet, ...out, ...args]);
  assertClearFailure(await local("--target", "http://127.0.0.1:1"), {
    code: 1,
    says: /127\.0\.0\.1:1.*refused|refused.*127\.0\.0\.1:1/,
  });
  assertClearFailure(await local("--target", "http://no-such-host.invalid:8000"), {
    code: 1,
    says: /no-such-host\.invalid/,
  });
  const simulator = await startSimulator(t, ["--api-key", "k-123"]);
  assertClearFailure(await local("--target", simulator.url), { code: 1, says: /401/ });
  const wrongModel = await runCli(
    t,
    [
      "run",
      "--processes",
      "1",
      "--users",
      "1",
      "--duration",
      "1s",
      ...quiet,
      ...out,
      "--target",
      simulator.url,
      "--api-key-env",
      "TS_KEY",
      "--model",
      "gpt-none",
    ],
    { env: { TS_KEY: "k-123" } },
  );
  assertClearFailure(wrongModel, { code: 1, says: /gpt-none/ });
  const missing = await local("--target", simulator.url, "--api-key-env", "TS_NO_SUCH_KEY");
  assertClearFailure(missing, { code: 1, says: /TS_NO_SUCH_KEY/ });
});

test("a target that answers with something else than an event stream is named before the start", async (t) => {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(
      request.url === "/v1/models"
        ? '{"object":"list","data":[{"id":"m","object":"model"}]}'
        : '{"choices":[]}',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const result = await runCli(t, [
    "run",
    "--target",
    `http://127.0.0.1:${address.port}`,
    "--users",
    "1",
    "--duration",
    "1s",
    "--processes",
    "1",
    "--out",
    scratch(t),
    ...quiet,
  ]);
  assertClearFailure(result, { code: 1, says: /event.stream|application\/json/ });
});

test("a target that dies in mid-run is counted, not waited for", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const run = startCli(t, [
    "run",
    "--target",
    simulator.url,
    "--users",
    "4",
    "--duration",
    "5s",
    "--output-tokens",
    "16",
    "--processes",
    "1",
    "--out",
    scratch(t),
    "--json",
    "--ui",
    "plain",
    "--grace",
    "1s",
  ]);
  await run.line(/measured/);
  simulator.kill();
  const result = await run.finished;
  const report: RunReport = JSON.parse(result.stdout);
  assert.equal(report.run.state, "completed", result.stderr);
  const reasons = Object.keys(report.stages[0]?.failures ?? {});
  assert.ok(reasons.includes("connect-refused"), reasons.join());
  // A dead target is not hammered. Of each user in these 5 s: the request that broke, knocks after 0, 0.1, 0.3, 0.7 and 1.5 s,
  // then one a second; a pause that stays at 0.1 s would make 200 of it.
  const { failed } = report.totals.requests;
  assert.ok(failed <= 4 * 10, `${failed} failed starts`);
});

test("an unknown run is named by every command that takes one", async (t) => {
  const url = await startNats(t);
  await startCoordinator(t, url);
  for (const args of [["tail", "nosuch"], ["stop", "nosuch"], ["tail"], ["stop"]]) {
    assertClearFailure(await runCli(t, [...args, "--nats", url], { limitMs: 30_000 }), {
      code: 1,
      says: /run/,
    });
  }
  assertClearFailure(await runCli(t, ["report", "nosuch", "--out", scratch(t)]), { code: 1, says: /nosuch/ });
});

test("a run directory that cannot be written fails the run with its path", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const result = await runCli(t, [
    "run",
    "--target",
    simulator.url,
    "--users",
    "1",
    "--duration",
    "1s",
    "--processes",
    "1",
    "--out",
    "/proc/no-such-folder",
    ...quiet,
  ]);
  assertClearFailure(result, { code: 1, says: /\/proc\/no-such-folder/ });
});

test("a plan that needs more descriptors than the hard limit is refused before the start", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const result = await runCli(t, [
    "run",
    "--target",
    simulator.url,
    "--users",
    "900000",
    "--duration",
    "1s",
    "--processes",
    "1",
    "--out",
    scratch(t),
    ...quiet,
  ]);
  assertClearFailure(result, { code: 1, says: /descriptor/ });
});

test("garbage on every subject changes nothing but the count of refusals", async (t) => {
  const url = await startNats(t);
  const out = scratch(t);
  await startCoordinator(t, url, out);
  const agent = startCli(t, ["agent", "--nats", url, "--processes", "1", "--id", "a1"]);
  await agent.line(/ready|waiting|connected|joined/i);
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const run = startCli(t, [
    "run",
    "--target",
    simulator.url,
    "--users",
    "4",
    "--duration",
    "3s",
    "--output-tokens",
    "16",
    "--nats",
    url,
    "--out",
    scratch(t),
    "--json",
    "--ui",
    "plain",
  ]);
  await run.line(/measured/);
  const vandal = await connectNats({ servers: [url], name: "vandal", role: "coordinator" });
  t.after(() => vandal.close());
  const id = (await vandal.state.keys("run."))[0]?.slice("run.".length) ?? "";
  const garbage = [
    new Uint8Array(0),
    new Uint8Array([0xc1, 1, 2]),
    new TextEncoder().encode("{}"),
    new Uint8Array(100_000).fill(0x93),
  ];
  for (const subject of [
    "beacon",
    "hint",
    "hb.a1",
    "hb.other",
    "time.a1",
    `live.${id}`,
    `res.${id}.a1.snapshot`,
    `res.${id}.a1.final`,
    `res.${id}.x.event`,
  ]) {
    for (const bytes of garbage) vandal.bus.publish(`ts.v1.${subject}`, bytes);
  }
  await vandal.bus.flush({ timeoutMs: 5000 });
  const result = await run.finished;
  const report: RunReport = JSON.parse(result.stdout);
  assert.equal(report.run.state, "completed", result.stderr);
  assert.equal(report.completeness.intervalsReceived, report.completeness.intervalsExpected);
  assert.equal(report.completeness.samplesMerged, report.completeness.samplesRecorded);
  assert.equal(report.totals.requests.failed, 0);
});
