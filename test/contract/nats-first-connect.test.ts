import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { connectNats, type NatsOptions, startNatsServer } from "@tokenstorm/protocol/nats";
import { natsServerOrSkip, tempDir, withNatsServer } from "@tokenstorm/testkit";

const LIMIT = { timeout: 30_000 };
/** Far longer than the time limit of a connection, and far shorter than those who wait without one. */
const LONGEST_MS = 10_000;
const base = { name: "first", role: "coordinator", timeoutMs: 1000 } as const;

const GREETING = `INFO ${JSON.stringify({ version: "2.10.0", proto: 1, headers: true })}\r\n`;

/** Fails with this code, in time, in one line that a person can read. */
async function refused(options: NatsOptions, code: string, says: RegExp): Promise<LoadError> {
  const started = performance.now();
  const error = await connectNats(options).then(
    () => assert.fail("it connected"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof LoadError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, says);
  assert.doesNotMatch(`${error.message} ${error.hint}`, /\n|secret/);
  assert.ok(
    performance.now() - started < LONGEST_MS,
    `it took ${Math.round(performance.now() - started)} ms`,
  );
  return error;
}

/** A TCP server that says this to whoever connects. */
function fakeServer(t: TestContext, greeting: string): Promise<string> {
  return serveTcp(t, (socket) => {
    socket.on("error", () => undefined);
    socket.write(greeting);
  });
}

async function serveTcp(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `nats://127.0.0.1:${address.port}`;
}

test("nobody there is told with the address, without the password", LIMIT, async () => {
  await refused(
    { ...base, servers: ["nats://127.0.0.1:1"] },
    "BUS_UNAVAILABLE",
    /127\.0\.0\.1:1: connection refused/,
  );
  await refused(
    { ...base, servers: ["nats://ops:secret@127.0.0.1:1", "localhost:1"] },
    "BUS_UNAVAILABLE",
    /127\.0\.0\.1:1.*localhost:1/,
  );
  await refused(
    { ...base, servers: ["nats://no-such-host.invalid:4222"] },
    "BUS_UNAVAILABLE",
    /no-such-host\.invalid/,
  );
  await refused({ ...base, servers: ["http://secret@127.0.0.1:1"] }, "BUS_UNAVAILABLE", /is no address/);
});

test("what is no NATS server is told, and so is one that says nothing", LIMIT, async (t) => {
  const http = await fakeServer(t, "HTTP/1.1 400 Bad Request\r\n\r\n");
  await refused({ ...base, servers: [http] }, "BUS_UNAVAILABLE", /is no NATS server/);
  const silent = await fakeServer(t, "");
  await refused({ ...base, servers: [silent] }, "BUS_UNAVAILABLE", /no answer within 1000 ms/);
  const broken = await fakeServer(t, "INFO {not json}\r\n");
  await refused({ ...base, servers: [broken] }, "BUS_UNAVAILABLE", /is no NATS server/);
});

test("a server that is too old is told with its version", LIMIT, async (t) => {
  const old = await fakeServer(
    t,
    `INFO ${JSON.stringify({ version: "2.8.4", proto: 1, max_payload: 1 })}\r\n`,
  );
  await refused({ ...base, servers: [old] }, "BUS_UNAVAILABLE", /2\.8\.4.*2\.9 or newer/);
});

test("one server that answers is enough, and the others keep nobody waiting", LIMIT, async (t) => {
  const silent = await fakeServer(t, "");
  const old = await fakeServer(
    t,
    `INFO ${JSON.stringify({ version: "2.8.4", proto: 1, max_payload: 1 })}\r\n`,
  );
  await withNatsServer(t, async ({ url }) => {
    const servers = [silent, old, "nats://127.0.0.1:1", url];
    const started = performance.now();
    // Longer than any healthy start, streams and all: whoever waited for the silent one would be seen.
    const timeoutMs = 10_000;
    const transport = await connectNats({ ...base, timeoutMs, servers });
    assert.equal(transport.server?.url, url);
    assert.ok(performance.now() - started < timeoutMs);
    await transport.close();
  });
});

test("a server that greets and then says no more ends the connection in time", LIMIT, async (t) => {
  const stuck = await fakeServer(t, GREETING);
  await refused({ ...base, servers: [stuck] }, "BUS_UNAVAILABLE", /127\.0\.0\.1/);
});

const SPOILT: Readonly<Record<string, (socket: Socket) => void>> = {
  "breaks off before its greeting": (socket) => {
    socket.destroy();
  },
  "breaks off after its greeting": (socket) => {
    socket.write(GREETING);
    socket.once("data", () => socket.resetAndDestroy());
  },
};

for (const [how, spoil] of Object.entries(SPOILT))
  test(`a handshake that ${how} is followed by another one`, LIMIT, async (t) => {
    await withNatsServer(t, async ({ url }) => {
      let dials = 0;
      // Where its users look whether anybody is there, then the handshake, then the one that follows.
      const front = await serveTcp(t, (socket) => {
        dials += 1;
        if (dials === 2) return spoil(socket);
        const server = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
        for (const one of [socket, server]) one.on("error", () => undefined);
        socket.on("close", () => server.destroy());
        server.on("close", () => socket.destroy());
        socket.pipe(server).pipe(socket);
      });
      const transport = await connectNats({ ...base, timeoutMs: 10_000, servers: [front] });
      await transport.close();
      assert.ok(dials >= 3, `${dials} dials`);
    });
  });

test("where one server stalls and another refuses, the error is laid to neither", LIMIT, async (t) => {
  const stuck = await fakeServer(t, GREETING);
  await refused(
    { ...base, timeoutMs: 2500, servers: [stuck, "nats://127.0.0.1:1"] },
    "BUS_UNAVAILABLE",
    /^cannot connect to NATS at nats:\/\/127\.0\.0\.1:\d+, or another of the 2 servers: /,
  );
});

test("a refused user is told as such, and no user too", LIMIT, async (t) => {
  await withNatsServer(
    t,
    async ({ url }) => {
      const says = /refuses this user: authorization violation/;
      await refused({ ...base, servers: [url] }, "BUS_DENIED", says);
      await refused({ ...base, servers: [url], user: "ops", password: "wrong" }, "BUS_DENIED", says);
      await refused({ ...base, servers: [url], token: "secret-token" }, "BUS_DENIED", says);
      const right = await connectNats({ ...base, servers: [url], user: "ops", password: "secret" });
      await right.close();
      const inUrl = await connectNats({ ...base, servers: [url.replace("//", "//ops:secret@")] });
      assert.equal(inUrl.server?.url, url);
      await inUrl.close();
    },
    { users: [{ user: "ops", password: "secret" }] },
  );
});

test("credentials that cannot be read are told by the name of their file", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    for (const files of [{ credsFile: "/nowhere/ops.creds" }, { nkeyFile: "/nowhere/ops.creds" }])
      await refused({ ...base, servers: [url], ...files }, "BUS_DENIED", /\/nowhere\/ops\.creds/);
  });
});

