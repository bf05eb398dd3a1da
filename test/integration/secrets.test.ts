import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connectNats, rolePermissions } from "@tokenstorm/protocol/nats";
import { type Finished, type Running, runCli, scratch, startCli, startSimulator } from "./cli.js";
import { startAgent, startCoordinator, startNats, type TestNats } from "./cluster.js";
import { commandLines, Evidence, formsOf, type Secrets } from "./leaks.js";

/** Characters that every encoding treats differently. */
const secret = (name: string) => `${name}+${randomBytes(9).toString("hex")}/~%41=?:@end`;

const ROLES = ["coordinator", "agent", "operator", "viewer", "admin"] as const;
type Role = (typeof ROLES)[number];

const load = (target: object, change: object = {}) =>
  JSON.stringify({
    version: 1,
    target,
    workload: { inputTokens: 16, outputTokens: 8 },
    load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 1500 }] },
    warmUp: { requests: 4 },
    ...change,
  });

/** Everything that the commands of this test say, kept under their names. */
class Stage {
  readonly evidence = new Evidence();
  readonly t: TestContext;
  readonly nats: TestNats;
  readonly passwords: Readonly<Record<Role, string>>;

  constructor(t: TestContext, nats: TestNats, passwords: Readonly<Record<Role, string>>) {
    this.t = t;
    this.nats = nats;
    this.passwords = passwords;
  }

  as(role: Role, more: Record<string, string> = {}): Record<string, string> {
    return { NATS_URL: this.nats.url, NATS_USER: role, NATS_PASSWORD: this.passwords[role], ...more };
  }

  async command(args: readonly string[], env: Record<string, string>, input = ""): Promise<Finished> {
    const result = await runCli(this.t, [...args, "--debug"], { env, input });
    this.keep(args.join(" "), result);
    return result;
  }

  keep(name: string, { stdout, stderr }: Finished): void {
    this.evidence.add(`stdout of ${name}`, stdout);
    this.evidence.add(`stderr of ${name}`, stderr);
  }

  async keepOnceEnded(name: string, running: Running): Promise<Finished> {
    const result = await running.finished;
    this.keep(name, result);
    return result;
  }
}

test("every form of a secret is found where one stands", () => {
  const secrets: Secrets = { "the key": secret("self") };
  const value = secrets["the key"] ?? "";
  for (const [name, form] of Object.entries(formsOf(value))) {
    const evidence = new Evidence();
    evidence.add("a log", `before ${form} after`);
    assert.ok(evidence.leaks(secrets).length > 0, name);
  }
  for (const before of ["", "u", "us", "user:", "Bearer "]) {
    const evidence = new Evidence();
    evidence.add("a message", Buffer.from(`${before}${value}!`).toString("base64"));
    assert.ok(evidence.leaks(secrets).length > 0, before);
  }
  const clean = new Evidence();
  clean.add("a log", "nothing here");
  assert.deepEqual(clean.leaks(secrets), []);
});

