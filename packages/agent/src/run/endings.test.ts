import assert from "node:assert/strict";
import { test } from "node:test";
import type { Final, PlanInput } from "@tokenstorm/core";
import { runKey } from "@tokenstorm/protocol";
import { settle } from "@tokenstorm/testkit";
import { Cluster, RUN, readableUnless } from "../testing/cluster.js";
import { checkBooks, sentBy } from "../testing/looks.js";

type UserStages = Extract<PlanInput["load"], { kind: "users" }>["stages"];

const users = (...stages: UserStages): Partial<PlanInput> => ({ load: { kind: "users", stages } });
const twoSeconds = users({ users: 3, rampUpMs: 300, settleMs: 200, durationMs: 1500 });
const long = users({ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 600_000 });

test("stop drain sends nothing new and lets requests finish; their results are delivered", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { target: { latencyUs: () => 700_000 } });
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  await cluster.write({ state: "draining", stop: { level: "drain", reason: "asked" } });
  assert.equal(cluster.last(agent).state, "draining");
  const before = sentBy(cluster, agent).length;
  await cluster.runTo(3_000_000);
  assert.equal(sentBy(cluster, agent).length, before);
  assert.equal(cluster.last(agent).state, "done");
  assert.deepEqual(agent.targets[0]?.cancelled, []);
  checkBooks(cluster);
  assert.equal(cluster.finals[0]?.ledger.completed, before);
  await cluster.close();
});

test("what is still in flight at the grace limit of a stop is censored, not cancelled", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { target: { latencyUs: () => 60_000_000 } });
  await cluster.start({ ...long, gracePeriodMs: 2000 });
  await cluster.runTo(1_500_000);
  await cluster.write({ stop: { level: "drain", reason: "asked" } });
  await cluster.runTo(3_400_000);
  assert.equal(cluster.last(agent).state, "draining");
  await cluster.runTo(5_000_000);
  assert.equal(cluster.last(agent).state, "done");
  assert.equal(agent.targets[0]?.cancelled.length, 4);
  checkBooks(cluster);
  const due = cluster.snapshots.flatMap(({ blocks }) => blocks.map((block) => block.due));
  assert.equal(
    due.reduce((sum, { censored }) => sum + censored, 0),
    4,
  );
  assert.equal(
    due.reduce((sum, { cancelled }) => sum + cancelled, 0),
    0,
  );
  await cluster.close();
});

test("stop cut ends what is in flight at once, as cancelled, also while draining", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { target: { latencyUs: () => 60_000_000 } });
  await cluster.start(long);
  await cluster.runTo(1_500_000);
  await cluster.write({ stop: { level: "drain", reason: "asked" } });
  await cluster.runTo(2_000_000);
  assert.equal(cluster.last(agent).state, "draining");
  await cluster.write({ stop: { level: "cut", reason: "asked again" } });
  await cluster.runTo(4_000_000);
  assert.equal(cluster.last(agent).state, "done");
  assert.equal(agent.targets[0]?.cancelled.length, 4);
  checkBooks(cluster);
  assert.equal(cluster.finals[0]?.ledger.cancelled, 4);
  await cluster.close();
});

test("a beacon's stop is heeded although the StateStore cannot be read", async () => {
  const cluster = new Cluster();
  let isDown = false;
  const agent = await cluster.addAgent("a1", {
    transport: readableUnless(() => isDown),
  });
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  isDown = true;
  await cluster.write({ stop: { level: "cut", reason: "asked" } });
  await cluster.runTo(3_000_000);
  assert.equal(cluster.last(agent).state, "done");
  assert.equal(agent.lines.filter(({ message }) => /could not be read/.test(message)).length, 1);
  await cluster.close();
});

test("a stop between commit and time zero sends nothing, and still delivers a final", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  await cluster.propose();
  await cluster.commit();
  await cluster.write({ state: "draining", stop: { level: "drain", reason: "asked" } });
  await cluster.runTo(2_000_000);
  assert.equal(cluster.last(agent).state, "done");
  assert.equal(sentBy(cluster, agent).length, 0);
  assert.equal(cluster.finals[0]?.ledger.offered, 0);
  await cluster.close();
});

