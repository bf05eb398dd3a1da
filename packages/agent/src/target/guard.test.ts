import assert from "node:assert/strict";
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { type TestContext, test } from "node:test";
import { LoadError, parseTargetRule, type TargetRule } from "@tokenstorm/core";
import { systemClock } from "@tokenstorm/protocol";
import { aPlan, type ScriptedServer, startScriptedServer, VirtualClock } from "@tokenstorm/testkit";
import { outcomeWord, send } from "../testing/recording-sink.js";
import { createEndpoints } from "./endpoint.js";
import { type ConnectError, openSocket } from "./open-socket.js";
import { createUndiciTarget } from "./undici-target.js";

function rulesOf(texts: readonly string[]): TargetRule[] {
  return texts.map((text) => {
    const rule = parseTargetRule(text);
    assert.ok(!("problem" in rule), text);
    return rule;
  });
}

/** Answers everything with 404: a preflight that reaches it fails too, in its own words. */
async function anyServer(t: TestContext): Promise<ScriptedServer> {
  const server = await startScriptedServer(() => ["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]);
  t.after(() => server.close());
  return server;
}

function targetOf(t: TestContext, urls: string[], rules: readonly string[], apiKeyEnv?: string) {
  const key = apiKeyEnv === undefined ? {} : { apiKeyEnv };
  const plan = aPlan({ target: { urls, model: "m", ...key }, timeouts: { connectMs: 1000, ttftMs: 200 } });
  const guard = { rules: rulesOf(rules), agent: "a1" };
  const made = createUndiciTarget({ plan, slots: 1, env: {} }, systemClock(), guard);
  t.after(() => made.close());
  return made;
}

async function refusal(work: Promise<unknown>): Promise<LoadError> {
  const error = await work.then(
    () => assert.fail("nothing was refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LoadError, String(error));
  return error;
}

/** What the name service answers, question by question; the last answer stays. */
function answersOfNames(
  t: TestContext,
  answers: readonly (readonly string[] | "fails")[],
): { asked: number } {
  const seen = { asked: 0 };
  t.mock.method(dns, "lookup", async () => {
    const answer = answers[Math.min(seen.asked++, answers.length - 1)] ?? "fails";
    if (answer === "fails") throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
    return answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return seen;
}

test("a target that no rule allows is refused before a byte is sent, naming URL, agent and rules", async (t) => {
  const server = await anyServer(t);
  const target = targetOf(t, [server.url], ["10.0.0.0/8", "*.lab.example"], "NO_SUCH_KEY");
  const error = await refusal(target.preflight());
  assert.equal(error.code, "AGENT_NOT_READY");
  assert.equal(
    error.message,
    `agent a1 may not send to ${server.url}: it is allowed 10.0.0.0/8, *.lab.example`,
  );
  assert.match(error.hint ?? "", /--allow-target/);
  assert.equal(server.accepted, 0);
});

test("one forbidden URL among several is enough, and the others hear nothing either", async (t) => {
  const server = await anyServer(t);
  const forbidden = `http://127.0.0.2:${server.port}`;
  const error = await refusal(targetOf(t, [server.url, forbidden], ["127.0.0.1"]).preflight());
  assert.match(error.message, /may not send to http:\/\/127\.0\.0\.2/);
  assert.equal(server.accepted, 0);
});

test("a target that a rule allows is asked as ever", async (t) => {
  const server = await anyServer(t);
  const error = await refusal(targetOf(t, [server.url], ["127.0.0.0/8"]).preflight());
  assert.doesNotMatch(error.message, /may not send/);
  assert.ok(server.requests.length > 0);
});

test("a name goes by the addresses that it resolves to, where no rule names it", async (t) => {
  const server = await anyServer(t);
  answersOfNames(t, [["127.0.0.1"]]);
  const url = `http://gpu.test:${server.port}`;
  const error = await refusal(targetOf(t, [url], ["10.0.0.0/8"]).preflight());
  assert.equal(error.code, "AGENT_NOT_READY");
  assert.match(error.message, /gpu\.test:\d+, which is 127\.0\.0\.1: it is allowed 10\.0\.0\.0\/8/);
  assert.equal(server.accepted, 0);
  for (const rule of ["127.0.0.0/8", "gpu.test", "*.test"]) {
    const before = server.requests.length;
    await refusal(targetOf(t, [url], [rule]).preflight());
    assert.ok(server.requests.length > before, rule);
  }
});

test("of several addresses only the allowed ones are connected to", async (t) => {
  const server = await anyServer(t);
  answersOfNames(t, [["127.0.0.2", "127.0.0.1"]]);
  const [endpoint] = createEndpoints(
    aPlan({ target: { urls: [`http://gpu.test:${server.port}`] } }).target,
    rulesOf(["127.0.0.1"]),
  );
  assert.ok(endpoint !== undefined);
  await new Promise<void>((resolve) => {
    const options = { endpoint, clock: systemClock(), limitUs: 1_000_000, sockets: new Set<never>() };
    openSocket(options, (_, socket) => {
      assert.equal(socket?.remoteAddress, "127.0.0.1");
      socket?.destroy();
      resolve();
    });
  });
  assert.deepEqual(endpoint.addresses, ["127.0.0.1"]);
});

test("a name that changes its answer between the look and the connection leads nowhere else", async (t) => {
  const server = await anyServer(t);
  const url = `http://rebinding.test:${server.port}`;
  const seen = answersOfNames(t, ["fails", ["127.0.0.1"]]);
  const error = await refusal(targetOf(t, [url], ["10.0.0.0/8"]).preflight());
  assert.equal(error.code, "TARGET_UNREACHABLE");
  assert.match(error.message, /is 127\.0\.0\.1, where this agent may not send/);
  assert.match(error.hint ?? "", /--allow-target/);
  assert.ok(seen.asked >= 2);
  assert.equal(server.accepted, 0);
});

test("a name is looked up once: what it says later is not heard", async (t) => {
  const server = await anyServer(t);
  const seen = answersOfNames(t, [["127.0.0.1"], ["127.0.0.2"]]);
  const target = targetOf(t, [`http://rebinding.test:${server.port}`], ["127.0.0.1"]);
  await refusal(target.preflight());
  assert.equal(seen.asked, 1);
  assert.ok(server.requests.length > 0);
});

test("a request without a preflight is refused at the connection", async (t) => {
  const server = await anyServer(t);
  const { sink } = send(targetOf(t, [server.url], ["10.0.0.0/8"]));
  assert.equal(outcomeWord(await sink.ended()), "connect-refused");
  assert.deepEqual(sink.calls, ["end"]);
  assert.equal(server.accepted, 0);
});

test("an address that was put there by whatever means is checked once more", async (t) => {
  const server = await anyServer(t);
  const { target } = aPlan({ target: { urls: [`http://gpu.test:${server.port}`] } });
  const [endpoint] = createEndpoints(target, rulesOf(["10.0.0.0/8"]));
  assert.ok(endpoint !== undefined);
  endpoint.addresses = ["127.0.0.1"];
  const error = await new Promise<ConnectError | null>((resolve) => {
    openSocket({ endpoint, clock: new VirtualClock(), limitUs: 1000, sockets: new Set() }, resolve);
  });
  assert.match(error?.message ?? "", /is 127\.0\.0\.1, where this agent may not send/);
  assert.equal(server.accepted, 0);
});
