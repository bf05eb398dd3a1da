import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import {
  aPlan,
  CLOSE,
  HANG,
  httpChunk,
  LAST_CHUNK,
  RESET,
  type Script,
  type ScriptedServer,
  type ScriptedStep,
  STREAM_HEAD,
  sseChunk,
  startScriptedServer,
  VirtualClock,
} from "@tokenstorm/testkit";
import { type CreateTarget, testBoth } from "../testing/both-readers.js";
import { outcomeWord, type RecordingSink, send } from "../testing/recording-sink.js";

const clock = { nowUs: () => Math.round(performance.now() * 1000), at: () => () => undefined };
const token = (content: string, finish: string | null = null) =>
  sseChunk({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] });
const role = () =>
  sseChunk({ choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] });
const GOOD: readonly ScriptedStep[] = [
  STREAM_HEAD,
  role(),
  token("a"),
  token("b", "length"),
  sseChunk("[DONE]"),
  LAST_CHUNK,
];

interface Setup {
  readonly server: ScriptedServer;
  readonly target: ReturnType<CreateTarget>;
}

async function setUp(
  t: TestContext,
  create: CreateTarget,
  script: Script,
  change: { readonly slots?: number; readonly clock?: VirtualClock; readonly target?: object } = {},
): Promise<Setup> {
  const server = await startScriptedServer(script);
  t.after(() => server.close());
  const plan = aPlan({ target: { urls: [server.url], model: "m", ...change.target } });
  const env = { THE_KEY: "k-123" };
  const target = create({ plan, slots: change.slots ?? 1, env }, change.clock ?? clock);
  t.after(() => target.close());
  return { server, target };
}

/** A promise, and the way to keep it. */
function gate(): { readonly open: () => void; readonly step: ScriptedStep } {
  let open: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, step: { kind: "wait", until } };
}

async function completed(sink: RecordingSink): Promise<void> {
  assert.equal(outcomeWord(await sink.ended()), "completed");
}

testBoth(
  "a request goes out as one HTTP message with the key, the plan's headers and its id",
  async (t, create) => {
    const { server, target } = await setUp(t, create, () => GOOD, {
      target: { apiKeyEnv: "THE_KEY", headers: { "X-Team": "storm", Accept: "text/event-stream, */*" } },
    });
    await completed(send(target, { id: "ts-r1-s0-u0-j0", body: Buffer.from('{"prompt":"grün"}') }).sink);
    const [request] = server.requests;
    assert.equal(request?.method, "POST");
    assert.equal(request?.path, "/v1/chat/completions");
    assert.equal(request?.body, '{"prompt":"grün"}');
    assert.deepEqual(request?.headers, {
      host: `127.0.0.1:${server.port}`,
      connection: "keep-alive",
      "content-type": "application/json",
      accept: "text/event-stream, */*",
      authorization: "Bearer k-123",
      "x-team": "storm",
      "x-request-id": "ts-r1-s0-u0-j0",
      "content-length": "18",
    });
  },
);

testBoth("completions have a path of their own, below the path of the URL", async (t, create) => {
  const server = await startScriptedServer(() => GOOD);
  t.after(() => server.close());
  const plan = aPlan({ target: { urls: [`${server.url}/proxy/a/`], model: "m", api: "openai-completions" } });
  const target = create({ plan, slots: 1, env: {} }, clock);
  t.after(() => target.close());
  await completed(send(target).sink);
  assert.equal(server.requests[0]?.path, "/proxy/a/v1/completions");
});

testBoth("stamps come in the order of what they stamp, and never go back", async (t, create) => {
  const { target } = await setUp(t, create, () => GOOD);
  const { sink } = send(target);
  await completed(sink);
  assert.deepEqual(sink.calls, ["connected", "sent", "headers", "event", "event", "event", "end"]);
  assert.deepEqual(
    sink.stampsUs,
    sink.stampsUs.toSorted((a, b) => a - b),
  );
  assert.equal(sink.events.at(-1)?.tokens, 1);
  assert.ok((sink.ends[0]?.tUs ?? 0) >= (sink.events.at(-1)?.tUs ?? 0));
});

