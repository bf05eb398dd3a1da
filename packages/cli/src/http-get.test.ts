import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LoadError, parseTargetRule } from "@tokenstorm/core";
import { type Script, type ScriptedServer, startScriptedServer } from "@tokenstorm/testkit";
import { createHttpGet } from "./http-get.js";

const LIMIT = { timeoutMs: 2000 };

function getWith(...texts: string[]) {
  return createHttpGet(
    texts.map((text) => {
      const rule = parseTargetRule(text);
      assert.ok(!("problem" in rule), text);
      return rule;
    }),
  );
}

async function serverWith(t: TestContext, script: Script): Promise<ScriptedServer> {
  const server = await startScriptedServer(script);
  t.after(() => server.close());
  return server;
}

const answer = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const redirect = (to: string) => `HTTP/1.1 302 Found\r\nlocation: ${to}\r\ncontent-length: 0\r\n\r\n`;

test("a page is read, also behind a redirect on the way", async (t) => {
  const server = await serverWith(t, ({ path }) => [
    path === "/metrics" ? answer("up 1") : redirect("/metrics"),
  ]);
  for (const get of [getWith(), getWith("127.0.0.0/8")]) {
    assert.deepEqual(await get(`${server.url}/old`, LIMIT), { status: 200, body: "up 1" });
  }
});

test("a status is an answer, whatever it is", async (t) => {
  const server = await serverWith(t, () => ["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"]);
  assert.deepEqual(await getWith()(server.url, LIMIT), { status: 503, body: "" });
});

test("what no rule allows is not asked, and the reason names it", async (t) => {
  const server = await serverWith(t, () => [answer("secret")]);
  await assert.rejects(getWith("10.0.0.0/8", "*.lab.example")(`${server.url}/metrics`, LIMIT), (error) => {
    assert.ok(error instanceof LoadError);
    assert.equal(
      error.message,
      `the coordinator may not connect to ${server.url}: it is allowed 10.0.0.0/8, *.lab.example`,
    );
    return true;
  });
  assert.equal(server.accepted, 0);
});

test("a redirect does not lead out of what is allowed", async (t) => {
  const hidden = await serverWith(t, () => [answer("secret")]);
  const place = `http://127.0.0.2:${hidden.port}/latest`;
  const open = await serverWith(t, () => [redirect(place)]);
  await assert.rejects(getWith("127.0.0.1")(open.url, LIMIT), /may not connect to http:\/\/127\.0\.0\.2/);
  assert.equal(hidden.accepted, 0);
});

test("a name is followed to allowed addresses alone, unless it is named itself", async (t) => {
  const server = await serverWith(t, () => [answer("up 1")]);
  const url = `http://localhost:${server.port}/`;
  await assert.rejects(
    getWith("10.0.0.0/8")(url, LIMIT),
    /localhost:\d+, which is .*127\.0\.0\.1.*: it is allowed/,
  );
  assert.equal(server.accepted, 0);
  for (const rule of ["127.0.0.0/8", "localhost"]) {
    assert.equal((await getWith(rule)(url, LIMIT)).body, "up 1", rule);
  }
});

test("redirects in a circle, and to what is no URL, are given up", async (t) => {
  const circle = await serverWith(t, () => [redirect("/again")]);
  await assert.rejects(getWith()(circle.url, LIMIT), /redirects more than 5 times/);
  assert.equal(circle.requests.length, 6);
  const file = await serverWith(t, () => [redirect("file:///etc/passwd")]);
  await assert.rejects(getWith()(file.url, LIMIT), /redirects to what is no http URL/);
});

test("no answer, and nobody there, are told in words", async (t) => {
  const silent = await serverWith(t, () => [{ kind: "wait", until: new Promise(() => undefined) }]);
  await assert.rejects(getWith()(silent.url, { timeoutMs: 50 }), /^Error: no answer within 50 ms$/);
  await silent.close();
  await assert.rejects(getWith()(silent.url, LIMIT), /^Error: connection refused$/);
});
