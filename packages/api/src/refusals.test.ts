import assert from "node:assert/strict";
import { request as openRequest } from "node:http";
import { test } from "node:test";
import { LOAD_ERROR_CODES, LoadError } from "@tokenstorm/core";
import { API_LIMITS } from "./limits.js";
import { refusalOf } from "./problem.js";
import type { RouteName } from "./routes.js";
import { type Asked, ask, askJson, askRaw } from "./testing/ask.js";
import { DescriptionReader } from "./testing/description.js";
import { World } from "./testing/world.js";

const description = new DescriptionReader();

/** Checks the form of a problem and gives its code. */
function codeOf(answer: Asked): string {
  const body: unknown = JSON.parse(answer.text);
  description.check("Problem", body);
  return JSON.parse(answer.text).error.code;
}

const refused = (answer: Asked): readonly [number, string] => [answer.status, codeOf(answer)];

test("with a token nothing but health is answered without it, and a wrong one is as good as none", async (t) => {
  const world = await World.start(t, { token: "sesame" });
  await world.beacon();
  const paths: readonly (readonly [string, RouteName])[] = [
    ["/api/v1/runs", "listRuns"],
    ["/api/v1/runs/r1", "getRun"],
    ["/api/v1/runs/r1/live", "watchRun"],
    ["/api/v1/runs/r1/files/plan.yaml", "getFile"],
    ["/api/v1/agents", "listAgents"],
    ["/metrics", "metrics"],
    ["/openapi.json", "describe"],
  ];
  const wrong = [
    "Bearer sesamE",
    "Bearer sesame1",
    "Bearer ",
    "Basic sesame",
    "sesame",
    "Bearer sesame sesame",
  ];
  for (const [path, route] of paths) {
    const none = await ask(world.url + path);
    description.read(route, none);
    assert.deepEqual(refused(none), [401, "TOKEN_WRONG"], path);
    assert.match(none.headers["www-authenticate"] ?? "", /^Bearer/);
  }
  for (const authorization of wrong) {
    const answer = await ask(`${world.url}/metrics`, { headers: { authorization } });
    assert.deepEqual(refused(answer), [401, "TOKEN_WRONG"], authorization);
  }
  assert.deepEqual(refused(await ask(`${world.url}/nowhere`)), [401, "TOKEN_WRONG"]);
  assert.equal((await ask(`${world.url}/healthz`)).status, 200);
  for (const authorization of ["Bearer sesame", "bearer  sesame"]) {
    assert.equal((await ask(`${world.url}/metrics`, { headers: { authorization } })).status, 200);
  }
});

test("a Host header that is none of ours is misdirected, with health too", async (t) => {
  const world = await World.start(t, { hostNames: ["Load.example.org"] });
  await world.beacon();
  const ours = [
    "localhost",
    "LOCALHOST:1",
    "127.0.0.1",
    "127.0.0.1:7373",
    "[::1]:80",
    "load.example.org:8080",
  ];
  for (const host of ours) {
    assert.equal((await ask(`${world.url}/healthz`, { headers: { host } })).status, 200, host);
  }
  const others = ["evil.example.org", "localhost.evil.org", "127.0.0.1.evil.org", "10.0.0.1", "[::2]", "a b"];
  for (const host of [...others, "user@localhost", "localhost:99999999", "127.0.0.2"]) {
    const answer = await ask(`${world.url}/healthz`, { headers: { host } });
    description.read("health", answer);
    assert.equal(answer.status, 421, host);
    assert.equal(codeOf(answer), "HOST_UNKNOWN");
  }
  const none = await askRaw(world.url, "GET /healthz HTTP/1.0\r\n\r\n");
  assert.match(none, /^HTTP\/1\.1 421 /);
});

test("where every address is listened on, the one that was asked is a host of ours, and no other is", async (t) => {
  const world = await World.start(t, { address: { host: "0.0.0.0", port: 0, orAnyPort: false }, token: "t" });
  await world.beacon();
  const url = world.url.replace("0.0.0.0", "127.0.0.2");
  assert.equal((await ask(`${url}/healthz`, { headers: { host: "127.0.0.2" } })).status, 200);
  assert.equal((await ask(`${url}/healthz`, { headers: { host: "127.0.0.3" } })).status, 421);
});