test("no secret is seen in a message, a log, a file or a command line, whatever a run comes to", {
  timeout: 240_000,
}, async (t) => {
  const passwords = Object.fromEntries(ROLES.map((role) => [role, secret(role)])) as Record<Role, string>;
  const keys = {
    good: secret("key"),
    wrong: secret("wrongkey"),
    http: secret("http"),
    natsWrong: secret("wrongnats"),
  };
  const users = ROLES.map((role) => ({
    user: role,
    password: passwords[role],
    ...(role === "admin" ? {} : rolePermissions(role)),
  }));
  const nats = await startNats(t, users);
  if (nats === undefined) return;
  const stage = new Stage(t, nats, passwords);
  const { evidence } = stage;
  const secrets: Secrets = {
    ...Object.fromEntries(ROLES.map((role) => [`the password of the ${role}`, passwords[role]])),
    "the target's key": keys.good,
    "a wrong key": keys.wrong,
    "the HTTP token": keys.http,
    "a wrong NATS password": keys.natsWrong,
  };

  const admin = await connectNats({
    servers: [nats.url],
    name: "listener",
    role: "coordinator",
    user: "admin",
    password: passwords.admin,
  });
  t.after(() => admin.close());
  admin.bus.subscribe(">", ({ subject, data }) => {
    // The server's own: it names a refused token as the user who was refused.
    if (subject.startsWith("$SYS.")) return;
    evidence.add("messages", subject);
    evidence.add("messages", data);
  });
  await admin.bus.flush({ timeoutMs: 2000 });

  const out = scratch(t);
  const folder = scratch(t);
  const keyFile = join(folder, "key");
  writeFileSync(keyFile, `${keys.good}\n`);
  const simulator = await startSimulator(t, ["--time-scale", "5", "--api-key-env", "SIM_KEY"], {
    SIM_KEY: keys.good,
  });
  const debug = ["--log-level", "debug", "--debug"];
  const coordinator = await startCoordinator(t, nats, ["--out", out, ...debug], {
    env: stage.as("coordinator", { TOKENSTORM_HTTP_TOKEN: keys.http }),
  });
  const spool = join(folder, "spool");
  // As a person may type it, though it then stands on that one command line: on no other.
  const address = `nats://agent:${encodeURIComponent(passwords.agent)}@${new URL(nats.url).host}`;
  const agent = await startAgent(
    t,
    nats,
    ["--nats", address, "--id", "a", "--processes", "2", "--spool", spool, ...debug],
    { env: { GOOD_KEY: keys.good, WRONG_KEY: keys.wrong } },
  );

  const submit = (plan: string, more: readonly string[] = []) =>
    stage.command(
      ["submit", "-", "--wait", "--ui", "plain", "--out", join(folder, "kept"), ...more],
      stage.as("operator"),
      plan,
    );
  const target = { urls: [simulator.url] };

  const tail = startCli(t, ["tail", "--wait", "--json", "--debug"], { env: stage.as("viewer") });
  await tail.line(/waiting for it to begin/);
  const byEnv = submit(load({ ...target, apiKeyEnv: "GOOD_KEY" }));
  await agent.line(/agent is running/);
  const lines = commandLines();
  assert.ok([...lines.values()].filter((line) => / agent .*--id a-[12] /.test(line)).length === 2);
  for (const [pid, line] of lines) if (pid !== agent.pid) evidence.add("command lines", line);
  assertCarriedOut(await byEnv);
  assert.equal((await stage.keepOnceEnded("tail", tail)).code, 0);
  const byFile = await submit(load({ ...target, apiKeyFile: keyFile }), ["--json"]);
  assertCarriedOut(byFile);

  const refused = await submit(load({ ...target, apiKeyEnv: "WRONG_KEY" }));
  assert.match(refused.stderr, /refuses the API key of environment variable WRONG_KEY/);
  const missing = await submit(load(target));
  assert.match(missing.stderr, /wants an API key/);
  const inUrl = await submit(load({ urls: [`http://me:${encodeURIComponent(keys.wrong)}@127.0.0.1:1`] }));
  assert.equal(inUrl.code, 104, inUrl.stderr);
  const inMetrics = await submit(
    load(target, { metricsUrls: [`http://me:${encodeURIComponent(keys.wrong)}@127.0.0.1:1`] }),
  );
  assert.equal(inMetrics.code, 104, inMetrics.stderr);
  const asName = await submit(load({ ...target, apiKeyEnv: keys.wrong }));
  assert.equal(asName.code, 104, asName.stderr);

  for (const key of ["GOOD_KEY", "WRONG_KEY"]) {
    for (const json of [[], ["--json"]])
      await stage.command(["probe", simulator.url, "--api-key-env", key, ...json], {
        [key]: key === "GOOD_KEY" ? keys.good : keys.wrong,
      });
  }
  const reports = ["text", "json"].flatMap((format) => [
    ["report", "--format", format, "--out", out],
    ["report", "--format", format, "--nats", nats.url],
  ]);
  await Promise.all(
    [["agents"], ["agents", "--json"], ["runs"], ["runs", "--json"], ...reports].map(async (args) => {
      const { code, stderr } = await stage.command(args, stage.as("operator"));
      assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    }),
  );
  await wrongPasswords(stage, keys.natsWrong);
  const { http }: { http: string } = JSON.parse(await coordinator.line(/"http":/));
  await overHttp(stage, http, keys);

  // Last, a run whose results nobody takes: they end in spool files.
  const lost = await stage.command(
    ["submit", "-", "--json"],
    stage.as("operator"),
    load(
      { ...target, apiKeyEnv: "GOOD_KEY" },
      {
        load: { kind: "users", stages: [{ users: 4, durationMs: 60_000 }] },
        deliverMs: 1000,
        gracePeriodMs: 1000,
      },
    ),
  );
  const { run }: { run: string } = JSON.parse(lost.stdout);
  await agent.line(new RegExp(`"run":"${run}".*agent is running`));
  await admin.close();
  await nats.server.close();
  agent.signal("SIGTERM");
  await stage.keepOnceEnded("the agents", agent);
  coordinator.signal("SIGTERM");
  await stage.keepOnceEnded("the coordinator", coordinator);
  await simulator.stop();
  await stage.keepOnceEnded("the simulator", simulator.process);

  evidence.addFolder("run directories", out);
  evidence.addFolder("kept reports", join(folder, "kept"));
  evidence.addFolder("spool files", spool);
  evidence.addFolder("JetStream's files", join(nats.dataDir, "jetstream"));
  evidence.addFolder("the truth log", join(simulator.truthFile, ".."));
  // A place that is empty would prove nothing.
  for (const place of [
    "messages",
    "HTTP answers",
    "command lines",
    "run directories",
    "kept reports",
    "spool files",
    "JetStream's files",
    "the truth log",
    "stderr of the agents",
    "stderr of the coordinator",
  ])
    assert.ok(evidence.bytes(place) > 100, `${place}: ${evidence.bytes(place)} bytes were looked through`);
  assert.deepEqual(evidence.leaks(secrets), []);
});

