import assert from "node:assert/strict";
import { readdir, readlink, realpath, symlink, truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { decodeRunRecord, runKey } from "@tokenstorm/protocol";
import { ROUTES, type RouteName } from "./routes.js";
import { ask, askJson } from "./testing/ask.js";
import { DescriptionReader } from "./testing/description.js";
import { World } from "./testing/world.js";

const description = new DescriptionReader();

const PLAN = {
  version: 1,
  name: "nightly",
  target: { urls: ["http://127.0.0.1:8000"] },
  load: { kind: "users", stages: [{ users: 2, durationMs: "1s" }] },
};

function field(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined),
    value,
  );
}

test("a plan that is submitted is in the store, and in the list, with the id of the answer", async (t) => {
  const world = await World.start(t);
  const answer = await askJson(`${world.url}/api/v1/runs`, PLAN);
  assert.equal(answer.status, 201);
  const id = field(description.read("submitRun", answer), "id");
  assert.equal(answer.headers.location, `/api/v1/runs/${id}`);
  const entry = await world.transport.state.get(runKey(String(id)));
  assert.ok(entry !== undefined);
  const record = decodeRunRecord(entry.value);
  assert.deepEqual(
    [record.state, record.name, record.plan.target.urls],
    ["submitted", "nightly", PLAN.target.urls],
  );
  const list = description.read("listRuns", await ask(`${world.url}/api/v1/runs`));
  assert.deepEqual(field(list, "runs", 0, "id"), id);
});

test("every problem of a plan is named in one answer", async (t) => {
  const world = await World.start(t);
  const bad = { ...PLAN, target: {}, seed: "x", laod: 1 };
  const answer = await askJson(`${world.url}/api/v1/runs`, bad);
  assert.equal(answer.status, 422);
  const body = description.read("submitRun", answer);
  assert.equal(field(body, "error", "code"), "PLAN_INVALID");
  const problems = field(body, "error", "problems");
  assert.ok(Array.isArray(problems));
  assert.deepEqual(problems.map((one) => field(one, "path")).sort(), ["laod", "seed", "target.urls"]);
  const other = await askJson(`${world.url}/api/v1/runs`, { ...PLAN, version: 7 });
  assert.equal(field(description.read("submitRun", other), "error", "code"), "PLAN_UNSUPPORTED_VERSION");
  for (const none of [[], 7, null, "plan"]) {
    assert.equal((await askJson(`${world.url}/api/v1/runs`, none)).status, 422, JSON.stringify(none));
  }
  assert.deepEqual(await world.transport.state.keys("run."), []);
});

test("a run is found by the beginning of its id, and one that is not there is a problem of the described form", async (t) => {
  const world = await World.start(t);
  await world.record("abc1");
  await world.record("abd2");
  const found = description.read("getRun", await ask(`${world.url}/api/v1/runs/abc`));
  assert.equal(field(found, "id"), "abc1");
  assert.equal(field(found, "plan", "name"), "nightly");
  for (const name of ["ab", "zzz", "a.b", "%2e%2e", "constructor"]) {
    const answer = await ask(`${world.url}/api/v1/runs/${name}`);
    assert.equal(answer.status, 404, name);
    assert.equal(field(description.read("getRun", answer), "error", "code"), "RUN_UNKNOWN");
  }
});

test("a stop is written into the record, at the level that was asked for", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  for (const level of ["drain", "cut"]) {
    const answer = await askJson(`${world.url}/api/v1/runs/r1/stop`, { level });
    assert.equal(field(description.read("stopRun", answer), "stop", "level"), level);
    const entry = await world.transport.state.get(runKey("r1"));
    assert.ok(entry !== undefined);
    assert.deepEqual(decodeRunRecord(entry.value).stop, { level, reason: "stopped over HTTP" });
  }
  for (const bad of [{}, { level: "now" }, { level: "cut", more: 1 }, "cut"]) {
    const answer = await askJson(`${world.url}/api/v1/runs/r1/stop`, bad);
    assert.equal(answer.status, 400, JSON.stringify(bad));
    description.read("stopRun", answer);
  }
});