test("a stop before the start closes the target and leaves the agent free", async () => {
  for (const step of ["preparing", "armed"] as const) {
    const cluster = new Cluster();
    const agent = await cluster.addAgent("a1");
    await cluster.lead();
    await cluster.submit(twoSeconds);
    await cluster.prepare();
    if (step === "armed") await cluster.propose();
    await cluster.write({ state: "aborted", stop: { level: "drain", reason: "asked" } });
    assert.equal(cluster.last(agent).state, "idle", step);
    assert.equal(agent.targets[0]?.isClosed, true);
    await cluster.close();
  }
});

type Between = readonly [number, number];

/** Spans, us, each end of which lies between two times, both included. */
function assertUnled(
  final: Final | undefined,
  ...spans: readonly { readonly fromUs: Between; readonly toUs: Between }[]
): void {
  const unled = final?.unled ?? [];
  const said = JSON.stringify(unled);
  assert.equal(unled.length, spans.length, said);
  for (const [i, ends] of spans.entries()) {
    for (const end of ["fromUs", "toUs"] as const) {
      const [least, most] = ends[end];
      const us = unled[i]?.[end] ?? Number.NaN;
      assert.ok(us >= least && us <= most, said);
    }
  }
}

test("without any leader for orphanMs an agent stops sending, keeps its intervals, and says since when", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start({ ...long, orphanMs: 10_000, deliverMs: 5000 });
  await cluster.runTo(2_500_000);
  cluster.stopLeading();
  await cluster.runTo(11_000_000);
  assert.equal(cluster.last(agent).state, "running");
  await cluster.runTo(14_500_000);
  assert.match(cluster.last(agent).problem?.message ?? "", /no leader was heard/);
  assert.equal(cluster.last(agent).state, "delivering");
  await cluster.runTo(25_000_000);
  assert.equal(cluster.last(agent).state, "done");
  const lastUs = Math.max(...sentBy(cluster, agent).map(({ tUs }) => tUs));
  assert.ok(lastUs < 14_000_000, `${lastUs}`);
  assert.equal(agent.spool.size, 1);
  checkBooks(cluster);
  // From the last beacon on, to the end of its run.
  assertUnled(cluster.finals[0], { fromUs: [1_500_000, 2_500_000], toUs: [11_500_000, 14_500_000] });
  await cluster.close();
  assert.deepEqual(await agent.exit, { code: 1, spooled: ["/spool/r1-a1-e7.spool.ndjson"] });
});

test("an agent that goes on under another leader says from when to when it heard none, and of a beacon or two nothing", async () => {
  const cluster = new Cluster();
  await cluster.addAgent("a1");
  await cluster.start(long);
  for (const [deafUs, ledUs] of [
    [2_500_000, 4_500_000],
    [10_500_000, 18_500_000],
    [24_500_000, 29_500_000],
  ] as const) {
    await cluster.runTo(deafUs);
    cluster.stopLeading();
    await cluster.runTo(ledUs);
    cluster.beacon = { ...cluster.beacon, term: cluster.beacon.term + 1 };
    await cluster.lead();
  }
  await cluster.runTo(32_000_000);
  await cluster.write({ stop: { level: "drain", reason: "asked" } });
  await cluster.runTo(35_000_000);
  assertUnled(
    cluster.finals[0],
    { fromUs: [9_500_000, 10_500_000], toUs: [18_500_000, 18_600_000] },
    { fromUs: [23_500_000, 24_500_000], toUs: [29_500_000, 29_600_000] },
  );
  await cluster.close();
});

test("an agent that a beacon names as given up stops sending", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  cluster.sendBeacon({ givenUp: ["a1"] });
  await cluster.runTo(3_000_000);
  assert.equal(cluster.last(agent).state, "done");
  assert.match(cluster.last(agent).problem?.message ?? "", /given this agent up/);
  await cluster.close();
});

test("a run that is stopped in the StateStore while nobody leads is stopped", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  cluster.stopLeading();
  await cluster.write({ stop: { level: "drain", reason: "asked" } }, { isSilent: true });
  await cluster.runTo(6_000_000);
  assert.notEqual(cluster.last(agent).state, "running");
  await cluster.close();
});