/** To its end; whether this machine's timing makes the result valid is not asked here. */
function assertCarriedOut({ code, stdout, stderr }: Finished): void {
  assert.ok(code === 0 || code === 110, stderr);
  assert.match(stdout, /completed|valid/);
}

/** What the API answers to the right token, to a wrong one, and to one that stands in the address. */
async function overHttp(
  { evidence }: Stage,
  url: string,
  keys: { readonly http: string; readonly wrong: string },
): Promise<void> {
  const ask = async (path: string, token: string): Promise<number> => {
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    evidence.add("HTTP answers", `${JSON.stringify([...answer.headers])} ${await answer.text()}`);
    return answer.status;
  };
  for (const path of ["/metrics", "/api/v1/runs", "/api/v1/agents"]) {
    assert.equal(await ask(path, keys.http), 200, path);
    assert.equal(await ask(path, keys.wrong), 401, path);
  }
  await ask(`/metrics?token=${encodeURIComponent(keys.http)}`, keys.wrong);
}

/** A password that is refused, and addresses with one that are no addresses: none is repeated. */
async function wrongPasswords(stage: Stage, wrong: string): Promise<void> {
  const address = new URL(stage.nats.url).host;
  const coded = encodeURIComponent(wrong);
  const envs: Record<string, string>[] = [
    { NATS_URL: stage.nats.url, NATS_USER: "operator", NATS_PASSWORD: wrong },
    { NATS_URL: stage.nats.url, NATS_TOKEN: wrong },
    { NATS_URL: `nats://operator:${coded}@${address}` },
    { NATS_URL: `operator:${coded}@${address}` },
    { NATS_URL: `nats://operator:${coded}@${address}/path` },
    { NATS_URL: `operator:${coded}@${address}/path` },
    { NATS_URL: `http://operator:${coded}@${address}` },
    { NATS_URL: `nats://operator:${coded}@127.0.0.1:1` },
    { NATS_URL: `nats://${coded}@${address}` },
    // Not encoded, as a person would paste it.
    { NATS_URL: `nats://operator:${wrong}@${address}` },
    { NATS_URL: `operator:${wrong}@${address}` },
  ];
  await Promise.all(
    envs.map(async (env) => {
      const result = await stage.command(["agents"], env);
      assert.equal(result.code, 1, `${Object.keys(env).join(" ")}: ${result.stderr}`);
    }),
  );
}
