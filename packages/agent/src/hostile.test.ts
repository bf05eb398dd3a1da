import assert from "node:assert/strict";
import { test } from "node:test";
import type { LeaseEntry, PlanInput } from "@tokenstorm/core";
import { type Beacon, encodeBeacon, encodeLease, LEADER_KEY, runKey } from "@tokenstorm/protocol";
import { Cluster, NAMES, RUN, readableUnless, readBy } from "./testing/cluster.js";

const long: Partial<PlanInput> = {
  load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 600_000 }] },
};

/** Writes who leads, over whatever stands there. */
async function lease({ transport: { state } }: Cluster, change: Partial<LeaseEntry> = {}): Promise<void> {
  const entry: LeaseEntry = {
    v: 1,
    term: 1,
    leader: "leader",
    instance: "leader-1",
    isFree: false,
    ...change,
  };
  const before = await state.get(LEADER_KEY);
  await state.compareAndSet(LEADER_KEY, encodeLease(entry), before?.revision);
}

const CLAIM: Partial<Beacon> = { term: 6, leader: "c9", leaderInstance: "c9-1", seq: 1, stop: "cut" };

test("a beacon of a higher term moves nobody unless the store knows that leader; the true one is still heard", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await lease(cluster);
  await cluster.start(long);
  cluster.transport.bus.publish(NAMES.beacon, encodeBeacon({ ...cluster.beacon, ...CLAIM }));
  await cluster.runTo(3_000_000);
  const { state, term, refusals } = cluster.last(agent);
  assert.deepEqual([state, term, refusals], ["running", 1, 1]);
  assert.match(
    agent.lines.map(({ fields }) => String(fields?.["reason"])).join("\n"),
    /c9, which does not lead/,
  );
  await lease(cluster, { term: 6, leader: "c9", instance: "c9-1" });
  cluster.transport.bus.publish(NAMES.beacon, encodeBeacon({ ...cluster.beacon, ...CLAIM, seq: 2 }));
  await cluster.runTo(4_500_000);
  assert.equal(cluster.last(agent).term, 6);
  assert.equal(cluster.last(agent).state, "delivering");
  await cluster.close();
});

test("nor does one of another leader under the same term", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await lease(cluster, { instance: cluster.beacon.leaderInstance });
  await cluster.start(long);
  const claim = { ...cluster.beacon, leader: "c9", leaderInstance: "c9-1", seq: 1, stop: "cut" } as const;
  cluster.transport.bus.publish(NAMES.beacon, encodeBeacon(claim));
  await cluster.runTo(3_000_000);
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).refusals], ["running", 1]);
  await cluster.close();
});

test("what the store bears out counts from when it came, and not where its leader has said more since", async () => {
  const cluster = new Cluster();
  const waiting: (() => void)[] = [];
  let isHanging = false;
  const agent = await cluster.addAgent("a1", {
    transport: readBy(async (key, read) => {
      const entry = await read(key);
      if (key === LEADER_KEY && isHanging) await new Promise<void>((resolve) => waiting.push(resolve));
      return entry;
    }),
  });
  await cluster.start(long);
  cluster.stopLeading();
  await lease(cluster, { term: 2 });
  const said = (seq: number, stop: Beacon["stop"]) => {
    const beacon = { ...cluster.beacon, term: 2, seq, stop };
    cluster.transport.bus.publish(NAMES.beacon, encodeBeacon(beacon));
  };
  isHanging = true;
  said(1, "none");
  await cluster.runTo(1_000_000);
  // Waits for the answer to the first.
  said(2, "cut");
  await cluster.runTo(2_000_000);
  waiting[0]?.();
  await cluster.runTo(2_500_000);
  assert.equal(waiting.length, 2, "the second is asked for");
  said(3, "none");
  await cluster.runTo(3_000_000);
  waiting[1]?.();
  await cluster.runTo(4_000_000);
  assert.deepEqual([cluster.last(agent).term, cluster.last(agent).state], [2, "running"]);
  await cluster.close();
});

test("a store that cannot be read proves nothing, and a leader is heeded once it can", async () => {
  const cluster = new Cluster();
  let isOut = false;
  const agent = await cluster.addAgent("a1", {
    transport: readableUnless(() => isOut),
  });
  await cluster.start(long);
  isOut = true;
  await lease(cluster, { term: 2 });
  cluster.beacon = { ...cluster.beacon, term: 2 };
  await cluster.runTo(2_500_000);
  assert.equal(cluster.last(agent).term, 1);
  isOut = false;
  await cluster.runTo(4_500_000);
  assert.equal(cluster.last(agent).term, 2);
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).refusals], ["running", 0]);
  await cluster.close();
});

test("a beacon that was said before is refused, whatever it asks for", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start(long);
  const old = encodeBeacon({ ...cluster.beacon, seq: cluster.beacon.seq - 1, stop: "cut" });
  cluster.transport.bus.publish(NAMES.beacon, old);
  await cluster.runTo(1_500_000);
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).refusals], ["running", 1]);
  await cluster.close();
});

test("an earlier record of the run, or another run's, is not acted on where it stands under the run's key", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.lead();
  await cluster.submit(long);
  const { state } = cluster.transport;
  const early = await state.get(runKey(RUN));
  assert.ok(early !== undefined);
  await cluster.prepare();
  await cluster.propose();
  await cluster.commit();
  await cluster.runTo(1_000_000);
  const now = await state.get(runKey(RUN));
  // It names no agent: whoever believed it would leave the run.
  await state.compareAndSet(runKey(RUN), early.value, now?.revision);
  cluster.stopLeading();
  await cluster.runTo(6_000_000);
  const { state: is, refusals } = cluster.last(agent);
  assert.equal(is, "running");
  assert.ok(refusals >= 1, `${refusals} refusals`);
  await cluster.close();
});

test("heartbeats of a process are numbered without a gap", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start(long);
  const seqs = agent.heartbeats.map(({ seq }) => seq);
  assert.deepEqual(
    seqs,
    seqs.map((_, i) => i + 1),
  );
  await cluster.close();
});