testBoth("token events of one read are one arrival, those of two reads are two", async (t, create) => {
  const second = gate();
  const first = Buffer.concat([role(), token("a"), token("b"), httpChunk(": ping\n\n"), token("c")]);
  const { target } = await setUp(t, create, () => [
    STREAM_HEAD,
    first,
    second.step,
    token("d"),
    token("e", "length"),
    LAST_CHUNK,
  ]);
  const { sink } = send(target);
  await sink.called("event", 4);
  second.open();
  await completed(sink);
  assert.deepEqual(
    sink.events.map(({ tokens }) => tokens),
    [0, 1, 1, 1, 1, 1],
  );
  // The role event is no token: the first token is the first of its read.
  assert.deepEqual(
    sink.events.slice(0, 5).map(({ sameRead }) => sameRead),
    [false, false, true, true, false],
  );
  assert.equal(new Set(sink.events.slice(0, 4).map(({ tUs }) => tUs)).size, 1);
  assert.ok((sink.events[4]?.tUs ?? 0) > (sink.events[3]?.tUs ?? 0));
});

testBoth("streams do not share reads with each other", async (t, create) => {
  const { target } = await setUp(
    t,
    create,
    () => [STREAM_HEAD, Buffer.concat([token("a"), token("b", "length")]), LAST_CHUNK],
    { slots: 20 },
  );
  const sinks = Array.from({ length: 20 }, (_, slot) => send(target, { slot }).sink);
  for (const sink of sinks) {
    await completed(sink);
    assert.deepEqual(
      sink.events.map(({ sameRead }) => sameRead),
      [false, true],
    );
  }
});

testBoth(
  "each slot has one connection, used again and again, and its books start anew",
  async (t, create) => {
    const { server, target } = await setUp(t, create, () => GOOD, { slots: 30 });
    for (let round = 0; round < 3; round++) {
      const sinks = Array.from(
        { length: 30 },
        (_, slot) => send(target, { slot, id: `${round}-${slot}`, exact: 2 }).sink,
      );
      for (const sink of sinks) {
        await completed(sink);
        assert.equal(sink.tokens, 2);
        assert.equal(sink.connectsUs.length, round === 0 ? 1 : 0);
      }
      assert.equal(target.openSockets, 30);
    }
    assert.equal(server.accepted, 30);
    assert.equal(new Set(server.requests.map(({ headers }) => headers["x-request-id"])).size, 90);
  },
);

testBoth("the next request may be sent from within the end of the one before", async (t, create) => {
  const { server, target } = await setUp(t, create, () => GOOD);
  const first = send(target);
  const sent = new Promise<RecordingSink>((resolve) => {
    const { onEnd } = first.sink;
    first.sink.onEnd = (tUs, end) => {
      onEnd.call(first.sink, tUs, end);
      resolve(send(target).sink);
    };
  });
  await completed(await sent);
  assert.equal(server.accepted, 1);
});

testBoth("a socket that was idle for more than three seconds is not used again", async (t, create) => {
  const virtual = new VirtualClock();
  const { server, target } = await setUp(t, create, () => GOOD, { clock: virtual });
  await completed(send(target).sink);
  virtual.advanceBy(2_999_000);
  await completed(send(target).sink);
  assert.equal(server.accepted, 1);
  virtual.advanceBy(3_001_000);
  const { sink } = send(target);
  await completed(sink);
  assert.equal(server.accepted, 2);
  assert.equal(sink.staleRetries, 0);
  assert.equal(sink.connectsUs.length, 1);
});

for (const [name, death] of [
  ["reset", RESET],
  ["closed", CLOSE],
] as const) {
  testBoth(
    `a used socket that is ${name} before any byte of the answer is replaced once, and nobody hears of a second sending`,
    async (t, create) => {
      const { server, target } = await setUp(t, create, ({ nth }) => (nth === 1 ? [death] : GOOD));
      await completed(send(target).sink);
      const { sink } = send(target);
      await completed(sink);
      assert.deepEqual(sink.calls, [
        "sent",
        "stale-retry",
        "connected",
        "headers",
        "event",
        "event",
        "event",
        "end",
      ]);
      assert.equal(sink.tokens, 2);
      assert.equal(server.accepted, 2);
      assert.equal(server.requests.length, 3);
    },
  );
}

testBoth("a fresh socket that dies as well is no stale socket any more", async (t, create) => {
  const { server, target } = await setUp(t, create, ({ connection, nth }) =>
    connection === 0 && nth === 0 ? GOOD : [RESET],
  );
  await completed(send(target).sink);
  const { sink } = send(target);
  assert.equal(outcomeWord(await sink.ended()), "stream-broken");
  assert.equal(sink.staleRetries, 1);
  assert.equal(server.requests.length, 3);
});