test("a page of another site cannot change anything, though it asks from this machine", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  const { host } = new URL(world.url);
  const stop = (headers: Record<string, string>) =>
    askJson(`${world.url}/api/v1/runs/r1/stop`, { level: "cut" }, headers);
  const others: readonly Record<string, string>[] = [
    { origin: "http://evil.example.org" },
    { origin: "null" },
    { origin: "http://localhost:1" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site", origin: `http://${host}` },
    { "sec-fetch-site": "same-origin", origin: "https://evil.example.org" },
  ];
  for (const headers of others) {
    const answer = await stop(headers);
    description.read("stopRun", answer);
    assert.deepEqual(refused(answer), [403, "CROSS_SITE"], JSON.stringify(headers));
  }
  // A form of another site needs no leave of ours to send one of these; and it is no JSON.
  const form = await ask(`${world.url}/api/v1/runs/r1/stop`, {
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: '{"level":"cut"}',
  });
  assert.deepEqual(refused(form), [415, "NOT_JSON"]);
  const reading = await ask(`${world.url}/api/v1/runs`, { headers: { origin: "http://evil.example.org" } });
  assert.equal(reading.status, 200);
  assert.equal(reading.headers["access-control-allow-origin"], undefined);
  const record = JSON.parse((await ask(`${world.url}/api/v1/runs/r1`)).text);
  assert.equal(record.stop.level, "none");
  const own = await stop({ origin: `http://${host}`, "sec-fetch-site": "same-origin" });
  assert.equal(own.status, 200);
});

test("what is no plan in JSON is refused by what it is instead", async (t) => {
  const world = await World.start(t);
  const post = (type: string | undefined, body: string) =>
    ask(`${world.url}/api/v1/runs`, {
      method: "POST",
      headers: type === undefined ? {} : { "content-type": type },
      body,
    });
  const table: readonly (readonly [string | undefined, string, number, string])[] = [
    ["application/json", "{", 400, "BAD_REQUEST"],
    ["application/json", "", 400, "BAD_REQUEST"],
    ["application/json", '{"__proto__": {"a": 1}}', 400, "BAD_REQUEST"],
    ["application/yaml", "version: 1", 415, "NOT_JSON"],
    ["application/x-www-form-urlencoded", "a=1", 415, "NOT_JSON"],
    [undefined, "{}", 415, "NOT_JSON"],
    [undefined, "", 422, "PLAN_INVALID"],
    ["application/json; charset=utf-8", "{}", 422, "PLAN_INVALID"],
  ];
  for (const [type, body, status, code] of table) {
    const answer = await post(type, body);
    description.read("submitRun", answer);
    assert.deepEqual(refused(answer), [status, code], `${type} ${body}`);
  }
});

test("a body over the limit is refused before it is read to its end", async (t) => {
  const world = await World.start(t);
  const answer = await new Promise<Asked>((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": API_LIMITS.bodyBytes + 1 };
    const asking = openRequest(`${world.url}/api/v1/runs`, { method: "POST", headers }, (response) => {
      response.setEncoding("utf8").on("data", (text: string) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        asking.destroy();
      });
    });
    asking.on("error", reject);
    // Not one byte of the body is sent: its length alone is too much.
    asking.flushHeaders();
  });
  description.read("submitRun", answer);
  assert.deepEqual(refused(answer), [413, "BODY_TOO_LARGE"]);
  assert.match(answer.text, /larger than 1 MiB.*"hint":"a plan .*shorten/);
  const below = await askJson(`${world.url}/api/v1/runs`, { note: "x".repeat(API_LIMITS.bodyBytes - 100) });
  assert.equal(below.status, 422);
});

test("a plan below that limit that is too long for a message says which part to shorten", async (t) => {
  const world = await World.start(t);
  // What a plan leaves out is written into its record: this one grows.
  const stages = Array.from({ length: 1000 }, () => ({ users: 1, durationMs: 1000 }));
  const plan = {
    version: 1,
    target: { urls: Array.from({ length: 530 }, () => `http://h/${"x".repeat(1900)}`) },
    load: { kind: "users", stages },
  };
  const answer = await askJson(`${world.url}/api/v1/runs`, plan);
  description.read("submitRun", answer);
  assert.deepEqual(refused(answer), [422, "PLAN_INVALID"]);
  assert.match(answer.text, /over the limit of .*"hint":"shorten target\.urls: it is most of the plan"/);
});

