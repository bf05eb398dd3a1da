import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import type { ResultId, ResultLog } from "@tokenstorm/protocol";
import { settle, VirtualClock } from "@tokenstorm/testkit";
import { Outbox, type OutboxOptions } from "./outbox.js";

/** A log whose answers the test decides. */
function scriptedLog() {
  const asked: { id: ResultId; data: Uint8Array; settle: (error?: Error) => void }[] = [];
  const log: ResultLog = {
    append: (id, data) =>
      new Promise((resolve, reject) => {
        asked.push({
          id,
          data,
          settle: (error) => (error === undefined ? resolve({ duplicate: false }) : reject(error)),
        });
      }),
    follow: () => Promise.reject(new Error("not used")),
    runs: () => Promise.reject(new Error("not used")),
    purge: () => Promise.reject(new Error("not used")),
  };
  return { log, asked };
}

const unavailable = () => new LoadError("BUS_UNAVAILABLE", "no acknowledgement within 5 s");
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

function openOutbox(more: Partial<OutboxOptions> = {}) {
  const { log, asked } = scriptedLog();
  const clock = new VirtualClock({ nowUs: 1_000_000 });
  const warnings: { message: string; fields: Readonly<Record<string, unknown>> | undefined }[] = [];
  const outbox = new Outbox({
    log,
    clock,
    logger: { ...silent, warn: (message, fields) => warnings.push({ message, fields }) },
    run: "r1",
    agent: "a1",
    epoch: 4,
    retainBytes: 1_000_000,
    appendTimeoutMs: 5000,
    appendWindow: 3,
    onChange: () => undefined,
    ...more,
  });
  const add = (seq: number, bytes = 10) =>
    outbox.add({ kind: "snapshot", seq, data: new Uint8Array(bytes).fill(seq) });
  const acknowledgeAll = async () => {
    for (const append of asked) append.settle();
    await settle();
  };
  return { outbox, asked, clock, warnings, add, acknowledgeAll };
}

const seqs = (asked: readonly { id: ResultId }[]) => asked.map(({ id }) => id.seq);

test("snapshots are appended in order, no more at once than the window", async () => {
  const { asked, add } = openOutbox();
  for (let seq = 1; seq <= 5; seq += 1) add(seq);
  assert.deepEqual(seqs(asked), [1, 2, 3]);
  asked[1]?.settle();
  await settle();
  assert.deepEqual(seqs(asked), [1, 2, 3, 4]);
});

test("an append that fails is tried again for ever, with the same id and the same bytes, ever less often", async () => {
  const { outbox, asked, clock, add } = openOutbox();
  add(1);
  const startUs = clock.nowUs();
  const triedAtUs: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    const last = asked.at(-1);
    assert.ok(last);
    triedAtUs.push(clock.nowUs() - startUs);
    last.settle(unavailable());
    const before = asked.length;
    while (asked.length === before) await clock.advanceByAsync(100_000);
  }
  assert.deepEqual(
    triedAtUs.slice(0, 8),
    [0, 1, 3, 7, 15, 31, 63, 113].map((n) => n * 100_000),
  );
  for (const { id, data } of asked) {
    assert.deepEqual(id, { run: "r1", agent: "a1", epoch: 4, kind: "snapshot", seq: 1, resend: 0 });
    assert.equal(data, asked[0]?.data);
  }
  assert.equal(outbox.acknowledgedThrough, 0);
  asked.at(-1)?.settle();
  await settle();
  assert.equal(outbox.acknowledgedThrough, 1);
});

test("after an outage the oldest go first, and nothing overtakes them", async () => {
  const { asked, clock, add } = openOutbox({ appendWindow: 2 });
  for (let seq = 1; seq <= 4; seq += 1) add(seq);
  asked[1]?.settle(unavailable());
  asked[0]?.settle(unavailable());
  await settle();
  await clock.advanceByAsync(200_000);
  assert.deepEqual(seqs(asked), [1, 2, 1, 2]);
});

test("what was acknowledged out of order counts only up to the first gap", async () => {
  const { outbox, asked, add } = openOutbox();
  for (let seq = 1; seq <= 3; seq += 1) add(seq);
  asked[2]?.settle();
  await settle();
  assert.equal(outbox.acknowledgedThrough, 0);
  asked[0]?.settle();
  await settle();
  assert.equal(outbox.acknowledgedThrough, 1);
  asked[1]?.settle();
  await settle();
  assert.equal(outbox.acknowledgedThrough, 3);
});

test("an entry stays until the leader confirms it, and an acknowledgement alone frees nothing", async () => {
  const { outbox, add, acknowledgeAll } = openOutbox();
  for (let seq = 1; seq <= 3; seq += 1) add(seq);
  await acknowledgeAll();
  assert.deepEqual(
    outbox.unconfirmed().map((entry) => entry.seq),
    [1, 2, 3],
  );
  outbox.confirm({ seq: 2, final: false });
  assert.deepEqual(
    outbox.unconfirmed().map((entry) => entry.seq),
    [3],
  );
  assert.equal(outbox.isDelivered, false);
});