testBoth(
  "a socket that was opened for the request is fresh, whatever the slot had before",
  async (t, create) => {
    const virtual = new VirtualClock();
    const { server, target } = await setUp(
      t,
      create,
      ({ connection }) => (connection === 0 ? GOOD : [RESET]),
      {
        clock: virtual,
      },
    );
    await completed(send(target).sink);
    virtual.advanceBy(4_000_000);
    const { sink } = send(target);
    assert.equal(outcomeWord(await sink.ended()), "stream-broken");
    assert.equal(sink.staleRetries, 0);
    assert.equal(server.requests.length, 2);
  },
);

testBoth(
  "a used socket that dies after the first byte of the answer is a broken stream",
  async (t, create) => {
    const { server, target } = await setUp(t, create, ({ nth }) =>
      nth === 1 ? ["HTTP/1.1 200", RESET] : GOOD,
    );
    await completed(send(target).sink);
    const { sink } = send(target);
    assert.equal(outcomeWord(await sink.ended()), "stream-broken");
    assert.equal(sink.staleRetries, 0);
    assert.equal(server.requests.length, 2);
  },
);

for (const [name, death] of [
  ["resets", RESET],
  ["closes", CLOSE],
] as const) {
  testBoth(`a server that ${name} after each answer without a word loses no request`, async (t, create) => {
    const { target } = await setUp(t, create, () => [...GOOD, death]);
    for (let round = 0; round < 60; round++) {
      const { sink } = send(target);
      await completed(sink);
      assert.equal(sink.calls.filter((call) => call === "sent").length, 1);
      for (let turn = 0; turn < round % 4; turn++)
        await new Promise<void>((resolve) => setImmediate(resolve));
    }
  });
}

testBoth("a server that says it will close is not written to again", async (t, create) => {
  const head = STREAM_HEAD.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
  const { server, target } = await setUp(t, create, () => [head, token("a", "stop"), LAST_CHUNK, CLOSE]);
  for (let round = 0; round < 3; round++) {
    const { sink } = send(target);
    await completed(sink);
    assert.equal(sink.staleRetries, 0);
  }
  assert.equal(server.accepted, 3);
});

const CANCELLED_AT: readonly {
  readonly name: string;
  readonly steps: readonly ScriptedStep[];
  readonly call?: string;
}[] = [
  { name: "before it is connected", steps: GOOD },
  { name: "before the headers", steps: [HANG], call: "sent" },
  { name: "before the first token", steps: [STREAM_HEAD, HANG], call: "headers" },
  { name: "between tokens", steps: [STREAM_HEAD, token("a"), HANG], call: "event" },
];

for (const { name, steps, call } of CANCELLED_AT) {
  testBoth(
    `cancelled ${name}: one end, the socket closed, none opened in its place, and the slot goes on`,
    async (t, create) => {
      const { server, target } = await setUp(t, create, (request) =>
        request.headers["x-request-id"] === "first" ? steps : GOOD,
      );
      const first = send(target, { id: "first" });
      if (call !== undefined) {
        await first.sink.called(call);
        await server.arrived(1);
      }
      first.cancel();
      first.cancel();
      assert.deepEqual(first.sink.ends.map(outcomeWord), ["cancelled"]);
      await server.allClosed();
      for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      assert.equal(server.open, 0);
      const { sink } = send(target, { id: "second" });
      // A ticket of the past has no power over the slot's next request.
      first.cancel();
      await completed(sink);
      assert.equal(first.sink.ends.length, 1);
      assert.equal(sink.ends.length, 1);
      assert.equal(target.openSockets, 1);
    },
  );
}

testBoth("cancelled from within its own event, a request hears no further event", async (t, create) => {
  const { target } = await setUp(t, create, () => [
    STREAM_HEAD,
    Buffer.concat([token("a"), token("b"), token("c", "stop")]),
    LAST_CHUNK,
  ]);
  const request = send(target);
  const { onEvent } = request.sink;
  request.sink.onEvent = (...event) => {
    onEvent.apply(request.sink, event);
    request.cancel();
  };
  assert.equal(outcomeWord(await request.sink.ended()), "cancelled");
  assert.equal(request.sink.events.length, 1);
});

testBoth(
  "a request sent from within the end of one that was given up hears nothing of what followed in that read",
  async (t, create) => {
    const rest = Buffer.concat([
      sseChunk("no JSON"),
      token("x"),
      token("y", "stop"),
      Buffer.from(LAST_CHUNK),
    ]);
    const { server, target } = await setUp(t, create, ({ connection }) =>
      connection === 0
        ? [Buffer.concat([Buffer.from(STREAM_HEAD), rest, Buffer.from(STREAM_HEAD), rest])]
        : GOOD,
    );
    const first = send(target);
    const next = new Promise<RecordingSink>((resolve) => {
      const { onEnd } = first.sink;
      first.sink.onEnd = (tUs, end) => {
        onEnd.call(first.sink, tUs, end);
        resolve(send(target).sink);
      };
    });
    const sink = await next;
    await completed(sink);
    assert.deepEqual(first.sink.ends.map(outcomeWord), ["bad-frame"]);
    assert.deepEqual(sink.calls, ["connected", "sent", "headers", "event", "event", "event", "end"]);
    assert.equal(server.accepted, 2);
  },
);

