import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanInput } from "@tokenstorm/core";
import { Cluster, type TestAgent } from "../testing/cluster.js";
import { checkBooks, sentBy } from "../testing/looks.js";

const S = 1_000_000;
const STOPPED_US = 5_010_000;

/** One agent whose process stands still from 5.01 s to 35 s. */
async function paused(
  plan: Partial<PlanInput>,
  isLed = true,
): Promise<{ cluster: Cluster; agent: TestAgent }> {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { target: { latencyUs: () => 300_000 } });
  await cluster.start({ lossPolicy: "continue", ...plan });
  await cluster.runTo(STOPPED_US);
  if (!isLed) cluster.stopLeading();
  cluster.stalledUntilUs = cluster.zeroUs + 35 * S;
  await cluster.runTo(35 * S);
  return { cluster, agent };
}

test("an agent that was stopped for 30 s takes up its shard again: overdue arrivals are dropped late, none is sent in a flood", async () => {
  const load: PlanInput["load"] = {
    kind: "arrival-rate",
    spacing: "even",
    maxInFlight: 500,
    stages: [{ durationMs: 60_000, fromRps: 20 }],
  };
  const { cluster, agent } = await paused({ load });
  await cluster.runTo(70 * S);
  checkBooks(cluster);
  const sent = sentBy(cluster, agent);
  const within = (fromUs: number, toUs: number) =>
    sent.filter(({ tUs }) => tUs >= fromUs && tUs < toUs).length;
  assert.deepEqual([within(0, STOPPED_US), within(STOPPED_US, 35 * S)], [100, 0]);
  // What was due in the second before it woke is not too late, and what was due in its next one comes when it is due.
  assert.ok(within(35 * S, 35 * S + 1000) <= 21, `${within(35 * S, 35 * S + 1000)} at once`);
  assert.equal(within(36 * S + 1, 60 * S), 24 * 20);
  const [final] = cluster.finals;
  assert.equal(final?.ledger.offered, 1200);
  assert.equal(final?.ledger.dropped, 1200 - sent.length);
  const late = cluster.snapshots.flatMap(({ blocks }) => blocks.map(({ due }) => due.dropped.late ?? 0));
  assert.equal(
    late.reduce((sum, count) => sum + count, 0),
    1200 - sent.length,
  );
  await cluster.close();
});

test("users of an agent that was stopped for 30 s send one request each when it wakes, and make up for none", async () => {
  const load: PlanInput["load"] = {
    kind: "users",
    thinkMs: 500,
    stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }],
  };
  const { cluster, agent } = await paused({ load });
  await cluster.runTo(36 * S);
  const sent = sentBy(cluster, agent).filter(({ tUs }) => tUs > STOPPED_US);
  // At most: one that was due already, and one more after an answer of 300 ms and 500 ms of thinking.
  for (const user of [0, 1, 2, 3]) {
    const own = sent.filter(({ key }) => key.includes(`-u${user}-`));
    assert.ok(own.length >= 1 && own.length <= 2, `user ${user} sent ${own.length}`);
  }
  await cluster.runTo(65 * S);
  checkBooks(cluster);
  await cluster.close();
});

test("an agent that wakes after orphanMs sends nothing more, whatever beacon is still on its way to it", async () => {
  const load: PlanInput["load"] = {
    kind: "arrival-rate",
    spacing: "even",
    maxInFlight: 500,
    stages: [
      { durationMs: 30_000, fromRps: 20 },
      { durationMs: 30_000, fromRps: 20 },
    ],
  };
  for (const isBeaconFirst of [false, true]) {
    const { cluster, agent } = await paused({ load, lossPolicy: "reshard", orphanMs: 15_000 }, false);
    if (isBeaconFirst) cluster.sendBeacon();
    await cluster.runTo(35 * S + 1000);
    cluster.sendBeacon();
    await cluster.runTo(40 * S);
    const sent = sentBy(cluster, agent).filter(({ tUs }) => tUs > STOPPED_US);
    assert.deepEqual(sent, [], "others may have its shard by now");
    assert.match(cluster.last(agent).problem?.message ?? "", /no leader was heard/);
    await cluster.close();
  }
});

const lateBeacons = [
  // One that was sent at 5.5 s comes at 12 s.
  { what: "was long on its way", atS: [12], change: { leaderUs: 5.5 * S } },
  { what: "leads no run", atS: [6, 8, 10, 12, 14, 16, 18], change: { run: null } },
] as const;

for (const { what, atS, change } of lateBeacons) {
  test(`under reshard an agent goes by when its run was led: a beacon that ${what} puts its end off by nothing`, async () => {
    for (const lossPolicy of ["reshard", "continue"] as const) {
      const cluster = new Cluster();
      const agent = await cluster.addAgent("a1", { offsetUs: 77_000_000 });
      const stages = [30_000, 30_000].map((durationMs) => ({ durationMs, fromRps: 20 }));
      const load = { kind: "arrival-rate", spacing: "even", maxInFlight: 500, stages } as const;
      await cluster.start({ load, lossPolicy, orphanMs: 15_000 });
      await cluster.runTo(STOPPED_US);
      cluster.stopLeading();
      for (const second of atS) {
        await cluster.runTo(second * S);
        const { leaderUs } = { leaderUs: undefined, ...change };
        const sentUs = leaderUs === undefined ? {} : { leaderUs: cluster.zeroUs + leaderUs };
        cluster.sendBeacon({ ...change, ...sentUs });
      }
      await cluster.runTo(40 * S);
      const last = Math.max(...sentBy(cluster, agent).map(({ tUs }) => tUs));
      const untilUs = lossPolicy === "reshard" ? 21 * S : ((atS.at(-1) ?? 0) + 16) * S;
      assert.ok(last <= untilUs && last > untilUs - 2 * S, `${lossPolicy}: sent until ${last / S} s`);
      assert.match(cluster.last(agent).problem?.message ?? "", /no leader was heard/);
      await cluster.close();
    }
  });
}

test("a record that names an agent as lost under reshard stops it, also where no beacon comes", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.addAgent("a2");
  const stages = [5000, 60_000].map((durationMs) => ({ users: 4, rampUpMs: 0, settleMs: 0, durationMs }));
  await cluster.start({ load: { kind: "users", stages }, lossPolicy: "reshard" });
  await cluster.runTo(1 * S);
  const losses = [{ agent: "a1", epoch: 7, lastHeardUs: 0, lostUs: S, reason: "silent", foundUs: null }];
  await cluster.write({ losses });
  await cluster.runTo(3 * S);
  assert.equal(cluster.last(agent).state, "done");
  assert.match(cluster.last(agent).problem?.message ?? "", /given this agent up/);
  await cluster.close();
});
