import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import {
  aPlan,
  LAST_CHUNK,
  type Script,
  type ScriptedStep,
  STREAM_HEAD,
  sseChunk,
  startScriptedServer,
  TEST_CERTIFICATE,
  tempDir,
  VirtualClock,
} from "@tokenstorm/testkit";
import { testBoth } from "../testing/both-readers.js";
import { outcomeWord, RecordingSink, send } from "../testing/recording-sink.js";
import { createRawTarget } from "./targets.js";

const token = (content: string, finish: string | null = null) =>
  sseChunk({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] });
const GOOD: readonly ScriptedStep[] = [STREAM_HEAD, token("a"), token("b", "stop"), LAST_CHUNK];
const SECOND = 1_000_000;

async function setUp(t: TestContext, script: Script = () => GOOD) {
  const server = await startScriptedServer(script);
  t.after(() => server.close());
  const clock = new VirtualClock();
  const plan = aPlan({ target: { urls: [server.url], model: "m" } });
  const target = createRawTarget({ plan, slots: 2, env: {} }, clock);
  t.after(() => target.close());
  return { server, clock, target };
}

test("a socket that nobody uses is closed soon after three seconds, one that is in use is not", async (t) => {
  let release: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { server, clock, target } = await setUp(t, ({ headers }) =>
    headers["x-request-id"] === "long" ? [STREAM_HEAD, { kind: "wait", until }, ...GOOD.slice(1)] : GOOD,
  );
  await send(target, { slot: 0 }).sink.ended();
  const long = send(target, { slot: 1, id: "long" });
  await long.sink.called("headers");
  await clock.advanceByAsync(2.9 * SECOND);
  assert.equal(target.openSockets, 2);
  await clock.advanceByAsync(0.8 * SECOND);
  for (let turn = 0; turn < 10 && server.open > 1; turn++)
    await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(server.open, 1);
  release();
  assert.equal(outcomeWord(await long.sink.ended()), "completed");
});

test("with every socket gone or closed, no timer is left", async (t) => {
  const { clock, target } = await setUp(t);
  await send(target).sink.ended();
  assert.ok(clock.pending > 0);
  await target.close();
  assert.equal(clock.pending, 0);
});

test("a server that promises less than three seconds gets a second less than it promises", async (t) => {
  const head = STREAM_HEAD.replace("\r\n\r\n", "\r\nkeep-alive: timeout=2, max=100\r\n\r\n");
  const { server, clock, target } = await setUp(t, () => [head, ...GOOD.slice(1)]);
  await send(target).sink.ended();
  clock.advanceBy(0.9 * SECOND);
  await send(target).sink.ended();
  assert.equal(server.accepted, 1);
  clock.advanceBy(1.1 * SECOND);
  await send(target).sink.ended();
  assert.equal(server.accepted, 2);
});

testBoth("bytes on an idle socket that nobody asked for end it", async (t, create) => {
  let speak: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    speak = resolve;
  });
  const server = await startScriptedServer(({ connection }) =>
    connection === 0 ? [...GOOD, { kind: "wait", until }, "HTTP/1.1 200 OK\r\n\r\n"] : GOOD,
  );
  t.after(() => server.close());
  const plan = aPlan({ target: { urls: [server.url], model: "m" } });
  const target = create({ plan, slots: 1, env: {} }, new VirtualClock());
  t.after(() => target.close());
  await send(target).sink.ended();
  speak();
  await server.allClosed();
  const { sink } = send(target);
  assert.equal(outcomeWord(await sink.ended()), "completed");
  assert.equal(server.accepted, 2);
  assert.equal(sink.staleRetries, 0);
});

testBoth("over TLS a small request counts as sent when it is written", async (t, create) => {
  const server = await startScriptedServer(() => GOOD, { tls: true });
  t.after(() => server.close());
  const directory = await tempDir(t);
  const caFile = join(directory, "ca.pem");
  writeFileSync(caFile, TEST_CERTIFICATE);
  const plan = aPlan({
    target: { urls: [server.url], model: "m", tls: { caFile, insecureSkipVerify: true } },
  });
  let us = 0;
  // Every look at the clock is a microsecond later than the one before.
  const clock = { nowUs: () => us++, at: () => () => undefined };
  const target = create({ plan, slots: 1, env: {} }, clock);
  t.after(() => target.close());
  const { sink } = send(target);
  assert.equal(outcomeWord(await sink.ended()), "completed");
  assert.deepEqual(sink.calls.slice(0, 2), ["connected", "sent"]);
  assert.equal((sink.stampsUs[1] ?? 0) - (sink.stampsUs[0] ?? 0), 1);
});

test("bytes that were read before a request was written are not taken for its answer", async (t) => {
  let speak: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    speak = resolve;
  });
  const answer = Buffer.concat(GOOD.map((step) => Buffer.from(step as string | Uint8Array)));
  const server = await startScriptedServer(({ connection }) =>
    connection === 0
      ? [answer, { kind: "wait", until }, "HTTP/1.1 500 Nobody Asked\r\ncontent-length: 0\r\n\r\n"]
      : GOOD,
  );
  t.after(() => server.close());
  // The answer has been read, and is about to be understood: what the server adds now is read before that.
  const nowUs = () => {
    if (server.writtenBytes > 0) speak();
    return 0;
  };
  const plan = aPlan({ target: { urls: [server.url], model: "m" } });
  const target = createRawTarget({ plan, slots: 1, env: {} }, { nowUs, at: () => () => undefined });
  t.after(() => target.close());
  const next = new RecordingSink();
  class SendsAtOnce extends RecordingSink {
    override onEnd(...end: Parameters<RecordingSink["onEnd"]>): void {
      super.onEnd(...end);
      send(target, { sink: next });
    }
  }
  const { sink } = send(target, { sink: new SendsAtOnce() });
  assert.equal(outcomeWord(await sink.ended()), "completed");
  assert.equal(outcomeWord(await next.ended()), "completed");
  assert.deepEqual([next.staleRetries, server.accepted], [1, 2]);
});