test("a path that is not there is 404, a method that its path does not know 405 with those it does", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  for (const path of ["/", "/api/v1", "/api/v1/runs/", "/api/v2/runs", "/api/v1/runs/r1/stop/x", "//"]) {
    assert.equal((await ask(world.url + path)).status, 404, path);
  }
  assert.deepEqual(refused(await ask(`${world.url}/nowhere`)), [404, "NOT_FOUND"]);
  const table: readonly (readonly [string, string, string])[] = [
    ["DELETE", "/api/v1/runs", "GET, HEAD, POST"],
    ["PUT", "/api/v1/runs/r1", "GET, HEAD"],
    ["GET", "/api/v1/runs/r1/stop", "POST"],
    ["OPTIONS", "/api/v1/runs", "GET, HEAD, POST"],
    ["POST", "/healthz", "GET, HEAD"],
    ["POST", "/metrics", "GET, HEAD"],
    ["PATCH", "/api/v1/runs/r1/files/plan.yaml", "GET, HEAD"],
  ];
  for (const [method, path, allow] of table) {
    const answer = await ask(world.url + path, { method, body: method === "POST" ? "{" : undefined });
    assert.deepEqual(refused(answer), [405, "METHOD_NOT_ALLOWED"], `${method} ${path}`);
    assert.equal(answer.headers.allow, allow, path);
  }
  const head = await ask(`${world.url}/api/v1/runs/r1/live`, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.allow], [405, "GET"]);
});

test("what is no HTTP, or has endless headers, is answered with a problem and closed", async (t) => {
  const world = await World.start(t);
  const garbage = await askRaw(world.url, "hello there\r\n\r\n");
  assert.match(garbage, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*"code":"BAD_REQUEST"/);
  const long = await askRaw(
    world.url,
    `GET / HTTP/1.1\r\nHost: localhost\r\nA: ${"x".repeat(20_000)}\r\n\r\n`,
  );
  assert.match(long, /^HTTP\/1\.1 431 [\s\S]*"code":"HEADERS_TOO_LARGE"/);
  const bad = await askRaw(world.url, "GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  assert.match(bad, /^HTTP\/1\.1 400 [\s\S]*"code":"BAD_REQUEST"/);
});

test("a connection beyond the bound is not taken", async (t) => {
  const world = await World.start(t, { limits: { connections: 1 } });
  await world.record("r1");
  const stream = openRequest(`${world.url}/api/v1/runs/r1/live`, { agent: false });
  const begun = new Promise((resolve) => stream.on("response", resolve));
  stream.on("error", () => undefined);
  stream.end();
  await begun;
  await assert.rejects(ask(`${world.url}/healthz`), /socket hang up|ECONNRESET/);
  stream.destroy();
});

test("every operational error has a status, and a bug says nothing of the inside", () => {
  for (const code of LOAD_ERROR_CODES) {
    const { status, body } = refusalOf(new LoadError(code, "why", { hint: "what to do" }));
    assert.ok(status >= 400 && status < 600);
    assert.deepEqual(body, { error: { code, message: "why", hint: "what to do" } });
  }
  const bug = refusalOf(new TypeError("secret is not a function"));
  assert.equal(bug.status, 500);
  assert.doesNotMatch(JSON.stringify(bug.body), /secret/);
});

test("a bug in a handler is one clear answer, and a line in the log with its stack", async (t) => {
  const world = await World.start(t, {
    runDirectory: () => {
      throw new TypeError("a secret thing");
    },
  });
  await world.record("r1");
  const answer = await ask(`${world.url}/api/v1/runs/r1/files`);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(JSON.stringify(description.read("listFiles", answer)), /secret/);
  assert.match(world.logged.join("\n"), /error a bug: GET \/api\/v1\/runs\/:run\/files failed/);
});

test("without a token it listens on loopback and nowhere else", async (t) => {
  for (const host of ["0.0.0.0", "::", "10.0.0.1"]) {
    const address = { host, port: 0, orAnyPort: true };
    await assert.rejects(World.start(t, { address }), /needs a token to listen on/, host);
  }
  const world = await World.start(t, { address: { host: "127.9.9.9", port: 0, orAnyPort: false } });
  assert.match(world.url, /127\.9\.9\.9/);
});

test("a port that is taken is an error with a hint, or another port where that was allowed", async (t) => {
  const first = await World.start(t);
  const port = Number(new URL(first.url).port);
  const address = { host: "127.0.0.1", port };
  await assert.rejects(
    World.start(t, { address: { ...address, orAnyPort: false } }),
    (error: unknown) =>
      error instanceof LoadError && /cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)/.test(error.message),
  );
  const second = await World.start(t, { address: { ...address, orAnyPort: true } });
  assert.notEqual(second.url, first.url);
  assert.match(second.logged.join("\n"), /warn .* is taken/);
});
