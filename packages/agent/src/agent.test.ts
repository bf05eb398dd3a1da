import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, type PlanInput } from "@tokenstorm/core";
import { decodeClockReply, encodeClockProbe } from "@tokenstorm/protocol";
import { seededRandom, settle } from "@tokenstorm/testkit";
import { Cluster, NAMES, RUN, readBy } from "./testing/cluster.js";
import { FOUND } from "./testing/fake-target.js";
import { checkBooks, sentBy } from "./testing/looks.js";

type UserStages = Extract<PlanInput["load"], { kind: "users" }>["stages"];

const users = (...stages: UserStages): Partial<PlanInput> => ({ load: { kind: "users", stages } });
const twoSeconds = users({ users: 3, rampUpMs: 300, settleMs: 200, durationMs: 1500 });
const long = users({ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 600_000 });

test("an agent goes through a run from admission to idle, saying each state once", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", { offsetUs: 77_000_000 });
  await cluster.start(twoSeconds);
  assert.equal(cluster.last(agent).state, "running");
  assert.equal(cluster.last(agent).startErrorUs, 0);
  await cluster.runTo(4_000_000);
  assert.deepEqual(cluster.states(agent), [
    "idle",
    "preparing",
    "ready",
    "armed",
    "running",
    "draining",
    "delivering",
    "done",
  ]);
  checkBooks(cluster);
  await cluster.write({ state: "completed" });
  const idle = cluster.last(agent);
  assert.deepEqual([idle.state, idle.run, idle.ledger, idle.problem], ["idle", null, null, null]);
  assert.equal(agent.targets[0]?.isClosed, true);
  await cluster.close();
  assert.deepEqual(await agent.exit, { code: 0, spooled: [] });
});

test("a target is told how many events are planned for its process", async () => {
  const cluster = new Cluster();
  const agents = [await cluster.addAgent("a1"), await cluster.addAgent("a2")];
  await cluster.start(users({ users: 60, durationMs: 1500 }));
  const planned = agents.map(({ targets }) => targets.map(({ plannedEventsPerS }) => plannedEventsPerS));
  assert.deepEqual(planned, [[1500], [1500]]);
  await cluster.close();
});

test("what its host carries goes with an agent's heartbeats and to its targets; what is planned, into its ready word", async () => {
  const limit = { eventsPerS: 31_000, isAtLeast: false };
  const capacity = { undici: limit, raw: { eventsPerS: 52_000, isAtLeast: true } };
  const cluster = new Cluster();
  const calibrated = await cluster.addAgent("a1", { deps: { capacity } });
  const other = await cluster.addAgent("a2");
  await cluster.start(users({ users: 60, durationMs: 1500 }));
  assert.deepEqual(cluster.last(calibrated).capacity, capacity);
  assert.equal("capacity" in cluster.last(other), false);
  assert.deepEqual(calibrated.targets[0]?.capacity, capacity);
  assert.equal(cluster.last(other).ready?.plannedEventsPerS, 1500);
  await cluster.close();
});

test("heartbeats carry the whole state: readiness, attempt, start error, stage, ledger, vitals", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start(long);
  const ready = agent.heartbeats.find(({ state }) => state === "ready");
  assert.deepEqual(
    { ...ready?.ready, walkDigest: "" },
    {
      ...FOUND,
      version: "0.1.0",
      walkDigest: "",
      plannedEventsPerS: 200,
    },
  );
  assert.match(ready?.ready?.walkDigest ?? "", /^[0-9a-f]{32}$/);
  assert.equal(agent.heartbeats.find(({ state }) => state === "armed")?.armedAttempt, 1);
  await cluster.runTo(2_500_000);
  const running = cluster.last(agent);
  assert.equal(running.run, RUN);
  assert.equal(running.epoch, 7);
  assert.equal(running.revision, cluster.record?.revision);
  assert.ok(cluster.beacon.seq - running.beaconSeq <= 1, `${running.beaconSeq}`);
  assert.equal(running.stage, 0);
  assert.ok(running.lastCut >= 1 && running.lastAcked >= 1);
  assert.ok((running.ledger?.completed ?? 0) > 0);
  assert.equal(running.vitals?.descriptors, 20);
  await cluster.close();
});