testBoth("after a cancelled used socket the next request is not taken for a retry", async (t, create) => {
  const { target } = await setUp(t, create, ({ nth }) => (nth === 1 ? [HANG] : GOOD));
  await completed(send(target).sink);
  const second = send(target);
  await second.sink.called("sent");
  second.cancel();
  const { sink } = send(target);
  await completed(sink);
  assert.equal(sink.staleRetries, 0);
  assert.equal(sink.connectsUs.length, 1);
});

testBoth(
  "close ends every request and every socket, twice without harm, and nothing is sent after it",
  async (t, create) => {
    const { server, target } = await setUp(t, create, () => [STREAM_HEAD, token("a"), HANG], { slots: 5 });
    const sinks = Array.from({ length: 5 }, (_, slot) => send(target, { slot }).sink);
    for (const sink of sinks) await sink.called("event");
    await Promise.all([target.close(), target.close()]);
    assert.equal(target.openSockets, 0);
    for (const sink of sinks) assert.deepEqual(sink.ends.map(outcomeWord), ["cancelled"]);
    await server.allClosed();
    await target.close();
    assert.throws(() => send(target), /send after close/);
  },
);

testBoth("a slot carries one request at a time", async (t, create) => {
  const { target } = await setUp(t, create, () => [STREAM_HEAD, HANG]);
  send(target, { id: "first" });
  assert.throws(() => send(target), /busy with request first/);
  assert.throws(() => send(target, { slot: 1 }), /no slot 1/);
});

testBoth(
  "a body that the kernel does not take at once is sent when its last byte is gone",
  async (t, create) => {
    const sockets: Socket[] = [];
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1" }, resolve));
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const plan = aPlan({ target: { urls: [`http://127.0.0.1:${address.port}`], model: "m" } });
    const target = create({ plan, slots: 1, env: {} }, clock);
    t.after(() => target.close());
    const body = Buffer.alloc(64 * 1024 * 1024, "x");
    const { sink } = send(target, { body });
    await sink.called("connected");
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    assert.deepEqual(sink.calls, ["connected"]);
    let received = 0;
    for (const socket of sockets) {
      socket.on("data", (bytes) => {
        received += bytes.length;
      });
      socket.resume();
    }
    await sink.called("sent");
    // Nearly all of it has been read by then: what the kernels hold is a few megabytes.
    assert.ok(received > body.length / 2, `${received} bytes were read when it counted as sent`);
  },
);

testBoth(
  "a mistake in what hears of a request ends the process, and is not counted as the server's failure",
  async (t, create) => {
    const server = await startScriptedServer(() => GOOD);
    t.after(() => server.close());
    for (const method of ["onSent", "onHeaders", "onEvent", "onEnd"]) {
      const worker = new Worker(FAULTY_SINK, {
        eval: true,
        workerData: {
          url: server.url,
          method,
          create: create.name,
          target: import.meta.resolve("./targets.js"),
        },
      });
      const error = await new Promise((resolve, reject) => {
        worker.once("error", resolve);
        worker.once("message", reject);
      });
      assert.ok(error instanceof Error && error.message === `a mistake in ${method}`, String(error));
    }
  },
);

const FAULTY_SINK = `
const { parentPort, workerData } = require("node:worker_threads");
import(workerData.target).then((targets) => {
  const timeouts = { connectMs: 1000, ttftMs: 1000, stallMs: 1000, totalMs: 1000 };
  const plan = { target: { api: "openai-chat", urls: [workerData.url] }, timeouts };
  const clock = { nowUs: () => Math.round(performance.now() * 1000), at: () => () => undefined };
  const target = targets[workerData.create]({ plan, slots: 1, env: {} }, clock);
  const nothing = () => undefined;
  target.send(0, { key: null, id: "r", url: 0, body: Buffer.from("{}"), exactOutputTokens: null }, {
    onConnected: nothing, onSent: nothing, onHeaders: nothing, onEvent: nothing, onStaleRetry: nothing,
    onEnd: () => parentPort.postMessage("it went on"),
    [workerData.method]: () => { throw new Error("a mistake in " + workerData.method); },
  });
});`;
