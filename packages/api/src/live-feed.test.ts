import assert from "node:assert/strict";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { ask } from "./testing/ask.js";
import { DescriptionReader } from "./testing/description.js";
import { aLiveUpdate, World } from "./testing/world.js";

const description = new DescriptionReader();

interface SseEvent {
  readonly event: string;
  readonly data: unknown;
}

/** A reader as a browser's EventSource is one, of what was read so far. */
class Stream {
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;
  #text = "";
  #isClosed = false;
  #wake: () => void = () => undefined;

  static open(t: TestContext, world: World, run: string): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const asking = request(`${world.url}/api/v1/runs/${run}/live`, { agent: false }, (response) =>
        resolve(new Stream(asking, response)),
      );
      asking.on("error", reject);
      asking.end();
      t.after(() => asking.destroy());
    });
  }

  constructor(asking: ClientRequest, response: IncomingMessage) {
    this.#request = asking;
    this.response = response;
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
    response.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
    response.on("error", () => undefined);
  }

  get text(): string {
    return this.#text;
  }

  events(): SseEvent[] {
    const blocks = this.#text.split("\n\n").slice(0, -1);
    return blocks.flatMap((block) => {
      const [, event = "", data = ""] = /^event: (.+)\ndata: (.+)$/.exec(block) ?? [];
      return event === "" ? [] : [{ event, data: JSON.parse(data) }];
    });
  }

  async until(holds: (stream: Stream) => boolean): Promise<void> {
    while (!holds(this)) {
      assert.ok(!this.#isClosed, `the stream was closed: ${this.#text.slice(-300)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async closed(): Promise<void> {
    while (!this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#request.destroy();
  }
}

async function gauge(world: World, name: string): Promise<number> {
  const { text } = await ask(`${world.url}/metrics`);
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

/** Closing is seen by the server in its own time. */
async function untilStreams(world: World, count: number): Promise<void> {
  while ((await gauge(world, "tokenstorm_http_live_streams")) !== count);
}

test("each update is one event for every viewer, the end is the last, and then the server closes", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  const streams = [await Stream.open(t, world, "r1"), await Stream.open(t, world, "r")];
  assert.match(streams[0]?.response.headers["content-type"] ?? "", /^text\/event-stream/);
  await world.live();
  await world.live({ runTimeUs: 6_500_000 });
  await world.live({ run: "r2" });
  for (const stream of streams) await stream.until((one) => one.events().length === 2);
  await world.record("r1", { state: "completed", revision: 9 });
  await world.pass(1100);
  for (const stream of streams) {
    await stream.closed();
    const events = stream.events();
    assert.deepEqual(
      events.map(({ event }) => event),
      ["live", "live", "end"],
    );
    for (const { event, data } of events) description.check(event === "end" ? "End" : "Live", data);
    assert.deepEqual(events.at(-1)?.data, { id: "r1", state: "completed", problem: null });
    assert.deepEqual(events[0]?.data, JSON.parse(JSON.stringify(aLiveUpdate)));
  }
});

test("whoever comes later sees at once how it stands, and of a run that is over its end alone", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  await world.live();
  const stream = await Stream.open(t, world, "r1");
  await stream.until((one) => one.events().length === 1);
  await world.record("r2", { state: "failed", problem: { code: "AGENT_LOST", message: "a1 was lost" } });
  const late = await Stream.open(t, world, "r2");
  await late.closed();
  assert.deepEqual(late.events(), [
    {
      event: "end",
      data: { id: "r2", state: "failed", problem: { code: "AGENT_LOST", message: "a1 was lost" } },
    },
  ]);
});

test("a stream on which nothing happens carries comments", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  const stream = await Stream.open(t, world, "r1");
  await stream.until(({ text }) => text !== "");
  await world.pass(15_001);
  await world.pass(15_001);
  await stream.until(({ text }) => text.split(": still here\n\n").length === 3);
  assert.deepEqual(stream.events(), []);
});

test("streams are bounded in number, and one that is closed makes room", async (t) => {
  const world = await World.start(t, { limits: { streams: 2 } });
  await world.record("r1");
  const streams = [await Stream.open(t, world, "r1"), await Stream.open(t, world, "r1")];
  const refused = await ask(`${world.url}/api/v1/runs/r1/live`);
  assert.equal(refused.status, 503);
  assert.match(JSON.stringify(description.read("watchRun", refused)), /TOO_MANY_STREAMS/);
  streams[0]?.close();
  await untilStreams(world, 1);
  const third = await Stream.open(t, world, "r1");
  assert.equal(third.response.statusCode, 200);
});

test("viewers who leave while the store is slow take no room", async (t) => {
  const world = await World.start(t, { limits: { streams: 2 } });
  await world.record("r1");
  const { state } = world.own;
  const get = state.get.bind(state);
  let asked = 0;
  let answer: () => void = () => undefined;
  const slowness = new Promise<void>((resolve) => {
    answer = resolve;
  });
  state.get = async (key) => {
    asked += 1;
    await slowness;
    return get(key);
  };
  const { hostname, port } = new URL(world.url);
  for (const count of [1, 2]) {
    const early = connect(Number(port), hostname);
    const closed = new Promise((resolve) => early.on("close", resolve));
    early.write("GET /api/v1/runs/r1/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (asked < count) await ask(`${world.url}/healthz`);
    early.resetAndDestroy();
    await closed;
  }
  // The server reads its sockets in order: with these answers it has seen those that were closed before.
  for (const _ of [1, 2]) await ask(`${world.url}/healthz`);
  answer();
  assert.equal(await gauge(world, "tokenstorm_http_live_streams"), 0);
  assert.equal((await Stream.open(t, world, "r1")).response.statusCode, 200);
});

test("a reader that stops reading is dropped, and what waited for it stays bounded; others go on", async (t) => {
  const world = await World.start(t, { limits: { streamBufferBytes: 256 * 1024 } });
  await world.record("r1");
  const good = await Stream.open(t, world, "r1");
  const { hostname, port } = new URL(world.url);
  const stuck = connect(Number(port), hostname);
  stuck.on("error", () => undefined);
  t.after(() => stuck.destroy());
  stuck.pause();
  stuck.write("GET /api/v1/runs/r1/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await untilStreams(world, 2);
  // What the kernel takes for it is bounded too, and small beside this.
  const notes = Array.from({ length: 90 }, () => "x".repeat(4000));
  let sent = 0;
  while ((await gauge(world, "tokenstorm_http_live_streams_dropped_total")) === 0) {
    await world.live({ notes });
    sent += 1;
    assert.ok(sent < 100, "it is never dropped");
    await good.until((one) => one.events().length === sent);
  }
  assert.equal(await gauge(world, "tokenstorm_http_live_streams"), 1);
  assert.match(world.logged.join("\n"), /warn a viewer of live updates does not read/);
  await world.live({ notes: [] });
  await good.until((one) => one.events().length === sent + 1);
});

test("nobody is followed any more once the last viewer has gone", async (t) => {
  const world = await World.start(t);
  await world.record("r1");
  const before = world.clock.pending;
  const stream = await Stream.open(t, world, "r1");
  await stream.until(({ text }) => text !== "");
  assert.ok(world.clock.pending > before);
  stream.close();
  await untilStreams(world, 0);
  await world.pass(20_000);
  assert.equal(world.clock.pending, before);
});