test("agents come with how well their clocks are known, without a second of listening", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  await world.beacon();
  world.answerProbes("a2");
  await world.heartbeat("a2", { run: null, state: "idle", vitals: null, ledger: null, problem: null });
  await world.heartbeat("a1");
  const body = description.read("listAgents", await ask(`${world.url}/api/v1/agents`));
  assert.equal(field(body, "coordinator"), "c1");
  assert.deepEqual(
    [0, 1].map((i) => [field(body, "agents", i, "agent"), field(body, "agents", i, "clockErrorUs")]),
    [
      ["a1", 30],
      ["a2", 0],
    ],
  );
  await world.pass(6000);
  const later = description.read("listAgents", await ask(`${world.url}/api/v1/agents`));
  assert.deepEqual(later, { coordinator: null, agents: [] });
});

test("a report is JSON, or text for whoever asks for it", async (t) => {
  const world = await World.start(t);
  const report = await world.endedRun("r1");
  const url = `${world.url}/api/v1/runs/r1/report`;
  assert.deepEqual(description.read("getReport", await ask(url)), JSON.parse(JSON.stringify(report)));
  const asText = [
    await ask(`${url}?format=text`),
    await ask(url, { headers: { accept: "text/plain;q=0.9, text/html" } }),
  ];
  for (const answer of asText) assert.match(String(description.read("getReport", answer)), /^DEGRADED/);
  const asJson = [
    await ask(`${url}?format=json`, { headers: { accept: "text/plain" } }),
    await ask(url, { headers: { accept: "*/*" } }),
  ];
  for (const answer of asJson) assert.equal(field(description.read("getReport", answer), "run", "id"), "r1");
  const wrong = await ask(`${url}?format=html`);
  assert.equal(wrong.status, 400);
  description.read("getReport", wrong);
});

test("a run without a report yet says so", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  const answer = await ask(`${world.url}/api/v1/runs/r1/report`);
  assert.equal(answer.status, 404);
  assert.match(String(field(description.read("getReport", answer), "error", "message")), /it is running/);
});

test("the files of a run are those of the closed list, byte for byte", async (t) => {
  const world = await World.start(t);
  const report = await world.endedRun("r1");
  const url = `${world.url}/api/v1/runs/r1/files`;
  const list = description.read("listFiles", await ask(url));
  const files = field(list, "files");
  assert.ok(Array.isArray(files));
  assert.deepEqual(
    files.map((one) => [field(one, "name"), field(one, "bytes")]),
    [
      ["plan.yaml", 11],
      ["snapshots.ndjson", 0],
      ["report.json", JSON.stringify(report).length],
    ],
  );
  const plan = await ask(`${url}/plan.yaml`);
  assert.deepEqual(
    [description.read("getFile", plan), plan.headers["content-length"]],
    ["version: 1\n", "11"],
  );
  assert.equal(description.read("getFile", await ask(`${url}/snapshots.ndjson`)), "");
  assert.equal((await ask(`${url}/report.json`)).text, JSON.stringify(report));
});

test("the head of a file has its length, and nothing of the file is read for it", async (t) => {
  const world = await World.start(t);
  await world.endedRun("r1");
  const file = join(world.out, "r1", "snapshots.ndjson");
  // A hole: it takes no room, and long to read.
  await truncate(file, 4 * 1024 ** 3);
  const head = await ask(`${world.url}/api/v1/runs/r1/files/snapshots.ndjson`, { method: "HEAD" });
  assert.deepEqual(
    [head.status, head.headers["content-length"], head.headers["content-type"], head.text],
    [200, String(4 * 1024 ** 3), "application/x-ndjson", ""],
  );
  const open = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  assert.ok(!open.includes(await realpath(file)), "it is being read");
  const small = await ask(`${world.url}/api/v1/runs/r1/files/plan.yaml`, { method: "HEAD" });
  assert.equal(small.headers["content-length"], "11");
  const none = await ask(`${world.url}/api/v1/runs/r1/files/events.ndjson`, { method: "HEAD" });
  assert.equal(none.status, 404);
});

