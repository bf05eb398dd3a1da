import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { natsServerOrSkip, TEST_CERTIFICATE, TEST_KEY } from "@tokenstorm/testkit";
import { assertClearFailure, runCli, scratch, startCli, startSimulator } from "./cli.js";

const LIMIT = { timeout: 120_000 };

interface Joining {
  readonly host: string;
  readonly port: number;
  readonly urls: Readonly<Record<"agent" | "operator" | "viewer", string>>;
  readonly caFile: string | null;
}

/** A coordinator that opens a cluster on loopback, in a folder of its own. */
function open(t: TestContext, folder: string, args: readonly string[] = []) {
  const listen = ["--listen", "127.0.0.1:0", "--data", join(folder, "data"), "--out", join(folder, "runs")];
  return startCli(t, ["coordinator", ...listen, ...args], { cwd: folder });
}

async function joiningOf(coordinator: ReturnType<typeof startCli>): Promise<Joining> {
  return JSON.parse(await coordinator.line(/"urls"/));
}

const as = (url: string, more: Readonly<Record<string, string>> = {}) => ({
  env: { NATS_URL: url, ...more },
});

async function submitSmallRun(t: TestContext, joining: Joining, env: Readonly<Record<string, string>> = {}) {
  const simulator = await startSimulator(t, ["--time-scale", "10"]);
  const plan = join(scratch(t), "plan.json");
  writeFileSync(
    plan,
    JSON.stringify({
      version: 1,
      target: { urls: [simulator.url] },
      warmUp: { requests: 0 },
      load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 2000 }] },
    }),
  );
  const out = scratch(t);
  return runCli(t, ["submit", plan, "--wait", "--json", "--out", out], as(joining.urls.operator, env));
}

test(
  "coordinator --listen opens a cluster that its pasted lines join, each role by its own user",
  LIMIT,
  async (t) => {
    if ((await natsServerOrSkip(t)) === undefined) return;
    const folder = scratch(t);
    const coordinator = open(t, folder);
    const agentLine = await coordinator.line(/NATS_URL='[^']*' node tokenstorm\.mjs agent$/);
    const viewerLine = await coordinator.line(/node tokenstorm\.mjs tail --wait$/);
    const urlIn = (line: string) => /NATS_URL='([^']*)'/.exec(line)?.[1] ?? "";
    const operatorUrl = urlIn(await coordinator.line(/node tokenstorm\.mjs submit /));
    const agent = startCli(t, ["agent", "--processes", "1", "--id", "pasted"], as(urlIn(agentLine)));
    await agent.line(/agent is ready for runs/);
    const viewer = startCli(t, ["tail", "--wait", "--json"], as(urlIn(viewerLine)));
    const port = Number(new URL(operatorUrl).port);
    const joining = {
      host: "127.0.0.1",
      port,
      caFile: null,
      urls: { agent: urlIn(agentLine), operator: operatorUrl, viewer: urlIn(viewerLine) },
    };
    const listed = await runCli(t, ["agents"], as(operatorUrl));
    assert.match(listed.stdout, /pasted/);
    const submitted = await submitSmallRun(t, joining);
    assert.ok([0, 110].includes(submitted.code ?? -1), submitted.stderr);
    const report = JSON.parse(submitted.stdout);
    assert.equal(report.completeness.intervalsReceived, report.completeness.intervalsExpected);
    assert.ok(report.totals.requests.completed > 0);
    const watched = await viewer.finished;
    assert.equal(watched.code, 0, watched.stderr);
    const last = JSON.parse(watched.stdout.trimEnd().split("\n").at(-1) ?? "{}");
    assert.deepEqual([last.run, last.state], [report.run.id, "completed"]);
    coordinator.signal("SIGTERM");
    const { code, stderr } = await coordinator.finished;
    assert.equal(code, 0, stderr);
    for (const secret of [agentLine, viewerLine].map((line) => new URL(urlIn(line)).password))
      assert.ok(!stderr.includes(secret), "a password stands in the log");
  },
);

test(
  "without its password nobody gets in, and with a role's password nobody gets further",
  LIMIT,
  async (t) => {
    if ((await natsServerOrSkip(t)) === undefined) return;
    const coordinator = open(t, scratch(t), ["--json"]);
    const { port, urls } = await joiningOf(coordinator);
    const stranger = await runCli(t, ["agents", "--nats", `nats://127.0.0.1:${port}`]);
    assertClearFailure(stranger, { code: 1, says: /refuses this user: authorization violation/ });
    const wrong = await runCli(t, ["agents"], as(`nats://operator:guessed@127.0.0.1:${port}`));
    assertClearFailure(wrong, { code: 1, says: /refuses this user/ });
    assert.ok(!wrong.stderr.includes("guessed"));
    for (const url of [urls.viewer, urls.agent]) {
      const denied = await runCli(t, ["stop"], as(url));
      assertClearFailure(denied, { code: 1, says: /does not allow this user/ });
    }
    const rival = await runCli(t, ["coordinator", "--out", scratch(t)], as(urls.operator));
    assertClearFailure(rival, { code: 1, says: /does not allow this user/ });
  },
);

