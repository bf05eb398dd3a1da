import assert from "node:assert/strict";
import { test } from "node:test";
import { movesOf, type PlanInput } from "@tokenstorm/core";
import { Cluster } from "../testing/cluster.js";
import { checkBooks, type Sent, sentBy } from "../testing/looks.js";

const S = 1_000_000;

const arrivals = (spacing: "even" | "poisson", times = 1): PlanInput["load"] => ({
  kind: "arrival-rate",
  spacing,
  maxInFlight: times === 1 ? 90 : 900,
  stages: [20, 8, 30, 12].map((rps) => ({ durationMs: 5000, fromRps: rps * times })),
});

const users: PlanInput["load"] = {
  kind: "users",
  stages: [5, 9, 7].map((number) => ({ users: number, rampUpMs: 1000, settleMs: 0, durationMs: 5000 })),
};

const bounded: PlanInput["load"] = {
  kind: "users",
  stages: [
    { users: 7, rampUpMs: 0, requests: 350 },
    { users: 7, rampUpMs: 0, requests: 47 },
    { users: 7, rampUpMs: 0, requests: 47, requestsFrom: "pool" },
    { users: 5, rampUpMs: 500, settleMs: 0, durationMs: 3000 },
  ],
};

/** A run by three agents, of which `lost` is given up at 2 s, after a second of orphanMs; or by one alone. */
async function outing(
  load: PlanInput["load"],
  { agents = 3, lost }: { readonly agents?: number; readonly lost?: string } = {},
): Promise<{ readonly cluster: Cluster; readonly sent: readonly Sent[] }> {
  const cluster = new Cluster();
  for (let i = 0; i < agents; i += 1)
    await cluster.addAgent(`a${i}`, { offsetUs: i * 1_000_003, target: { latencyUs: () => 90_000 } });
  await cluster.start({ load, lossPolicy: "reshard", orphanMs: 1000 });
  for (let tUs = 0; tUs < 24 * S; tUs += 500_000) {
    await cluster.runTo(tUs);
    if (tUs === 2 * S && lost !== undefined) await giveUp(cluster, lost);
    await commitNextStage(cluster, lost);
  }
  checkBooks(cluster);
  await cluster.close();
  return { cluster, sent: sentBy(cluster, ...cluster.agents) };
}

async function giveUp(cluster: Cluster, agent: string): Promise<void> {
  assert.ok(cluster.record !== null);
  const loss = { agent, epoch: 7, lastHeardUs: S, lostUs: 2 * S, reason: "silent", foundUs: null };
  const losses = [...(cluster.record.losses ?? []), loss];
  const moves = movesOf({ ...cluster.record, losses }, cluster.record.stageStartsUs);
  await cluster.write({ losses, moves });
}

/** As a leader does: by the same change others get what the lost agent was to send. */
async function commitNextStage(cluster: Cluster, lost: string | undefined): Promise<void> {
  const { record } = cluster;
  const next = record?.stageStartsUs.indexOf(null) ?? -1;
  if (record === null || next < 1) return;
  const present = cluster.agents.filter(({ id }) => id !== lost);
  if (present.some((agent) => cluster.last(agent).stageDone < next - 1)) return;
  const startUs = Math.max(cluster.clock.nowUs() - cluster.zeroUs + 1_100_000, 4 * S);
  const stageStartsUs = record.stageStartsUs.with(next, startUs);
  await cluster.write({ stageStartsUs, moves: movesOf(record, stageStartsUs) });
}

const idsOf = (sent: readonly Sent[], stage: number): string[] =>
  sent
    .filter((one) => one.stage === stage)
    .map(({ id }) => id)
    .sort();

for (const [name, load, fromStage] of [
  ["even arrivals", arrivals("even"), 1],
  ["Poisson arrivals", arrivals("poisson"), 1],
  ["more arrivals than are walked in one slice", arrivals("poisson", 20), 1],
  ["stages bounded by requests", bounded, 1],
] as const) {
  test(`from the edge on two agents send exactly what one would, the third being lost: ${name}`, async () => {
    const alone = await outing(load, { agents: 1 });
    for (const lost of ["a0", "a2"]) {
      const { sent, cluster } = await outing(load, { lost });
      const stages = cluster.record?.stageStartsUs.length ?? 0;
      for (let stage = fromStage; stage < Math.min(stages, 3); stage += 1)
        assert.deepEqual(idsOf(sent, stage), idsOf(alone.sent, stage), `stage ${stage} without ${lost}`);
      assert.equal(new Set(sent.map(({ id }) => id)).size, sent.length, "nothing is sent twice");
      assert.ok(idsOf(sent, 0).length < idsOf(alone.sent, 0).length, "what was due in between is not sent");
      const own = sentBy(cluster, ...cluster.agents.filter(({ id }) => id === lost));
      assert.ok(
        own.every(({ tUs }) => tUs <= 2 * S),
        "whoever was given up stops",
      );
    }
  });
}