test("a server without JetStream is told with what to do", LIMIT, async (t) => {
  await withNatsServer(
    t,
    async ({ url }) => {
      for (const role of ["coordinator", "agent"] as const) {
        const error = await refused({ ...base, role, servers: [url] }, "BUS_UNAVAILABLE", /JetStream/);
        assert.match(error.hint ?? "", /-js/);
      }
    },
    { extraConfig: "jetstream: disabled" },
  );
});

test("everybody but the coordinator is told when no coordinator was ever there", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    for (const role of ["agent", "operator", "viewer"] as const)
      await refused({ ...base, role, servers: [url] }, "BUS_UNAVAILABLE", /no coordinator has ever prepared/);
    const waiting = connectNats({ ...base, role: "agent", servers: [url], timeoutMs: 5000 });
    const coordinator = await connectNats({ ...base, servers: [url] });
    const agent = await waiting;
    await Promise.all([agent.close(), coordinator.close()]);
    const other = { ...base, role: "agent", prefix: "other", servers: [url] } as const;
    await refused(other, "BUS_UNAVAILABLE", /prefix "other"/);
  });
});

test("a stream of another prefix is not taken for one's own", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const first = await connectNats({ ...base, servers: [url], prefix: "ts" });
    await refused(
      { ...base, servers: [url], prefix: "TS" },
      "BUS_UNAVAILABLE",
      /TS_RES.*not that of the prefix "TS"/,
    );
    const again = await connectNats({ ...base, servers: [url], prefix: "ts", resultsMaxBytes: 1_000_000 });
    await Promise.all([first.close(), again.close()]);
  });
});

