import assert from "node:assert/strict";
import type { BusStatus } from "@tokenstorm/protocol";
import { bytes, contract, inbox, text } from "./transports.js";

const SOON = { timeoutMs: 5000 };

contract("a subscription takes the subjects of its pattern, in order, and no others", async (_t, connect) => {
  const [sender, taker] = [await connect(), await connect()];
  const cases = {
    "x.v1.beacon": ["x.v1.beacon"],
    "x.v1.hb.*": ["x.v1.hb.a", "x.v1.hb.b"],
    "x.v1.>": ["x.v1.beacon", "x.v1.hb.a", "x.v1.hb.b", "x.v1.res.r.a.snapshot"],
    "x.*.hb.>": ["x.v1.hb.a", "x.v1.hb.b"],
    "x.v1.hb": [],
  };
  const seen = new Map(Object.keys(cases).map((pattern) => [pattern, [] as string[]]));
  const end = inbox<string>();
  for (const [pattern, list] of seen) taker.bus.subscribe(pattern, ({ subject }) => list.push(subject));
  taker.bus.subscribe("end", ({ subject }) => end.push(subject));
  await taker.bus.flush(SOON);
  for (const subject of [
    "x.v1.beacon",
    "x.v1.hb.a",
    "y.v1.hb.a",
    "x.v1.hb.b",
    "x.v1.res.r.a.snapshot",
    "x",
    "end",
  ])
    sender.bus.publish(subject, bytes("1"));
  await end.next(1);
  assert.deepEqual(Object.fromEntries(seen), cases);
});

contract(
  "messages of one sender arrive in order, as they were when they were published",
  async (_t, connect) => {
    const [sender, taker] = [await connect(), await connect()];
    const arrived = inbox<string>();
    taker.bus.subscribe("order.*", ({ data }) => arrived.push(text(data) ?? ""));
    await taker.bus.flush(SOON);
    const sent: string[] = [];
    for (let i = 0; i < 500; i += 1) {
      const data = i % 2 === 0 ? bytes(`m${i}`) : Buffer.from(`m${i}`);
      sender.bus.publish(`order.${i % 7}`, data);
      sent.push(`m${i}`);
      data.fill(0);
    }
    assert.deepEqual(await arrived.next(500), sent);
  },
);

contract("a handler never runs inside the call that published", async (_t, connect) => {
  const { bus } = await connect();
  const arrived = inbox<string>();
  let isPublishing = false;
  bus.subscribe("own", ({ data }) => arrived.push(isPublishing ? "inside" : (text(data) ?? "")));
  await bus.flush(SOON);
  isPublishing = true;
  bus.publish("own", bytes("later"));
  isPublishing = false;
  assert.deepEqual(await arrived.next(1), ["later"]);
});

contract("a closed subscription hears nothing more, and may be closed twice", async (_t, connect) => {
  const { bus } = await connect();
  const arrived = inbox<string>();
  const subscription = bus.subscribe("gone", () => arrived.push("gone"));
  bus.subscribe("kept", () => arrived.push("kept"));
  await bus.flush(SOON);
  subscription.close();
  subscription.close();
  bus.publish("gone", bytes(""));
  bus.publish("kept", bytes(""));
  assert.deepEqual(await arrived.next(1), ["kept"]);
});

contract("a request brings the answer, and undefined where nobody listens", async (_t, connect) => {
  const [asker, answerer] = [await connect(), await connect()];
  answerer.bus.subscribe("ask.*", (message) => message.respond(bytes(`${text(message.data)}!`)));
  await answerer.bus.flush(SOON);
  assert.equal(text(await asker.bus.request("ask.me", bytes("hello"), SOON)), "hello!");
  const many = await Promise.all(
    Array.from({ length: 50 }, (_, i) => asker.bus.request("ask.you", bytes(`${i}`), SOON)),
  );
  assert.deepEqual(
    many.map(text),
    many.map((_, i) => `${i}!`),
  );
  assert.equal(await asker.bus.request("nobody", bytes(""), SOON), undefined);
});

contract("a request that nobody answers ends at its limit", async (_t, connect) => {
  const { bus } = await connect();
  bus.subscribe("silent", () => undefined);
  await bus.flush(SOON);
  assert.equal(await bus.request("silent", bytes(""), { timeoutMs: 50 }), undefined);
});

contract("an answer where none is wanted does nothing", async (_t, connect) => {
  const { bus } = await connect();
  const arrived = inbox<string>();
  bus.subscribe("plain", (message) => {
    message.respond(bytes("unwanted"));
    arrived.push("plain");
  });
  await bus.flush(SOON);
  bus.publish("plain", bytes(""));
  await arrived.next(1);
  await bus.flush(SOON);
});

contract("the status is told at once, and that it is closed, last", async (_t, connect) => {
  const transport = await connect();
  const seen = inbox<BusStatus["kind"]>();
  const ignored = inbox<string>();
  transport.bus.onStatus((status) => seen.push(status.kind));
  const early = transport.bus.onStatus((status) => ignored.push(status.kind));
  await ignored.next(1);
  early.close();
  early.close();
  await transport.close();
  await transport.close();
  assert.deepEqual(await seen.next(2), ["connected", "closed"]);
  assert.deepEqual(ignored.items, ["connected"]);
});

contract("a closed transport publishes into nothing and refuses everything else", async (_t, connect) => {
  const transport = await connect();
  await transport.close();
  const refused = { name: "LoadError", code: "BUS_UNAVAILABLE" };
  transport.bus.publish("late", bytes(""));
  assert.throws(() => transport.bus.subscribe("late", () => undefined), refused);
  await assert.rejects(transport.bus.request("late", bytes(""), SOON), refused);
  await assert.rejects(transport.bus.flush(SOON), refused);
  const id = { run: "r", agent: "a", epoch: 1, kind: "snapshot", seq: 1, resend: 0 } as const;
  await assert.rejects(transport.log.append(id, bytes(""), SOON), refused);
  await assert.rejects(transport.state.get("run.r"), refused);
  await assert.rejects(transport.blobs.get("b"), refused);
});
