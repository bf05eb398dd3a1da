import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, type PlanInput, type RunRecord } from "@tokenstorm/core";
import {
  decodeHeartbeat,
  decodeRunRecord,
  encodeHeartbeat,
  encodeLease,
  findLeader,
  getReport,
  LEADER_KEY,
  reportBlob,
  stopRun,
  type Transport,
} from "@tokenstorm/protocol";
import { aHeartbeat, VirtualClock } from "@tokenstorm/testkit";
import { runDirectoryName } from "./run-directory.js";
import { Cluster } from "./testing/cluster.js";

const load: PlanInput["load"] = {
  kind: "users",
  stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 20_000 }],
};

/** Two agents, and a coordinator that can vanish as a killed process does: in mid-sentence. */
async function withAgents(
  diesWhen?: RunRecord["state"],
): Promise<{ cluster: Cluster; kill: () => Promise<void> }> {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = cluster.hub.connect();
  const { state } = transport;
  const fatal: typeof state = {
    ...state,
    compareAndSet: async (key, value, expected) => {
      const revision = await state.compareAndSet(key, value, expected);
      // The record stands, and whoever wrote it hears of nothing any more.
      if (key === "run.r1" && decodeRunRecord(value).state === diesWhen) await transport.close();
      return revision;
    },
  };
  cluster.coordinate({ transport: mortal({ ...transport, state: fatal }) });
  cluster.agent("a1");
  cluster.agent("a2", { offsetUs: 12_345_678 });
  await cluster.pass(500);
  return { cluster, kill: () => transport.close() };
}

/** Closed is as good as dead, save that nobody is told. */
function mortal(transport: Transport): Transport {
  const { bus } = transport;
  return { ...transport, bus: { ...bus, onStatus: () => ({ close: () => undefined }) } };
}

test("of two coordinators on one prefix one leads, the other stands by and says so, and viewers see who leads", async () => {
  const { cluster } = await withAgents();
  const told: string[] = [];
  cluster.coordinate({ onStandingBy: (leader, term) => told.push(`${leader} ${term}`) });
  await cluster.submit();
  assert.equal((await cluster.untilOver()).term, 1);
  assert.deepEqual(told, ["c1 1"]);
  assert.ok(cluster.logged.includes("info standing by: coordinator c1 leads (term 1)"));
  const asked = findLeader({ transport: cluster.transport, subjects: cluster.subjects }, cluster.clock);
  await cluster.pass(1500);
  assert.equal((await asked)?.leader, "c1");
  assert.ok(cluster.beacons.every(({ leader }) => leader === "c1"));
});

test("two coordinators that start at once come to one leader", async () => {
  const both = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  both.coordinate();
  both.coordinate();
  await both.pass(30_000);
  assert.equal(new Set(both.beacons.map(({ leader }) => leader)).size, 1);
  assert.equal(both.beacons.at(-1)?.term, 1);
});

test("a standby takes the lead ten seconds after the lease was moved last, not sooner, under the next term", async () => {
  const { cluster, kill } = await withAgents();
  cluster.coordinate();
  await cluster.pass(10_000);
  await kill();
  const killedUs = cluster.clock.nowUs();
  await cluster.until("c2 leads", () => cluster.beacons.at(-1)?.leader === "c2", 13_000);
  const tookUs = cluster.clock.nowUs() - killedUs;
  assert.ok(tookUs > 7_500_000 && tookUs < 11_500_000, `${tookUs} us`);
  assert.equal(cluster.beacons.at(-1)?.term, 2);
});

test("a coordinator that is closed lets the other one lead at once", async () => {
  const { cluster } = await withAgents();
  cluster.coordinate();
  await cluster.pass(3000);
  await cluster.coordinators[0]?.coordinator.close();
  await cluster.until("c2 leads", () => cluster.beacons.at(-1)?.leader === "c2", 1000);
});