test("no name of a file leads anywhere else", async (t) => {
  const world = await World.start(t);
  await world.endedRun("r1");
  await symlink("/etc/hostname", join(world.out, "r1", "run.json"));
  const names = [
    "secret.txt",
    "..%2fsecret.txt",
    "%2e%2e%2fr1%2fsecret.txt",
    "plan.yaml%00",
    "run.json",
    "PLAN.YAML",
  ];
  for (const name of [
    ...names,
    "%2Fetc%2Fpasswd",
    "..%5c..%5cplan.yaml",
    "../secret.txt",
    "%2e%2e/plan.yaml",
  ]) {
    const answer = await ask(`${world.url}/api/v1/runs/r1/files/${name}`);
    assert.equal(answer.status, 404, `${name}: ${answer.text}`);
    description.read("getFile", answer);
  }
  const list = await ask(`${world.url}/api/v1/runs/r1/files`);
  assert.doesNotMatch(list.text, /secret|run\.json/);
});

test("files of a run that was led elsewhere are not looked for where its record says", async (t) => {
  const world = await World.start(t);
  await world.endedRun("r1");
  await world.record("r2", { result: { directory: join(world.out, "r1"), reportBlob: null } });
  for (const [path, route] of [
    ["files", "listFiles"],
    ["files/plan.yaml", "getFile"],
  ] as const) {
    const answer = await ask(`${world.url}/api/v1/runs/r2/${path}`);
    assert.equal(answer.status, 404);
    assert.equal(field(description.read(route, answer), "error", "code"), "RESULTS_UNREADABLE");
  }
});

test("health is that of this coordinator: its own beacon comes back, and lately", async (t) => {
  const world = await World.start(t);
  const health = async () => {
    const answer = await ask(`${world.url}/healthz`);
    return { status: answer.status, body: description.read("health", answer) };
  };
  const before = await health();
  assert.deepEqual([before.status, field(before.body, "error", "code")], [503, "NOT_LEADING"]);
  await world.beacon();
  assert.deepEqual(await health(), { status: 200, body: { status: "leading", leader: "c1", term: 3 } });
  await world.pass(6000);
  assert.match(String(field((await health()).body, "error", "message")), /no beacon/);
  await world.beacon({ leader: "c2", leaderInstance: "c2-1", term: 4 });
  assert.match(String(field((await health()).body, "error", "message")), /coordinator c2 leads/);
});

test("health names the bus once its connection is lost", async (t) => {
  const world = await World.start(t);
  await world.beacon();
  await world.own.close();
  await world.pass(1);
  const answer = await ask(`${world.url}/healthz`);
  assert.equal(answer.status, 503);
  assert.match(answer.text, /the connection to NATS is closed/);
  const runs = await ask(`${world.url}/api/v1/runs`);
  assert.equal(field(description.read("listRuns", runs), "error", "code"), "BUS_UNAVAILABLE");
});

test("the description describes every route that answers, and names no schema that it does not have", async (t) => {
  const world = await World.start(t);
  const answer = await ask(`${world.url}/openapi.json`);
  const document = description.read("describe", answer);
  assert.equal(field(document, "openapi"), "3.1.0");
  assert.deepEqual(field(document, "security"), []);
  const schemas = field(document, "components", "schemas");
  assert.ok(typeof schemas === "object" && schemas !== null);
  for (const [, name = ""] of answer.text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    assert.ok(Object.hasOwn(schemas, name), name);
  }
  const described = Object.entries(field(document, "paths") ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const isName = (name: string): name is RouteName => Object.hasOwn(ROUTES, name);
  const routes = Object.keys(ROUTES).filter(isName);
  assert.deepEqual(
    described.sort(),
    routes.map((name) => `${ROUTES[name].method} ${ROUTES[name].path}`).sort(),
  );
});
