import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LoadError, type PlanInput, type RequestEnd } from "@tokenstorm/core";
import {
  aPlan,
  LAST_CHUNK,
  STREAM_HEAD,
  settle,
  sseChunk,
  startScriptedServer,
  TEST_CERTIFICATE,
  tempDir,
  VirtualClock,
} from "@tokenstorm/testkit";
import { type CreateTarget, testBoth } from "../testing/both-readers.js";
import { outcomeWord, RecordingSink, send } from "../testing/recording-sink.js";
import { createEndpoints } from "./endpoint.js";
import { type ConnectError, openSocket } from "./open-socket.js";

const GOOD = [
  STREAM_HEAD,
  sseChunk({ choices: [{ index: 0, delta: { content: "a" }, finish_reason: "stop" }] }),
  LAST_CHUNK,
];

function targetOf(
  t: TestContext,
  create: CreateTarget,
  target: PlanInput["target"],
  clock = new VirtualClock(),
) {
  const plan = aPlan({ target: { model: "m", ...target }, timeouts: { connectMs: 1000 } });
  const made = create({ plan, slots: 1, env: {} }, clock);
  t.after(() => made.close());
  return made;
}

/** A port of loopback that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function listen(
  server: ReturnType<typeof createServer>,
  { host = "127.0.0.1", port = 0 }: { readonly host?: string; readonly port?: number } = {},
): Promise<number> {
  await new Promise<void>((resolve) => server.listen({ port, host }, resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

testBoth("nobody listens: connect-refused, and the request was never sent", async (t, create) => {
  const target = targetOf(t, create, { urls: [`http://127.0.0.1:${await deadPort()}`] });
  for (let round = 0; round < 3; round++) {
    const { sink } = send(target);
    assert.equal(outcomeWord(await sink.ended()), "connect-refused");
    assert.deepEqual(sink.calls, ["end"]);
  }
  await settle();
  assert.equal(target.openSockets, 0);
});

testBoth("the next request may be sent from within the end of one that was refused", async (t, create) => {
  const target = targetOf(t, create, { urls: [`http://127.0.0.1:${await deadPort()}`] });
  const next = new RecordingSink();
  class FollowedSink extends RecordingSink {
    override onEnd(tUs: number, end: RequestEnd): void {
      super.onEnd(tUs, end);
      send(target, { id: "next", sink: next });
    }
  }
  const { sink } = send(target, { sink: new FollowedSink() });
  assert.equal(outcomeWord(await sink.ended()), "connect-refused");
  assert.equal(outcomeWord(await next.ended()), "connect-refused");
});

testBoth("a host without an address: dns", async (t, create) => {
  const target = targetOf(t, create, { urls: ["http://no-such-host.invalid:8000"] });
  const { sink } = send(target);
  assert.equal(outcomeWord(await sink.ended()), "dns");
  assert.deepEqual(sink.calls, ["end"]);
});

/** Takes connections and never says a word; `connection` is the next that it takes. */
async function silentServer(
  t: TestContext,
  at: { readonly host?: string; readonly port?: number } = {},
): Promise<{ readonly port: number; connection(): Promise<{ readonly closed: Promise<void> }> }> {
  const server = createServer();
  server.on("connection", (socket) => socket.on("error", () => undefined).resume());
  const port = await listen(server, at);
  t.after(() => server.close());
  const connection = async () => {
    const socket = await new Promise<Socket>((resolve) => server.once("connection", resolve));
    return { closed: new Promise<void>((resolve) => socket.once("close", () => resolve())) };
  };
  return { port, connection };
}

testBoth(
  "a handshake that does not come: connect-timeout after the time to connect, and the socket is closed",
  async (t, create) => {
    const server = await silentServer(t);
    const clock = new VirtualClock();
    const target = targetOf(t, create, { urls: [`https://127.0.0.1:${server.port}`] }, clock);
    const arrived = server.connection();
    const { sink } = send(target);
    const { closed } = await arrived;
    await clock.advanceByAsync(999_000);
    assert.deepEqual(sink.ends, []);
    await clock.advanceByAsync(1000);
    assert.equal(outcomeWord(await sink.ended()), "connect-timeout");
    await closed;
    assert.deepEqual(sink.calls, ["end"]);
    await settle();
    assert.equal(target.openSockets, 0);
  },
);

testBoth("a request cancelled while it connects closes the socket at once", async (t, create) => {
  const server = await silentServer(t);
  const target = targetOf(t, create, { urls: [`https://127.0.0.1:${server.port}`] });
  const arrived = server.connection();
  const { sink, cancel } = send(target);
  const { closed } = await arrived;
  cancel();
  assert.deepEqual(sink.ends.map(outcomeWord), ["cancelled"]);
  await closed;
  await settle();
  assert.equal(target.openSockets, 0);
});