for (const state of ["gathering", "preparing", "arming", "running", "draining", "delivering"] as const) {
  for (const where of ["on the same host", "on another host"] as const) {
    test(`a run whose coordinator dies while it is ${state} is taken over ${where} and ends complete`, async () => {
      const { cluster } = await withAgents(state);
      await cluster.submit({ load, deliverMs: 30_000 });
      await cluster.untilState(state);
      if (where === "on another host") cluster.store.directories.clear();
      cluster.coordinate();
      const record = await cluster.untilOver("r1", 120_000);
      assert.deepEqual([record.state, record.problem, record.term], ["completed", null, 2]);
      await assertWhole(cluster, record);
    });
  }
}

async function assertWhole(cluster: Cluster, record: RunRecord): Promise<void> {
  const report = await getReport(cluster.transport, record);
  const { completeness } = report;
  assert.deepEqual(completeness.missing, []);
  assert.ok(completeness.samplesRecorded > 1000);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
  assert.equal(record.result?.isWhole, true);
  await cluster.pass(100);
  assert.deepEqual(await cluster.transport.log.runs(), [], "the log forgets it");
  const kept = JSON.parse(cluster.store.only.files.get("run.json") ?? "");
  assert.equal(kept.facts.model, "test-model");
}

test("a report that a replaced leader had already handed over does not take the place of its successor's", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const { blobs, state, ...transport } = cluster.hub.connect();
  let land: (() => void) | undefined;
  const slow: typeof blobs = {
    ...blobs,
    put: async (name, data) => {
      await new Promise<void>((resolve) => {
        land = resolve;
      });
      await blobs.put(name, data);
    },
  };
  // From then on it is cut off: it can neither renew its lease nor write the run's record.
  const cutOff: typeof state = {
    ...state,
    compareAndSet: async (...change) => {
      if (land !== undefined) throw new LoadError("BUS_UNAVAILABLE", "no answer");
      return state.compareAndSet(...change);
    },
  };
  cluster.coordinate({ transport: { ...transport, blobs: slow, state: cutOff } });
  cluster.agent("a1");
  cluster.agent("a2");
  cluster.coordinate();
  await cluster.submit();
  const record = await cluster.untilOver("r1", 60_000);
  assert.deepEqual([record.state, record.leader, record.term], ["completed", "c2", 2]);
  land?.();
  await cluster.pass(5000);
  assert.ok((await blobs.get(reportBlob("r1", 1))) !== undefined, "it has landed");
  const report = await getReport(cluster.transport, record);
  assert.deepEqual(
    report.leading?.leaders.map(({ term }) => term),
    [1, 2],
  );
});

test("a leader that dies before the store has its admission leaves a directory in which the next one goes on", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = cluster.hub.connect();
  const { state } = transport;
  const fatal: typeof state = {
    ...state,
    compareAndSet: async (key, value, expected) => {
      // The directory is made while the record is written.
      if (key === "run.r1" && decodeRunRecord(value).state === "preparing") await transport.close();
      return state.compareAndSet(key, value, expected);
    },
  };
  cluster.coordinate({ transport: mortal({ ...transport, state: fatal }) });
  cluster.agent("a1");
  cluster.agent("a2");
  cluster.coordinate();
  await cluster.submit();
  await cluster.until("there is a directory", () => cluster.store.directories.size === 1);
  assert.equal((await cluster.record()).shards.length, 0);
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.leader, record.result?.isWhole], ["completed", "c2", true]);
  assert.deepEqual(
    (await getReport(cluster.transport, record)).leading?.leaders.map(({ term }) => term),
    [1, 2],
  );
});

test("a directory of that name with results in it is somebody else's: the run fails, and they stay as they are", async () => {
  const { cluster } = await withAgents();
  const record = await cluster.submit();
  const { path } = await cluster.store.open(runDirectoryName(record));
  cluster.store.only.files.set("snapshots.ndjson", "{}\n");
  const { state, problem } = await cluster.untilOver();
  assert.deepEqual([state, problem?.code], ["failed", "RESULTS_UNREADABLE"]);
  assert.match(problem?.message ?? "", /it is there already/);
  assert.deepEqual(
    [cluster.store.only.path, [...cluster.store.only.files]],
    [path, [["snapshots.ndjson", "{}\n"]]],
  );
});