test("a shard that was given away before time zero is sent by the others from the edge on", async () => {
  const cluster = new Cluster();
  for (const id of ["a0", "a1", "a2"]) await cluster.addAgent(id);
  await cluster.lead();
  await cluster.submit({ load: users, lossPolicy: "reshard", orphanMs: 1000 });
  await cluster.prepare();
  await cluster.propose();
  await cluster.commit();
  await giveUp(cluster, "a1");
  await cluster.runTo(9 * S);
  const sent = sentBy(cluster, ...cluster.agents);
  const usersOf = (stage: number) =>
    [
      ...new Set(sent.filter((one) => one.stage === stage).map(({ key }) => /-u(\d+)-/.exec(key)?.[1])),
    ].sort();
  assert.deepEqual(usersOf(0), ["0", "2", "3"]);
  assert.deepEqual(usersOf(1), ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
  await cluster.close();
});

test("users that are taken over begin at the edge, over its ramp, and each of them is one agent's", async () => {
  const { cluster, sent } = await outing(users, { lost: "a1" });
  const edgeUs = 6 * S;
  const taken = sent.filter(({ stage, key }) => stage === 1 && /-u[147]-j0$/.test(key));
  assert.deepEqual(
    taken.map(({ key, tUs }) => [key, tUs - edgeUs]).sort(),
    // A ninth of the ramp for each user before it.
    [
      ["s1-u1-j0", 111_111],
      ["s1-u4-j0", 444_444],
      ["s1-u7-j0", 777_778],
    ],
  );
  for (const stage of [1, 2]) {
    const byUser = new Map<string, Set<string>>();
    for (const agent of cluster.agents)
      for (const { key, stage: of } of sentBy(cluster, agent)) {
        const user = /-u(\d+)-/.exec(key)?.[1] ?? "";
        if (of === stage) byUser.set(user, (byUser.get(user) ?? new Set()).add(agent.id));
      }
    assert.equal(byUser.size, stage === 1 ? 9 : 7);
    for (const [user, owners] of byUser) assert.equal(owners.size, 1, `user ${user} in stage ${stage}`);
  }
  const started = cluster.finals.map(({ agent, usersStarted }) => [agent, usersStarted?.["1"]?.never]);
  assert.deepEqual(started.sort(), [
    ["a0", 0],
    // It had stopped before the stage began.
    ["a1", undefined],
    ["a2", 0],
  ]);
});

test("taken over shards bring their part of maxInFlight along, and no more", async () => {
  const cluster = new Cluster();
  for (const id of ["a0", "a1"]) await cluster.addAgent(id, { target: { latencyUs: () => 60 * S } });
  const stages = [1, 60, 60].map((fromRps) => ({ durationMs: 4000, fromRps }));
  await cluster.start({
    load: { kind: "arrival-rate", spacing: "even", maxInFlight: 31, stages },
    lossPolicy: "reshard",
    orphanMs: 1000,
    gracePeriodMs: 1000,
  });
  await cluster.runTo(2 * S);
  await giveUp(cluster, "a1");
  await cluster.runTo(11 * S);
  assert.equal(cluster.last(cluster.agents[0] ?? assert.fail()).ledger?.inFlight, 31);
  await cluster.runTo(16 * S);
  checkBooks(cluster);
  await cluster.close();
});

test("an agent that takes over more connections than it may open says so, and one that has room does not", async () => {
  const cluster = new Cluster();
  for (const id of ["a0", "a1", "a2"]) await cluster.addAgent(id);
  const stages = [1, 1, 1].map((fromRps) => ({ durationMs: 4000, fromRps }));
  await cluster.start({
    load: { kind: "arrival-rate", spacing: "even", maxInFlight: 1500, stages },
    lossPolicy: "reshard",
    orphanMs: 1000,
  });
  const [last] = cluster.agents;
  assert.ok(last !== undefined);
  const said = () => last.lines.filter(({ message }) => message.includes("file descriptors"));
  await cluster.runTo(2 * S);
  await giveUp(cluster, "a1");
  assert.deepEqual(said(), [], "750 connections, and 1024 descriptors");
  await giveUp(cluster, "a2");
  await cluster.runTo(3 * S);
  assert.match(said()[0]?.message ?? "", /1500 connections, which takes 1600 file descriptors.* 1024/);
  assert.equal(said().length, 1);
  await cluster.runTo(16 * S);
  await cluster.close();
});