test("beacons of a lower term are ignored during a run; an idle agent follows them after a long silence", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  cluster.beacon = { ...cluster.beacon, term: 5 };
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  cluster.stopLeading();
  cluster.sendBeacon({ term: 4, stop: "cut" });
  await cluster.runTo(1_500_000);
  assert.equal(cluster.last(agent).state, "running");
  cluster.sendBeacon({ term: 5, stop: "cut" });
  await cluster.runTo(3_000_000);
  cluster.sendBeacon({ term: 5 });
  await settle();
  await cluster.write({ state: "aborted" });
  assert.equal(cluster.last(agent).state, "idle");
  cluster.sendBeacon({ term: 1, run: null, state: null });
  await cluster.clock.advanceByAsync(1_000_000);
  assert.equal(cluster.last(agent).term, 5);
  await cluster.clock.advanceByAsync(16_000_000);
  cluster.sendBeacon({ term: 1, run: null, state: null });
  await cluster.clock.advanceByAsync(1_000_000);
  assert.equal(cluster.last(agent).term, 1);
  await cluster.close();
});

test("an agent that is done stays in its run while a new leader has yet to take it up", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start(twoSeconds);
  await cluster.runTo(4_000_000);
  cluster.sendBeacon({ term: 2, run: null, state: null });
  await cluster.runTo(4_500_000);
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).run], ["done", RUN]);
  cluster.sendBeacon({ term: 2, run: "r2", state: "gathering" });
  await settle();
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).run], ["idle", null]);
  await cluster.close();
});

test("a run that ends without the agent is cut, its results are kept in a file, and the agent is free", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  cluster.isConfirming = false;
  await cluster.start(long);
  await cluster.runTo(2_500_000);
  await cluster.write({ state: "failed" });
  await cluster.runTo(4_000_000);
  assert.equal(cluster.last(agent).state, "delivering");
  await cluster.runTo(7_000_000);
  assert.equal(cluster.last(agent).state, "idle");
  assert.equal(agent.spool.size, 1);
  await cluster.close();
  assert.deepEqual(await agent.exit, { code: 1, spooled: ["/spool/r1-a1-e7.spool.ndjson"] });
});

test("close during a run drains and delivers before it resolves; twice does no harm", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { target: { latencyUs: () => 400_000 } });
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  let isClosed = false;
  const closed = Promise.all([agent.agent.close(), agent.agent.close()]).then(() => {
    isClosed = true;
  });
  await settle();
  assert.equal(cluster.last(agent).state, "draining");
  assert.equal(cluster.last(agent).problem?.code, "RUN_ABORTED");
  assert.equal(isClosed, false);
  await cluster.runTo(4_000_000);
  await closed;
  assert.deepEqual(await agent.exit, { code: 0, spooled: [] });
  assert.deepEqual(agent.targets[0]?.cancelled, []);
  checkBooks(cluster);
  await cluster.close();
});

test("close with now cuts the run, and does not wait long for a leader that confirms nothing", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { target: { latencyUs: () => 60_000_000 } });
  cluster.isConfirming = false;
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  const draining = agent.agent.close();
  await cluster.runTo(2_000_000);
  const cutting = agent.agent.close({ now: true });
  await cluster.runTo(5_500_000);
  await Promise.all([draining, cutting]);
  assert.equal(agent.targets[0]?.cancelled.length, 4);
  assert.equal((await agent.exit) instanceof Error, false);
  assert.equal(agent.spool.size, 1);
  await cluster.close();
});

test("requests that do not end although they were cancelled do not hold up the run", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", {
    target: { latencyUs: () => 60_000_000, isDeafToCancel: true },
  });
  await cluster.start(long);
  await cluster.runTo(1_000_000);
  await cluster.write({ stop: { level: "cut", reason: "asked" } });
  await cluster.runTo(5_000_000);
  assert.equal(cluster.last(agent).state, "done");
  checkBooks(cluster);
  assert.ok(agent.lines.some(({ level, message }) => level === "error" && /did not end/.test(message)));
  await cluster.close();
});

test("a record that its store has lost ends a run only where nobody leads it and nobody writes it again", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start(long);
  const { state } = cluster.transport;
  await state.delete(runKey(RUN));
  await cluster.runTo(40_000_000);
  assert.equal(cluster.last(agent).state, "running", "its leader speaks");
  cluster.stopLeading();
  await cluster.runTo(55_000_000);
  assert.equal(cluster.last(agent).state, "running", "it may still be written again");
  await cluster.runTo(70_000_000);
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).run], ["idle", null]);
  await cluster.close();
});