test("run time is recovered from the agents, whatever the new leader's clock and wall say", async () => {
  const { cluster, kill } = await withAgents();
  await cluster.submit({ load });
  await cluster.untilState("running");
  await cluster.pass(6000);
  await kill();
  const before = (await cluster.record()).start;
  const clock = {
    nowUs: () => cluster.clock.nowUs() + 777_000_000,
    wallMs: () => cluster.clock.wallMs() - 300_000,
    at: (us: number, fn: () => void) => cluster.clock.at(us - 777_000_000, fn),
  };
  cluster.coordinate({ clock });
  await cluster.until("it is taken over", async () => (await cluster.record()).term === 2, 15_000);
  await cluster.pass(500);
  const after = (await cluster.record()).start;
  assert.ok(Math.abs((after?.leaderUs ?? 0) - 777_000_000 - (before?.leaderUs ?? 0)) <= 1);
  assert.equal(after?.epochUs, before?.epochUs);
  assert.equal((await cluster.untilOver()).state, "completed");
});

test("a stop that was written while nobody led is heeded by whoever takes over", async () => {
  const { cluster, kill } = await withAgents();
  await cluster.submit({ load });
  await cluster.untilState("running");
  await kill();
  await stopRun(cluster, { run: "r1", level: "drain", reason: "stopped by a test" });
  cluster.coordinate();
  const record = await cluster.untilOver("r1", 30_000);
  assert.deepEqual([record.state, record.problem?.message], ["aborted", "the run was stopped by a test"]);
  assert.equal(record.result?.isWhole, true);
});

test("a run that was over and not yet purged is purged by the next leader", async () => {
  const { cluster, kill } = await withAgents();
  const { log } = cluster.transport;
  await cluster.submit();
  const record = await cluster.untilOver();
  await cluster.pass(100);
  await log.append(
    { run: record.id, agent: "a1", epoch: 1, kind: "snapshot", seq: 1, resend: 9 },
    Uint8Array.of(1),
    { timeoutMs: 1000 },
  );
  assert.deepEqual(await log.runs(), ["r1"]);
  await kill();
  cluster.coordinate();
  await cluster.until("it is purged", async () => (await log.runs()).length === 0, 15_000);
});

// The other states last for milliseconds here: test/sim wipes the store in each.
for (const state of ["gathering", "preparing", "running"] as const) {
  test(`a state store that is wiped while a run is ${state} gets lease and record again from its leader`, async () => {
    const { cluster } = await withAgents();
    cluster.coordinate();
    const store = cluster.transport.state;
    await cluster.submit({ load, deliverMs: 30_000 });
    await cluster.untilState(state);
    for (const key of await store.keys("")) await store.delete(key);
    await cluster.until("the record is there", async () => (await store.get("run.r1")) !== undefined, 3000);
    const record = await cluster.untilOver("r1", 120_000);
    assert.deepEqual([record.state, record.problem, record.term], ["completed", null, 1]);
    await assertWhole(cluster, record);
    assert.ok(cluster.logged.includes("info the store had lost the run's record: it was written again"));
  });
}

test("a state store that goes as the lease is renewed, and comes back empty three seconds later, gets the run again", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const { clock } = cluster;
  const transport = cluster.hub.connect();
  let isGone = false;
  let onRenewal = () => {};
  const pass = (us: number) => new Promise<void>((resolve) => clock.at(clock.nowUs() + us, resolve));
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    if (isGone) {
      await pass(5_000_000);
      throw new LoadError("BUS_UNAVAILABLE", "the store did not answer");
    }
    // Its buckets are made anew by whoever asks first.
    await pass(300_000);
    return question();
  };
  const { state } = transport;
  const mortalState: typeof state = {
    get: (key) => ask(() => state.get(key)),
    compareAndSet: (key, value, expected) => {
      if (key === LEADER_KEY) onRenewal();
      return ask(() => state.compareAndSet(key, value, expected));
    },
    keys: (prefix) => ask(() => state.keys(prefix)),
    delete: (key) => ask(() => state.delete(key)),
  };
  cluster.coordinate({ transport: { ...transport, state: mortalState } });
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.pass(500);
  await cluster.submit({ load, deliverMs: 30_000 });
  await cluster.untilState("running");
  onRenewal = () => {
    isGone = true;
  };
  await cluster.until("a renewal is under way", () => isGone, 5000);
  onRenewal = () => {};
  const store = cluster.transport.state;
  for (const key of await store.keys("")) await store.delete(key);
  await cluster.pass(3000);
  isGone = false;
  await cluster.until("the record is there", async () => (await store.get("run.r1")) !== undefined, 8000);
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.problem, record.term], ["completed", null, 1]);
});