test("a heartbeat comes each second also when nothing happens, and at once after every change", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.clock.advanceByAsync(5_000_000);
  assert.equal(agent.heartbeats.length, 6);
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  assert.deepEqual(cluster.states(agent), ["idle", "preparing", "ready"]);
  await cluster.close();
});

test("whoever begins to lead hears at once who is there, and after that once a second", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  const heard = async (change: Parameters<Cluster["sendBeacon"]>[0]) => {
    const before = agent.heartbeats.length;
    cluster.sendBeacon(change);
    await settle();
    return agent.heartbeats.length - before;
  };
  assert.equal(await heard({}), 1, "the first beacon");
  assert.equal(await heard({}), 0, "the same leader once more");
  assert.equal(await heard({ leader: "c2", leaderInstance: "c2-1", term: 2 }), 1, "another leader");
  assert.equal(await heard({ leader: "leader", leaderInstance: "leader-1", term: 1 }), 0, "the one before");
  // It has lost the lease and taken it again: it knows nobody any more.
  assert.equal(
    await heard({ leader: "c2", leaderInstance: "c2-1", term: 3 }),
    1,
    "the same process, led anew",
  );
  assert.equal(await heard({ leader: "c2", leaderInstance: "c2-1", term: 3 }), 0, "and once only");
  await cluster.close();
});

test("one run after another: the second finds the agent as the first did", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  for (const id of ["r1", "r2"]) {
    await cluster.start(twoSeconds, id);
    await cluster.runTo(4_000_000);
    assert.equal(cluster.last(agent).state, "done", id);
    await cluster.write({ state: "completed" });
    assert.equal(cluster.last(agent).state, "idle", id);
  }
  assert.equal(agent.targets.length, 2);
  await cluster.close();
});

test("clock probes are answered with receive and answer times of the agent's own clock", async () => {
  const cluster = new Cluster();
  await cluster.addAgent("a1", { offsetUs: 123_456 });
  const answers: Uint8Array[] = [];
  cluster.transport.bus.subscribe(NAMES.clockAnswer("a1"), ({ data }) => answers.push(data));
  cluster.transport.bus.publish(NAMES.clock("a1"), encodeClockProbe({ t0: 42, asker: "me" }));
  await settle();
  const reply = decodeClockReply(answers[0] ?? new Uint8Array());
  const now = cluster.clock.nowUs() + 123_456;
  assert.deepEqual(reply, {
    t0: 42,
    asker: "me",
    t1: now,
    t2: now,
    instance: "a1-i1",
    host: "host-of-a1",
    pid: 4711,
  });
  await cluster.close();
});

test("a second process with a living id is refused, with the place of the first, and the first goes on", async () => {
  const cluster = new Cluster();
  const first = await cluster.addAgent("a1");
  const second = await cluster.addAgent("a1");
  const exit = await second.exit;
  assert.ok(exit instanceof LoadError && exit.code === "AGENT_NOT_READY");
  assert.match(exit.message, /an agent named a1 is already running on host-of-a1 \(pid 4711\)/);
  assert.match(exit.hint ?? "", /--id/);
  assert.equal(second.heartbeats.length, 0);
  await cluster.clock.advanceByAsync(2_000_000);
  assert.equal(first.heartbeats.length, 3);
  await cluster.close();
});

test("an instance that the leader refuses ends, and only that one", async () => {
  const cluster = new Cluster();
  const one = await cluster.addAgent("a1");
  const other = await cluster.addAgent("a2");
  await cluster.lead();
  cluster.sendBeacon({ refused: [other.instance] });
  await settle();
  const exit = await other.exit;
  assert.ok(exit instanceof LoadError && exit.code === "AGENT_NOT_READY");
  assert.equal(cluster.last(one).state, "idle");
  await cluster.close();
});

