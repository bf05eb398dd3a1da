import assert from "node:assert/strict";
import type { LogEntry, ResultId } from "@tokenstorm/protocol";
import { bytes, contract, inbox, text } from "./transports.js";

const SOON = { timeoutMs: 5000 };
const id = (seq: number, more: Partial<ResultId> = {}): ResultId => ({
  run: "r1",
  agent: "a1",
  epoch: 1,
  kind: "snapshot",
  seq,
  resend: 0,
  ...more,
});
const told = (entry: LogEntry) => `${entry.run}/${entry.agent}/${entry.kind}/${text(entry.data)}`;

contract("whoever follows sees the entries from before and those to come, in order", async (_t, connect) => {
  const [agent, leader] = [await connect(), await connect()];
  const entries = inbox<LogEntry>();
  for (let seq = 1; seq <= 300; seq += 1) await agent.log.append(id(seq), bytes(`${seq}`), SOON);
  await leader.log.follow("r1", (entry) => entries.push(entry));
  for (let seq = 301; seq <= 400; seq += 1)
    await agent.log.append(id(seq, { agent: `a${seq % 3}` }), bytes(`${seq}`), SOON);
  await agent.log.append(id(400, { kind: "final" }), bytes("end"), SOON);
  const seen = await entries.next(401);
  assert.deepEqual(
    seen.map((entry) => text(entry.data)),
    [...Array.from({ length: 400 }, (_, i) => `${i + 1}`), "end"],
  );
  const positions = seen.map((entry) => entry.position);
  assert.deepEqual(
    positions,
    [...positions].sort((a, b) => a - b),
  );
  assert.equal(new Set(positions).size, 401);
  assert.equal(told(seen[400] ?? assert.fail("no entry")), "r1/a1/final/end");
});

contract("an id is stored once; every part of it tells two entries apart", async (_t, connect) => {
  const { log } = await connect();
  const variants = [
    id(1),
    id(2),
    id(1, { kind: "final" }),
    id(1, { agent: "a2" }),
    id(1, { epoch: 2 }),
    id(1, { resend: 1 }),
    id(1, { run: "r2" }),
  ];
  for (const variant of variants) {
    const data = bytes(JSON.stringify(variant));
    assert.deepEqual(await log.append(variant, data, SOON), { duplicate: false });
    assert.deepEqual(await log.append(variant, data, SOON), { duplicate: true });
  }
  const entries = inbox<string | undefined>();
  await log.follow("r1", (entry) => entries.push(text(entry.data)));
  const own = variants.filter((variant) => variant.run === "r1").map((variant) => JSON.stringify(variant));
  assert.deepEqual(await entries.next(own.length), own);
});

contract("many entries at once are all stored, each once", async (_t, connect) => {
  const { log } = await connect();
  const entries = inbox<string>();
  await log.follow("r1", (entry) => entries.push(text(entry.data) ?? ""));
  const acks = await Promise.all(
    Array.from({ length: 200 }, (_, i) => log.append(id(i % 100), bytes(`${i % 100}`), SOON)),
  );
  assert.equal(acks.filter((ack) => ack.duplicate).length, 100);
  const seen = await entries.next(100);
  assert.deepEqual(
    seen.map(Number).sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

contract("a follower that closed hears nothing more, another goes on", async (_t, connect) => {
  const { log } = await connect();
  const [gone, kept] = [inbox<string>(), inbox<string>()];
  const subscription = await log.follow("r1", (entry) => gone.push(told(entry)));
  await log.follow("r1", (entry) => kept.push(told(entry)));
  await log.append(id(1), bytes("1"), SOON);
  await Promise.all([gone.next(1), kept.next(1)]);
  subscription.close();
  subscription.close();
  await log.append(id(2), bytes("2"), SOON);
  await kept.next(2);
  assert.equal(gone.items.length, 1);
});

contract("a purge forgets one run and leaves the others", async (_t, connect) => {
  const { log } = await connect();
  await log.append(id(1), bytes("1"), SOON);
  await log.append(id(1, { run: "r2" }), bytes("other"), SOON);
  await log.purge("r1");
  const [empty, other] = [inbox<string>(), inbox<string>()];
  await log.follow("r1", (entry) => empty.push(told(entry)));
  await log.follow("r2", (entry) => other.push(told(entry)));
  await other.next(1);
  await log.append(id(2), bytes("2"), SOON);
  assert.deepEqual(await empty.next(1), ["r1/a1/snapshot/2"]);
});

contract("an entry of half a megabyte arrives as it was", async (_t, connect) => {
  const { log } = await connect();
  const data = Uint8Array.from({ length: 500_000 }, (_, i) => (i * 7) % 251);
  const entries = inbox<LogEntry>();
  await log.follow("r1", (entry) => entries.push(entry));
  await log.append(id(1), data, SOON);
  const [entry] = await entries.next(1);
  assert.deepEqual(Buffer.from(entry?.data ?? []), Buffer.from(data));
});

contract("ids that would widen a subject are refused", async (_t, connect) => {
  const { log } = await connect();
  for (const bad of [id(1, { run: "a.b" }), id(1, { agent: ">" }), id(1, { agent: "" })])
    await assert.rejects(log.append(bad, bytes(""), SOON), { code: "PROTOCOL_MALFORMED" });
  await assert.rejects(
    log.follow("*", () => undefined),
    { code: "PROTOCOL_MALFORMED" },
  );
});

contract("the runs that it holds anything of are listed, until they are purged", async (_t, connect) => {
  const { log } = await connect();
  assert.deepEqual(await log.runs(), []);
  for (const run of ["r1", "r2"]) await log.append(id(1, { run }), bytes("x"), SOON);
  await log.append(id(1, { agent: "_leader", kind: "event", run: "r2" }), bytes("x"), SOON);
  assert.deepEqual((await log.runs()).sort(), ["r1", "r2"]);
  await log.purge("r1");
  assert.deepEqual(await log.runs(), ["r2"]);
});