test("a report whose keeping got no answer is not put again by a leader that has lost the lead meanwhile", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const { clock } = cluster;
  const transport = cluster.hub.connect();
  let puts = 0;
  const put = async () => {
    puts += 1;
    await new Promise<void>((resolve) => clock.at(clock.nowUs() + 5_000_000, resolve));
    throw new LoadError("BUS_UNAVAILABLE", "the store did not answer");
  };
  cluster.coordinate({ transport: { ...transport, blobs: { ...transport.blobs, put } } });
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.pass(500);
  await cluster.submit({ load });
  await cluster.until("the report is put", () => puts === 1, 60_000);
  const store = cluster.transport.state;
  const held = await store.get(LEADER_KEY);
  const rival = encodeLease({ v: 1, term: 9, leader: "c9", instance: "c9-1", isFree: false });
  assert.ok(
    held !== undefined && (await store.compareAndSet(LEADER_KEY, rival, held.revision)) !== undefined,
  );
  await cluster.pass(9000);
  assert.equal(puts, 1);
});

test("where the lease's key was deleted, the next leader's term is above that of the run, which it takes over", async () => {
  const { cluster, kill } = await withAgents();
  await cluster.submit({ load });
  await cluster.untilState("running");
  await kill();
  await cluster.transport.state.delete(LEADER_KEY);
  cluster.coordinate();
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.term], ["completed", 2]);
});

test("a leader whose agents have followed a higher term goes on above it, and so does its run", async () => {
  const { cluster } = await withAgents();
  const { transport, subjects } = cluster;
  await cluster.submit({ load });
  await cluster.untilState("running");
  let isTold = false;
  transport.bus.subscribe(subjects.heartbeat("a1"), ({ subject, data }) => {
    if (isTold) return;
    isTold = true;
    transport.bus.publish(subject, encodeHeartbeat({ ...decodeHeartbeat(data), term: 41 }));
  });
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.term], ["completed", 42]);
  assert.equal(cluster.beacons.at(-1)?.term, 42);
});

test("who is in no run moves no leader by its word alone, however high the term; a second one that says as much does", async () => {
  const { cluster } = await withAgents();
  const { transport, subjects } = cluster;
  await cluster.submit({ load });
  await cluster.untilState("running");
  const say = (agent: string, term: number) =>
    transport.bus.publish(subjects.heartbeat(agent), encodeHeartbeat(aHeartbeat({ agent, term })));
  for (const term of [41, 42, 43]) {
    say("stranger", term);
    await cluster.pass(3000);
  }
  assert.deepEqual([(await cluster.record()).term, cluster.beacons.at(-1)?.term], [1, 1]);
  say("other", 41);
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.term], ["completed", 42], "above what both have said");
});

test("while nobody leads no threshold ends a run; whoever takes it over judges what was folded", async () => {
  const { cluster, kill } = await withAgents();
  const threshold = "e2e.p50 < 1ms abortOnFail";
  const stages = [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }];
  await cluster.submit({ load: { kind: "users", stages }, thresholds: [threshold] });
  await cluster.untilState("running");
  await cluster.pass(7000);
  await kill();
  cluster.coordinate();
  await cluster.pass(8000);
  assert.equal((await cluster.record()).state, "running");
  const record = await cluster.untilOver("r1", 20_000);
  assert.deepEqual([record.state, record.problem?.threshold, record.term], ["aborted", threshold, 2]);
});