test("garbage on every subject and in the StateStore is counted and does no harm", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  const random = seededRandom(11);
  const { bus, state } = cluster.transport;
  await cluster.lead();
  await state.compareAndSet("run.garbled", new Uint8Array([1, 2, 3]), undefined);
  cluster.sendBeacon({ run: "garbled", state: "preparing", revision: 3 });
  await settle();
  assert.equal(agent.lines.filter(({ level }) => level === "warn").length, 1);
  for (let i = 0; i < 40; i += 1) {
    bus.publish(NAMES.beacon, random.bytes(random.int(0, 300)));
    bus.publish(NAMES.clock("a1"), random.bytes(random.int(0, 300)));
  }
  cluster.sendBeacon({ run: null, state: null });
  await cluster.clock.advanceByAsync(1_000_000);
  assert.ok(cluster.last(agent).refusals >= 81, `${cluster.last(agent).refusals}`);
  assert.equal(agent.lines.filter(({ level }) => level === "warn").length, 1, "told once, then only counted");
  await cluster.start(twoSeconds);
  await cluster.runTo(4_000_000);
  assert.equal(cluster.last(agent).state, "done");
  await cluster.close();
});

test("a plan that needs more descriptors than the hard limit is refused, naming both numbers and the way out", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.lead();
  await cluster.submit(users({ users: 925, settleMs: 0, durationMs: 1000 }));
  await cluster.prepare();
  const { state, problem } = cluster.last(agent);
  assert.equal(state, "failed");
  assert.equal(problem?.code, "AGENT_NOT_READY");
  assert.match(problem?.message ?? "", /925 connections.*1025 file descriptors.*1024/);
  assert.match(problem?.hint ?? "", /ulimit/);
  await cluster.close();
});

test("what the target refuses in preflight is the heartbeat's problem, and the agent is free for the next run", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", {
    target: {
      preflight: async () => {
        throw new LoadError("TARGET_UNREACHABLE", "nothing listens at http://127.0.0.1:8000", {
          hint: "start it",
        });
      },
    },
  });
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  const { state, problem } = cluster.last(agent);
  assert.deepEqual([state, problem?.code, problem?.hint], ["failed", "TARGET_UNREACHABLE", "start it"]);
  assert.equal(agent.targets[0]?.isClosed, true);
  await cluster.write({ state: "failed" });
  assert.equal(cluster.last(agent).state, "idle");
  await cluster.close();
});

test("a problem of any length reaches the leader", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1", {
    target: {
      preflight: async () => {
        throw new LoadError("TARGET_UNREACHABLE", "no! ".repeat(5000), { hint: "x".repeat(5000) });
      },
    },
  });
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  assert.equal(cluster.last(agent).state, "failed");
  await cluster.close();
});

test("only the committed start starts anyone", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  await cluster.propose();
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).armedAttempt], ["armed", 1]);
  await cluster.clock.advanceByAsync(4_000_000);
  assert.equal(sentBy(cluster, agent).length, 0);
  await cluster.propose(2_000_000, 2);
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).armedAttempt], ["armed", 2]);
  await cluster.commit();
  await cluster.runTo(0);
  assert.equal(cluster.last(agent).state, "running");
  await cluster.close();
});

test("a commit that is read less than 200 ms before time zero starts nobody, and is reported", async () => {
  for (const [beforeUs, state] of [
    [200_000, "armed"],
    [199_999, "failed"],
    [-50_000, "failed"],
  ] as const) {
    const cluster = new Cluster();
    const agent = await cluster.addAgent("a1");
    await cluster.lead();
    await cluster.submit(twoSeconds);
    await cluster.prepare();
    await cluster.propose();
    cluster.stopLeading();
    await cluster.clock.advanceToAsync(cluster.zeroUs - beforeUs);
    await cluster.commit();
    assert.equal(cluster.last(agent).state, state, `${beforeUs} us before`);
    if (state === "failed") {
      assert.equal(cluster.last(agent).problem?.code, "AGENT_NOT_READY");
      await cluster.clock.advanceByAsync(3_000_000);
      assert.equal(sentBy(cluster, agent).length, 0);
    }
    await cluster.close();
  }
});