test("an address that keeps silent is given up after its share of the time, and its socket closed", {
  skip: process.platform !== "linux" && "needs a second address on loopback",
}, async (t) => {
  const silent = await silentServer(t);
  const second = await silentServer(t, { host: "127.0.0.2", port: silent.port });
  const [endpoint] = createEndpoints(
    aPlan({ target: { urls: [`https://several.test:${silent.port}`] } }).target,
  );
  assert.ok(endpoint !== undefined);
  endpoint.addresses = ["127.0.0.1", "127.0.0.2"];
  const clock = new VirtualClock();
  const [first, then] = [silent.connection(), second.connection()];
  const ended = new Promise<ConnectError | null>((resolve) => {
    openSocket({ endpoint, clock, limitUs: 1000, sockets: new Set() }, resolve);
  });
  const { closed } = await first;
  clock.advanceTo(500);
  await Promise.all([closed, then]);
  clock.advanceTo(1000);
  const error = await ended;
  assert.equal(error?.reason, "connect-timeout");
  assert.match(error.message, /127\.0\.0\.2/);
});

testBoth(
  "TLS with the plan's authority and name; the name goes on the wire, the address is dialled",
  async (t, create) => {
    const server = await startScriptedServer(() => GOOD, { tls: true });
    t.after(() => server.close());
    const caFile = join(await tempDir(t), "ca.pem");
    writeFileSync(caFile, TEST_CERTIFICATE);
    for (const tls of [{ caFile }, { caFile, serverName: "target.test" }, { insecureSkipVerify: true }]) {
      const { sink } = send(targetOf(t, create, { urls: [server.url], tls }), {
        body: Buffer.alloc(500_000, "x"),
      });
      assert.equal(outcomeWord(await sink.ended()), "completed", JSON.stringify(tls));
      assert.deepEqual(sink.calls, ["connected", "sent", "headers", "event", "end"]);
    }
  },
);

testBoth(
  "a certificate that nobody vouches for, or of another name, or no TLS at all: tls",
  async (t, create) => {
    const server = await startScriptedServer(() => GOOD, { tls: true });
    const plain = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    const port = await listen(plain);
    t.after(() => server.close());
    t.after(() => plain.close());
    const caFile = join(await tempDir(t), "ca.pem");
    writeFileSync(caFile, TEST_CERTIFICATE);
    for (const target of [
      { urls: [server.url] },
      { urls: [server.url], tls: { caFile, serverName: "other.test" } },
      { urls: [`https://127.0.0.1:${port}`] },
    ]) {
      const { sink } = send(targetOf(t, create, target));
      assert.equal(outcomeWord(await sink.ended()), "tls", JSON.stringify(target));
    }
  },
);

test("of several addresses the first that answers is taken, and taken first from then on", async (t) => {
  const server = await startScriptedServer(() => GOOD);
  t.after(() => server.close());
  const [endpoint] = createEndpoints(
    aPlan({ target: { urls: [`http://several.test:${server.port}`] } }).target,
  );
  assert.ok(endpoint !== undefined);
  endpoint.addresses = ["127.0.0.9", "127.0.0.1", "127.0.0.8"];
  const sockets = new Set<Socket>();
  const socket = await new Promise<Socket | null>((resolve) => {
    openSocket({ endpoint, clock: new VirtualClock(), limitUs: 1000, sockets }, (_, made) => resolve(made));
  });
  assert.equal(socket?.remoteAddress, "127.0.0.1");
  assert.deepEqual(endpoint.addresses, ["127.0.0.1", "127.0.0.9", "127.0.0.8"]);
  assert.deepEqual([...sockets], [socket]);
  socket?.destroy();
  await server.allClosed();
});

test("where no address answers, the last one's reason is told", async () => {
  const port = await deadPort();
  const [endpoint] = createEndpoints(aPlan({ target: { urls: [`http://several.test:${port}`] } }).target);
  assert.ok(endpoint !== undefined);
  endpoint.addresses = ["127.0.0.8", "127.0.0.9"];
  const error = await new Promise<ConnectError | null>((resolve) => {
    openSocket({ endpoint, clock: new VirtualClock(), limitUs: 1000, sockets: new Set() }, resolve);
  });
  assert.equal(error?.reason, "connect-refused");
  assert.match(error.message, new RegExp(`connection refused \\(127\\.0\\.0\\.9:${port}\\)`));
});

test("a cancelled opening closes its socket and calls nobody", async (t) => {
  const server = await startScriptedServer(() => GOOD);
  t.after(() => server.close());
  const [endpoint] = createEndpoints(aPlan({ target: { urls: [server.url] } }).target);
  assert.ok(endpoint !== undefined);
  const sockets = new Set<Socket>();
  const cancel = openSocket({ endpoint, clock: new VirtualClock(), limitUs: 1000, sockets }, () =>
    assert.fail("called"),
  );
  const closed = Promise.all(
    Array.from(sockets, (socket) => new Promise((resolve) => socket.once("close", resolve))),
  );
  cancel();
  await closed;
  assert.equal(sockets.size, 0);
});

test("a CA file that is not there is named", () => {
  const { target } = aPlan({ target: { urls: ["https://h:1"], tls: { caFile: "/no/such/ca.pem" } } });
  assert.throws(
    () => createEndpoints(target),
    (error: unknown) => {
      assert.ok(error instanceof LoadError);
      assert.equal(error.code, "AGENT_NOT_READY");
      assert.match(error.message, /\/no\/such\/ca\.pem/);
      return true;
    },
  );
});