test("more room than the server has is refused with what to do", LIMIT, async (t) => {
  const store = join(await tempDir(t), "jetstream");
  await withNatsServer(
    t,
    async ({ url }) => {
      const error = await refused({ ...base, servers: [url] }, "BUS_UNAVAILABLE", /no room left/);
      assert.match(error.hint ?? "", /disk space/);
      const small = await connectNats({
        ...base,
        servers: [url],
        prefix: "small",
        resultsMaxBytes: 1_000_000,
      });
      await small.close();
    },
    { extraConfig: `jetstream: { store_dir: "${store}", max_file_store: 64MB }` },
  );
});

test("copies that were asked for of a server that is alone are refused at once", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    // Servers of a cluster are waited for: 5 s.
    const refusedAtOnce = async () => {
      const started = performance.now();
      const error = await refused(
        { ...base, servers: [url], replicas: 3 },
        "BUS_UNAVAILABLE",
        /^preparing NATS for tokenstorm: this NATS is no cluster, and cannot keep more than one copy$/,
      );
      assert.match(error.hint ?? "", /--nats-replicas/);
      const tookMs = performance.now() - started;
      assert.ok(tookMs < 5000, `it took ${Math.round(tookMs)} ms`);
    };
    await refusedAtOnce();
    const transport = await connectNats({ ...base, servers: [url], replicas: 1 });
    await transport.close();
    // To change what is there is a question of its own.
    await refusedAtOnce();
  });
});

test("a full log refuses, and loses nothing that it has", LIMIT, async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const { log, close } = await connectNats({ ...base, servers: [url], resultsMaxBytes: 100_000 });
    const append = (seq: number) =>
      log.append(
        { run: "r1", agent: "a1", epoch: 1, kind: "snapshot", seq, resend: 0 },
        new Uint8Array(20_000),
        { timeoutMs: 1000 },
      );
    for (let seq = 1; seq <= 4; seq += 1) await append(seq);
    await assert.rejects(append(5), { code: "BUS_UNAVAILABLE", message: /no room left/ });
    let seen = 0;
    await new Promise<void>((resolve) => {
      void log.follow("r1", () => {
        seen += 1;
        if (seen === 4) resolve();
      });
    });
    await log.purge("r1");
    await append(6);
    await close();
  });
});

test(
  "whoever may wait for the first connection waits, says why, and stops when told to",
  LIMIT,
  async (t) => {
    const bin = await natsServerOrSkip(t);
    if (bin === undefined) return;
    const dataDir = await tempDir(t);
    const probe = await startNatsServer({ bin, dataDir });
    await probe.close();
    const options = { ...base, servers: [probe.url], waitOnFirstConnect: true };

    const stopped = new AbortController();
    const reasons: string[] = [];
    const giveUp = connectNats({
      ...options,
      signal: stopped.signal,
      onWaiting: (why) => {
        reasons.push(why.message);
        stopped.abort();
      },
    });
    await assert.rejects(giveUp, { code: "BUS_UNAVAILABLE" });
    assert.match(reasons.join(), /connection refused/);

    const server = await new Promise<Awaited<ReturnType<typeof startNatsServer>>>((resolve, reject) => {
      const connected = connectNats({
        ...options,
        onWaiting: () => {
          const starting = startNatsServer({ bin, dataDir, port: probe.port });
          Promise.all([starting, connected.then((transport) => transport.close())]).then(
            ([it]) => resolve(it),
            reject,
          );
        },
      });
    });
    await server.close();
  },
);