test("a run is delivered when the final and every snapshot are confirmed, not before", async () => {
  const { outbox, add, acknowledgeAll } = openOutbox();
  add(1);
  add(2);
  outbox.add({ kind: "final", seq: 2, data: new Uint8Array(3) });
  await acknowledgeAll();
  await acknowledgeAll();
  outbox.confirm({ seq: 1, final: true });
  assert.equal(outbox.isDelivered, false);
  outbox.confirm({ seq: 2, final: true });
  assert.equal(outbox.isDelivered, true);
});

test("a confirmation also ends an append whose acknowledgement was lost", async () => {
  const { outbox, asked, clock, add } = openOutbox();
  add(1);
  outbox.confirm({ seq: 1, final: false });
  asked[0]?.settle(unavailable());
  await clock.advanceByAsync(60_000_000);
  assert.equal(asked.length, 1);
  assert.equal(outbox.acknowledgedThrough, 1);
});

test("what the leader misses is appended again under a new id, with the same bytes, once for each loss", async () => {
  const { outbox, asked, clock, add, acknowledgeAll } = openOutbox();
  add(1);
  add(2);
  outbox.resend({ seqs: [1], final: false });
  assert.deepEqual(seqs(asked), [1, 2], "still on its way");
  await acknowledgeAll();
  outbox.resend({ seqs: [1], final: false });
  assert.equal(asked.length, 2, "just acknowledged");
  await clock.advanceByAsync(3_000_000);
  for (let beacon = 0; beacon < 3; beacon += 1) outbox.resend({ seqs: [1, 77], final: false });
  assert.deepEqual(
    asked.map(({ id }) => [id.seq, id.resend]),
    [
      [1, 0],
      [2, 0],
      [1, 1],
    ],
  );
  assert.equal(asked[2]?.data, asked[0]?.data);
  await acknowledgeAll();
  await clock.advanceByAsync(3_000_000);
  outbox.resend({ seqs: [1], final: false });
  assert.equal(asked.at(-1)?.id.resend, 2);
});

test("a final that the leader misses is appended again", async () => {
  const { outbox, asked, clock, acknowledgeAll } = openOutbox();
  outbox.add({ kind: "final", seq: 9, data: new Uint8Array(3) });
  await acknowledgeAll();
  await clock.advanceByAsync(3_000_000);
  outbox.resend({ seqs: [], final: true });
  assert.deepEqual(
    asked.map(({ id }) => [id.kind, id.seq, id.resend]),
    [
      ["final", 9, 0],
      ["final", 9, 1],
    ],
  );
});

test("beyond the bound acknowledged entries go first, oldest first, and each is counted and named", async () => {
  const { outbox, asked, warnings, add } = openOutbox({ retainBytes: 50, appendWindow: 8 });
  for (let seq = 1; seq <= 5; seq += 1) add(seq);
  for (const index of [2, 3]) asked[index]?.settle();
  await settle();
  add(6);
  assert.deepEqual(
    outbox.unconfirmed().map((entry) => entry.seq),
    [1, 2, 4, 5, 6],
  );
  assert.equal(outbox.evicted, 1);
  assert.deepEqual(warnings.at(-1)?.fields, {
    run: "r1",
    retainBytes: 50,
    acknowledged: 1,
    neverAcknowledged: 0,
  });
});

test("only when nothing acknowledged is left does what was never acknowledged go, and never the final", async () => {
  const { outbox, warnings, add } = openOutbox({ retainBytes: 50, appendWindow: 1 });
  for (let seq = 1; seq <= 5; seq += 1) add(seq);
  outbox.add({ kind: "final", seq: 5, data: new Uint8Array(10) });
  add(6);
  assert.deepEqual(
    outbox.unconfirmed().map((entry) => `${entry.kind} ${entry.seq}`),
    ["snapshot 1", "snapshot 4", "snapshot 5", "final 5", "snapshot 6"],
  );
  assert.equal(outbox.evicted, 2);
  assert.equal(warnings.at(-1)?.fields?.["neverAcknowledged"], 1);
});

test("a refusal by the log is kept as the outbox's problem until an append succeeds", async () => {
  const { outbox, asked, clock, add } = openOutbox();
  add(1);
  asked[0]?.settle(new LoadError("BUS_DENIED", "publish to ts.v1.res.r1.a1.snapshot is not allowed"));
  await clock.advanceByAsync(100_000);
  assert.equal(outbox.problem?.code, "BUS_DENIED");
  asked[1]?.settle();
  await settle();
  assert.equal(outbox.problem, undefined);
});

test("a stopped outbox appends nothing more, keeps what it holds, and leaves no timer behind", async () => {
  const { outbox, asked, clock, add } = openOutbox();
  add(1);
  asked[0]?.settle(unavailable());
  await settle();
  outbox.stop();
  outbox.stop();
  await clock.advanceByAsync(60_000_000);
  assert.equal(asked.length, 1);
  assert.equal(clock.pending, 0);
  assert.equal(outbox.unconfirmed().length, 1);
});