test("a commit of which no beacon tells, its leader having died, is read before time zero", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  await cluster.propose();
  cluster.stopLeading();
  await cluster.commit({ isSilent: true });
  await cluster.runTo(1000);
  assert.equal(cluster.last(agent).state, "running");
  await cluster.close();
});

test("the start of a stage is read by whoever waits for it, also while its leader does not know that it stands", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  const stages = [
    { users: 2, rampUpMs: 0, settleMs: 0, requests: 2 },
    { users: 2, rampUpMs: 0, settleMs: 0, durationMs: 2000 },
  ];
  await cluster.start({ load: { kind: "users", stages } });
  while (cluster.last(agent).stageDone < 0) await cluster.clock.advanceByAsync(100_000);
  const { beacon } = cluster;
  await cluster.commitNextStage({ isSilent: true });
  // Its answer from the store was lost.
  cluster.beacon = beacon;
  const startUs = cluster.record?.stageStartsUs[1] ?? 0;
  await cluster.runTo(startUs + 1000);
  const sent = agent.targets[0]?.sends.map(({ key }) => key.stage);
  assert.deepEqual(sent, [0, 0, 1, 1]);
  await cluster.close();
});

test("an agent whose reads of the commit hang asks again while there is time, and starts", async () => {
  const cluster = new Cluster();
  let hanging = 0;
  const agent = await cluster.addAgent("a1", {
    transport: readBy(async (key, read) => {
      if (hanging > 0) {
        hanging -= 1;
        await new Promise<void>((resolve) => {
          cluster.clock.at(cluster.clock.nowUs() + 2_000_000, resolve);
        });
      }
      return read(key);
    }),
  });
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  await cluster.propose();
  await cluster.clock.advanceToAsync(cluster.zeroUs - 600_000);
  hanging = 3;
  await cluster.commit();
  await cluster.runTo(1000);
  assert.equal(hanging, 0, "the read that the beacon asked for, and the first two after it");
  assert.equal(cluster.last(agent).state, "running");
  await cluster.runTo(4_000_000);
  checkBooks(cluster);
  await cluster.close();
});

test("a read that answers at last, with what stood there before the start, is late and no attack", async () => {
  const cluster = new Cluster();
  let isHanging = false;
  const agent = await cluster.addAgent("a1", {
    transport: readBy(async (key, read) => {
      const answer = await read(key);
      if (!isHanging) return answer;
      isHanging = false;
      await new Promise<void>((resolve) => {
        cluster.clock.at(cluster.zeroUs + 500_000, resolve);
      });
      return answer;
    }),
  });
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare();
  await cluster.propose();
  isHanging = true;
  cluster.sendBeacon({ revision: cluster.beacon.revision + 1 });
  await cluster.clock.advanceToAsync(cluster.zeroUs - 600_000);
  assert.equal(isHanging, false, "it was asked, and hangs");
  await cluster.commit();
  await cluster.runTo(1_500_000);
  assert.deepEqual([cluster.last(agent).state, cluster.last(agent).refusals], ["running", 0]);
  await cluster.close();
});

test("another process under the same id is not the one that was admitted", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.lead();
  await cluster.submit(twoSeconds);
  await cluster.prepare([{ ...agent, instance: "a1-before" }]);
  await cluster.clock.advanceByAsync(2_000_000);
  assert.deepEqual(cluster.states(agent), ["idle"]);
  await cluster.close();
});

test("a lost connection and a refused subject end the agent with the reason", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await agent.transport.close();
  await cluster.clock.advanceByAsync(1_000_000);
  const exit = await agent.exit;
  assert.ok(exit instanceof LoadError && exit.code === "BUS_UNAVAILABLE");
  const refused = await cluster.addAgent("a2", {
    transport: (transport) => ({
      ...transport,
      bus: {
        ...transport.bus,
        onStatus: (handler) => {
          handler({ kind: "denied", subject: NAMES.heartbeat("a2"), message: "permissions violation" });
          return { close: () => undefined };
        },
      },
    }),
  });
  const denied = await refused.exit;
  assert.ok(denied instanceof LoadError && denied.code === "BUS_DENIED");
  assert.match(denied.message, /ts\.v1\.hb\.a2/);
  await cluster.close();
});
