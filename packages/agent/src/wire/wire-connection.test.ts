import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { planFromFlags, requirePlan } from "@tokenstorm/core";
import { systemClock } from "@tokenstorm/protocol";
import {
  CLOSE,
  HANG,
  httpChunk,
  jsonAnswer,
  LAST_CHUNK,
  RESET,
  type Script,
  STREAM_HEAD,
  startScriptedServer,
} from "@tokenstorm/testkit";
import { createWireTarget, type WireTarget } from "./wire-target.js";

async function targetOf(t: TestContext, script: Script, key?: string): Promise<WireTarget> {
  const server = await startScriptedServer(script);
  t.after(() => server.close());
  const plan = requirePlan(
    planFromFlags(`${server.url}/base`, key === undefined ? {} : { apiKeyEnv: "KEY" }),
  );
  return createWireTarget(plan, { env: { KEY: key }, clock: systemClock() });
}

const LIMIT = { limitMs: 10_000 };

test("an answer is kept to the byte, with its headers, pieces and stamps", async (t) => {
  const target = await targetOf(t, ({ path, body }) => [
    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
    STREAM_HEAD,
    httpChunk(`${path} `),
    httpChunk(body),
    LAST_CHUNK,
  ]);
  const pieces: string[] = [];
  const answer = await target.ask(target.request("POST", "/x", { json: { a: 1 } }), {
    ...LIMIT,
    onPiece: (bytes) => pieces.push(bytes.toString()),
  });
  assert.equal(answer.problem, null);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(answer.headers.get("link"), undefined);
  assert.equal(answer.body.toString(), '/base/x {"a":1}');
  assert.equal(pieces.join(""), '/base/x {"a":1}');
  assert.match(answer.received.toString("latin1"), /^HTTP\/1\.1 103 .*\r\n[\s\S]*\r\n0\r\n\r\n$/);
  assert.match(answer.request.toString("latin1"), /^POST \/base\/x HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
  assert.ok(answer.sentUs <= (answer.headersUs ?? 0) && (answer.headersUs ?? 0) <= answer.endUs);
  assert.equal(answer.pieces.at(-1)?.to, answer.body.length);
});

test("one connection carries several exchanges", async (t) => {
  const target = await targetOf(t, ({ connection, nth }) => [jsonAnswer(200, { connection, nth })]);
  const connection = await target.open();
  t.after(() => connection.close());
  for (const nth of [0, 1, 2]) {
    const answer = await connection.ask(target.request("GET", "/"), LIMIT);
    assert.equal(answer.body.toString(), JSON.stringify({ connection: 0, nth }));
    assert.equal(answer.isReused, nth > 0);
    assert.ok(answer.keepsConnection && connection.isOpen);
  }
});

test("a key is sent, and shown neither in the evidence nor in texts", async (t) => {
  const key = "storm-key-0123456789";
  const target = await targetOf(
    t,
    ({ headers }) => [jsonAnswer(200, { heard: headers["authorization"] ?? null })],
    key,
  );
  const withKey = await target.ask(target.request("GET", "/"), LIMIT);
  assert.match(withKey.body.toString(), new RegExp(key));
  assert.ok(!withKey.request.includes(key));
  assert.match(withKey.request.toString(), /authorization: \*\*\*/);
  assert.ok(!target.shown(withKey.body.toString()).includes(key));
  const without = await target.ask(target.request("GET", "/", { withKey: false }), LIMIT);
  assert.equal(without.body.toString(), '{"heard":null}');
});

test("whatever breaks an answer is said, and never waited for", async (t) => {
  const cases: readonly (readonly [Script, RegExp])[] = [
    [() => [STREAM_HEAD, httpChunk("a"), CLOSE], /closed by the server within the answer/],
    [() => [STREAM_HEAD, httpChunk("a"), RESET], /ECONNRESET|closed/],
    [() => ["SMTP ready\r\n"], /no HTTP that can be understood/],
    [() => [CLOSE], /closed by the server/],
    [() => [STREAM_HEAD, httpChunk("a"), HANG], /not over within 50 ms/],
    [() => [`${jsonAnswer(200, {})}more`], /bytes follow the end of the answer/],
  ];
  for (const [script, says] of cases) {
    const target = await targetOf(t, script);
    const answer = await target.ask(target.request("GET", "/"), {
      limitMs: says.source.includes("50 ms") ? 50 : 10_000,
    });
    assert.match(answer.problem ?? "none", says);
  }
});

test("who hangs up gets what came until then", async (t) => {
  const target = await targetOf(t, () => [STREAM_HEAD, httpChunk("first"), HANG]);
  const connection = await target.open();
  const answer = await connection.ask(target.request("GET", "/"), {
    ...LIMIT,
    onPiece: () => connection.close(),
  });
  assert.equal(answer.problem, "closed by us");
  assert.equal(answer.body.toString(), "first");
  const late = await connection.ask(target.request("GET", "/"), LIMIT);
  assert.match(late.problem ?? "", /closed/);
  connection.close();
});
