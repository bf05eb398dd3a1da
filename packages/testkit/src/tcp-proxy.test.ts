import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.js";

const SEED = 7;
const LIMIT = { timeout: 30_000 };

/** A server that gives everything back, behind a proxy. */
async function echo(t: TestContext): Promise<{ readonly proxy: TcpProxy; dial(): Promise<Dialled> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const proxy = await startTcpProxy({ port: (server.address() as AddressInfo).port, seed: SEED });
  t.after(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { proxy, dial: () => dial(t, proxy.port) };
}

interface Dialled {
  readonly socket: Socket;
  readonly closed: Promise<string>;
  /** Resolves once so many bytes have come in all. */
  received(bytes: number): Promise<string>;
}

async function dial(t: TestContext, port: number): Promise<Dialled> {
  const socket = connect({ host: "127.0.0.1", port });
  let text = "";
  let look = () => undefined as undefined;
  socket.setEncoding("latin1");
  socket.on("data", (piece: string) => {
    text += piece;
    look();
  });
  const closed = new Promise<string>((resolve) => {
    let how = "closed";
    socket.on("error", (error: NodeJS.ErrnoException) => {
      how = error.code ?? "";
    });
    socket.on("close", () => resolve(how));
  });
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return {
    socket,
    closed,
    received: (bytes) =>
      new Promise((resolve) => {
        look = () => (text.length >= bytes ? resolve(text) : undefined) as undefined;
        look();
      }),
  };
}

test("bytes come through whole and in order, however they are delayed", LIMIT, async (t) => {
  const { proxy, dial: open } = await echo(t);
  proxy.setBoth({ delayMs: 5, jitterMs: 10 });
  const { socket, received } = await open();
  const sent = Array.from({ length: 200 }, (_, i) => `${i},`).join("");
  const startedMs = performance.now();
  for (const piece of sent.match(/.{1,7}/g) ?? []) socket.write(piece);
  assert.equal(await received(sent.length), sent);
  assert.ok(performance.now() - startedMs >= 10, "twice the delay at least");
  assert.deepEqual(proxy.passed, { toServer: sent.length, toClient: sent.length });
});

test("a limited link takes as long as its bandwidth says", LIMIT, async (t) => {
  const { proxy, dial: open } = await echo(t);
  proxy.set({ toClient: { bytesPerS: 100_000 } });
  const { socket, received } = await open();
  const startedMs = performance.now();
  socket.write("x".repeat(30_000));
  await received(30_000);
  assert.ok(performance.now() - startedMs >= 280, "30 kB at 100 kB/s");
});

test(
  "a direction that is held passes nothing on, the other one goes on; what waited comes once it is let go",
  LIMIT,
  async (t) => {
    const { proxy, dial: open } = await echo(t);
    const { socket, received } = await open();
    socket.write("before");
    await received(6);
    proxy.set({ toClient: { isHeld: true } });
    socket.write("during");
    while (proxy.passed.toServer < 12) await turn();
    assert.equal(proxy.passed.toClient, 6);
    proxy.setBoth();
    assert.equal(await received(12), "beforeduring");
  },
);

test("a reset reaches the client as one, and the next connection is let in", LIMIT, async (t) => {
  const { proxy, dial: open } = await echo(t);
  const first = await open();
  first.socket.write("a");
  await first.received(1);
  proxy.reset();
  assert.equal(await first.closed, "ECONNRESET");
  const second = await open();
  second.socket.write("b");
  assert.equal(await second.received(1), "b");
});

test("a way that is cut refuses everybody until it is restored, on the same port", LIMIT, async (t) => {
  const { proxy, dial: open } = await echo(t);
  const first = await open();
  await proxy.disconnect();
  assert.equal(await first.closed, "ECONNRESET");
  await assert.rejects(open(), { code: "ECONNREFUSED" });
  await proxy.restore();
  const second = await open();
  second.socket.write("b");
  assert.equal(await second.received(1), "b");
});

test("a connection is over after as many bytes as the seed draws, and not before", LIMIT, async (t) => {
  const { proxy, dial: open } = await echo(t);
  proxy.resetAfter({ min: 100, max: 200 });
  const { socket, received, closed } = await open();
  socket.write("x".repeat(99));
  await received(99);
  socket.write("x".repeat(101));
  // A reset that comes with the last bytes is the end of the stream to the library.
  assert.match(await closed, /^(ECONNRESET|closed)$/);
  assert.equal(proxy.open, 0);
});