test(
  "after a restart the lines that were pasted still hold, and agents come back by themselves",
  LIMIT,
  async (t) => {
    if ((await natsServerOrSkip(t)) === undefined) return;
    const folder = scratch(t);
    const first = open(t, folder, ["--json"]);
    const before = await joiningOf(first);
    const agent = startCli(t, ["agent", "--processes", "1", "--id", "stayed"], as(before.urls.agent));
    await agent.line(/agent is ready for runs/);
    first.signal("SIGKILL");
    await first.finished;
    await agent.line(/connection to NATS is lost/);
    const again = ["--listen", `127.0.0.1:${before.port}`, "--data", join(folder, "data"), "--json"];
    const second = startCli(t, ["coordinator", ...again, "--out", join(folder, "runs")]);
    assert.deepEqual(await joiningOf(second), before);
    await agent.line(/connected to NATS again/);
    let listed = "";
    while (!listed.includes("stayed"))
      listed = (await runCli(t, ["agents"], as(before.urls.operator))).stdout;
    const submitted = await submitSmallRun(t, before);
    assert.ok([0, 110].includes(submitted.code ?? -1), submitted.stderr);
    assert.equal(statSync(join(folder, "data", "passwords.json")).mode & 0o077, 0);
  },
);

test("with a certificate the cluster speaks TLS only, to those who know its authority", LIMIT, async (t) => {
  if ((await natsServerOrSkip(t)) === undefined) return;
  const folder = scratch(t);
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(cert, TEST_CERTIFICATE);
  writeFileSync(key, TEST_KEY);
  const files = ["--listen-tlscert", cert, "--listen-tlskey", key, "--listen-tlsca", cert];
  const coordinator = open(t, folder, [...files, "--json"]);
  const joining = await joiningOf(coordinator);
  assert.match(joining.urls.agent, /^tls:\/\//);
  const distrustful = await runCli(t, ["agents"], as(joining.urls.operator));
  assertClearFailure(distrustful, { code: 1, says: /cannot connect to NATS.*certificate/ });
  const plain = await runCli(t, ["agents"], as(joining.urls.operator.replace("tls:", "nats:")));
  assert.equal(plain.code, 1, plain.stdout);
  const env = { NATS_CA: cert };
  const agent = startCli(t, ["agent", "--processes", "1"], as(joining.urls.agent, env));
  await agent.line(/agent is ready for runs/);
  const submitted = await submitSmallRun(t, joining, env);
  assert.ok([0, 110].includes(submitted.code ?? -1), submitted.stderr);
});

test("bad ways to listen are told apart, each in one clear line", LIMIT, async (t) => {
  if ((await natsServerOrSkip(t)) === undefined) return;
  const folder = scratch(t);
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  t.after(() => taken.close());
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const data = ["--data", join(folder, "data"), "--out", join(folder, "runs")];
  const table = [
    [["--listen", `127.0.0.1:${port}`, ...data], 1, new RegExp(`127\\.0\\.0\\.1:${port} is taken`)],
    [["--listen", "203.0.113.7", ...data], 2, /203\.0\.113\.7 is no address of this host/],
    [["--listen", "127.0.0.1:0", "--nats", "nats://h"], 2, /give one of them/],
    [["--listen", "127.0.0.1:0", "--listen-tlscert", "c.pem", ...data], 2, /TLS takes three files/],
    [["--listen", "1:2:3", ...data], 2, /write ADDRESS or ADDRESS:PORT/],
    [["--advertise", "h"], 2, /for a coordinator with --listen/],
    [["--listen", "127.0.0.1:0", "--data", "/proc/none"], 1, /passwords in .* cannot be used/],
  ] as const;
  for (const [args, code, says] of table) {
    assertClearFailure(await runCli(t, ["coordinator", ...args], { env: { NATS_URL: undefined } }), {
      code,
      says,
    });
  }
  const first = open(t, folder, ["--json"]);
  await joiningOf(first);
  const second = await runCli(t, ["coordinator", "--listen", "127.0.0.1:0", ...data]);
  assertClearFailure(second, { code: 1, says: /another coordinator uses the folder/ });
});
