import assert from "node:assert/strict";
import { test } from "node:test";
import { isTerminal, LoadError, type RunState } from "@tokenstorm/core";
import {
  decodeBeacon,
  decodeHeartbeat,
  decodeRunRecord,
  decodeSnapshot,
  encodeBeacon,
  encodeEvent,
  encodeHeartbeat,
  encodeRunRecord,
  encodeSnapshot,
  LEADER_IN_LOG,
  LEADER_KEY,
  stopRun,
} from "@tokenstorm/protocol";
import { seededRandom, VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";
import type { FakeScript } from "./testing/fake-agent.js";

async function cluster(script: Partial<FakeScript> = {}): Promise<Cluster> {
  const started = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  started.coordinate();
  started.agent("a1");
  started.agent("a2", { script });
  await started.pass(100);
  return started;
}

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? error.code : undefined);

/** Of an agent that takes its time, so that each of these states lasts for a while. */
const SLOW: Partial<FakeScript> = { prepareMs: 1000, deafToAttempts: [1], losesFinal: true };
const STATES: readonly RunState[] = ["gathering", "preparing", "arming", "running", "draining", "delivering"];

/** Does something again and again until the run is over; how often in which state. */
async function throughSlowRun(
  one: Cluster,
  something: () => Promise<void>,
): Promise<ReadonlyMap<RunState, number>> {
  const rounds = new Map<RunState, number>();
  await one.submit();
  await one.until("it is over", async () => {
    const { state } = await one.record();
    const round = (rounds.get(state) ?? 0) + 1;
    rounds.set(state, round);
    // A request that was sent in mid-run is answered some time into the drain.
    if (state === "running" && round === 150) one.agents[1]?.holdRequests();
    if (state === "draining" && round === 20) one.agents[1]?.holdRequests(false);
    await something();
    return isTerminal(state);
  });
  return rounds;
}

test("garbage on every subject, in the log and in the store changes nothing in any state, and is counted", async () => {
  const quiet = await cluster(SLOW);
  await throughSlowRun(quiet, async () => undefined);
  const noisy = await cluster(SLOW);
  const seed = 11;
  const random = seededRandom(seed);
  const { bus, log, state } = noisy.transport;
  const { subjects } = noisy;
  await state.compareAndSet("run.zzz", random.bytes(40), undefined);
  const shout = async () => {
    for (const subject of [
      subjects.beacon,
      subjects.hint,
      subjects.heartbeat("a1"),
      subjects.heartbeat("a9"),
      subjects.live("r1"),
    ]) {
      bus.publish(subject, random.bytes(random.int(0, 200)));
    }
    for (const kind of ["snapshot", "final"] as const) {
      const id = { run: "r1", agent: "a1", epoch: 1, kind, seq: random.int(1, 1e9), resend: 9 };
      await log.append(id, random.bytes(random.int(0, 200)), { timeoutMs: 1000 });
    }
  };
  const rounds = await throughSlowRun(noisy, shout);
  for (const one of STATES) assert.ok((rounds.get(one) ?? 0) >= 10, `${one}: ${rounds.get(one)} rounds`);
  assert.equal((await noisy.record()).state, "completed");
  const [kept, keptQuiet] = [noisy, quiet].map((one) =>
    JSON.parse(one.store.only.files.get("run.json") ?? ""),
  );
  assert.ok(kept.facts.refusals > 50, `seed ${seed}: ${kept.facts.refusals}`);
  assert.deepEqual(kept.report.completeness, keptQuiet.report.completeness);
  assert.deepEqual(kept.report.totals, keptQuiet.report.totals);
  // Named some times, not each time.
  assert.equal(noisy.logged.filter((line) => line.includes("refused a message")).length, 20);
});

test("a snapshot under another agent's name or epoch, or from the future, is refused", async () => {
  const forged = await cluster();
  await forged.submit();
  await forged.untilState("running");
  await forged.pass(3200);
  const entries: { agent: string; data: Uint8Array }[] = [];
  const following = await forged.transport.log.follow("r1", ({ agent, kind, data }) => {
    if (kind === "snapshot") entries.push({ agent, data });
  });
  await forged.pass(10);
  following.close();
  const mine = entries.find(({ agent }) => agent === "a1");
  assert.ok(mine !== undefined);
  const snapshot = decodeSnapshot(mine.data);
  const forgeries = [
    { agent: "a2", snapshot, says: /a snapshot of a2: of a1, not its own/ },
    { agent: "a1", snapshot: { ...snapshot, run: "r9" }, says: /of a1, not its own/ },
    { agent: "a1", snapshot: { ...snapshot, epoch: 3 }, says: /a1 with epoch 3 has no part in this run/ },
    { agent: "a1", snapshot: { ...snapshot, seq: 1_000_000 }, says: /interval 1000000 has not been yet/ },
  ];
  for (const [i, { agent, snapshot: forgery }] of forgeries.entries()) {
    const id = { run: "r1", agent, epoch: 1, kind: "snapshot", seq: i, resend: 5 } as const;
    await forged.transport.log.append(id, encodeSnapshot(forgery), { timeoutMs: 1000 });
  }
  await forged.untilOver();
  const kept = JSON.parse(forged.store.only.files.get("run.json") ?? "");
  assert.equal(kept.facts.refusals, forgeries.length);
  assert.equal(kept.report.completeness.intervalsReceived, kept.report.completeness.intervalsExpected);
  for (const { says } of forgeries) assert.match(forged.logged.join("\n"), says);
});

test("a heartbeat on another agent's subject is refused: permissions pin subjects, not bodies", async () => {
  const spoofed = await cluster();
  const beats: Uint8Array[] = [];
  spoofed.transport.bus.subscribe(spoofed.subjects.heartbeat("a2"), ({ data }) => beats.push(data));
  await spoofed.submit();
  await spoofed.untilState("running");
  await spoofed.pass(3000);
  const [beat] = beats.slice(-1);
  assert.ok(beat !== undefined);
  const problem = { code: "TARGET_UNREACHABLE", message: "spoofed" } as const;
  const forged = encodeHeartbeat({ ...decodeHeartbeat(beat), state: "failed", problem });
  spoofed.transport.bus.publish(spoofed.subjects.heartbeat("a9"), forged);
  const record = await spoofed.untilOver();
  assert.deepEqual([record.state, record.problem], ["completed", null]);
  const kept = JSON.parse(spoofed.store.only.files.get("run.json") ?? "");
  assert.equal(kept.facts.refusals, 1);
});

test("what comes twice is kept once", async () => {
  const twice = await cluster();
  await twice.submit();
  await twice.untilState("running");
  await twice.pass(3200);
  const again: { agent: string; kind: string; data: Uint8Array }[] = [];
  const following = await twice.transport.log.follow("r1", (entry) => {
    if (entry.kind === "snapshot") again.push(entry);
  });
  await twice.pass(10);
  following.close();
  assert.ok(again.length >= 2);
  for (const [i, { agent, data }] of again.entries()) {
    const id = { run: "r1", agent, epoch: 1, kind: "snapshot", seq: i, resend: 5 } as const;
    await twice.transport.log.append(id, data, { timeoutMs: 1000 });
  }
  await twice.untilOver();
  const kept = JSON.parse(twice.store.only.files.get("run.json") ?? "");
  assert.equal(kept.report.completeness.samplesMerged, kept.report.completeness.samplesRecorded);
  assert.equal(kept.facts.refusals, 0);
  const { intervalsExpected } = kept.report.completeness;
  assert.equal(twice.store.only.lines("snapshots.ndjson").length, intervalsExpected + 2);
});

test("of two living processes with one id the later is refused, and the run goes on", async () => {
  const twins = await cluster();
  await twins.submit();
  await twins.untilState("running");
  const second = twins.agent("a2", { instance: "a2-2" });
  await twins.until(
    "the second is refused",
    () => twins.beacons.some(({ refused }) => refused.includes("a2-2")),
    3000,
  );
  assert.ok(twins.beacons.every(({ refused }) => !refused.includes("a2-1")));
  assert.equal(second.state, "idle");
  assert.equal((await twins.untilOver()).state, "completed");
});

test("a run record under another run's key is passed over", async () => {
  const forged = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  await forged.submit();
  const { state } = forged.transport;
  const entry = await state.get("run.r1");
  assert.ok(entry !== undefined);
  await state.compareAndSet("run.r7", entry.value, undefined);
  await state.delete("run.r1");
  forged.coordinate();
  await forged.pass(5000);
  assert.deepEqual((await state.get("run.r7"))?.value, entry.value);
  await forged.submit({ agents: { min: 1, waitMs: 0 } });
  assert.equal((await forged.untilOver("r2")).state, "failed");
});

test("a leader's key that somebody garbled is taken once it is old, and agents still heed its term", async () => {
  const garbled = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const { state } = garbled.transport;
  // Three terms have been, and the agents have seen the last one; the record of their run names the second.
  for (const _ of [1, 2]) {
    const { coordinator, ended } = garbled.coordinate();
    await garbled.pass(3500);
    await coordinator.close();
    await ended;
  }
  garbled.agent("a1");
  garbled.agent("a2");
  const transport = garbled.hub.connect();
  garbled.coordinate({ transport });
  await garbled.pass(3500);
  await transport.close();
  const entry = await state.get(LEADER_KEY);
  await state.compareAndSet(LEADER_KEY, new TextEncoder().encode('{"error":{}}'), entry?.revision);
  garbled.coordinate();
  await garbled.pass(13_000);
  assert.equal(garbled.beacons.at(-1)?.term, 4);
  await garbled.submit();
  assert.deepEqual([(await garbled.untilOver()).state, (await garbled.record()).term], ["completed", 4]);
});

test("a leader whose key was taken stops, and stands by; one that only hears of it does not", async () => {
  const deposed = await cluster();
  const rival = deposed.beacons.at(-1);
  assert.ok(rival !== undefined);
  const shout = (term: number) =>
    deposed.transport.bus.publish(
      deposed.subjects.beacon,
      encodeBeacon({ ...rival, leader: "c9", leaderInstance: "c9-1", term }),
    );
  // Agents may have followed it by then: whoever leads goes on above that.
  shout(7);
  await deposed.pass(100);
  await deposed.submit();
  assert.equal((await deposed.untilOver()).state, "completed");
  const entry = await deposed.transport.state.get(LEADER_KEY);
  const taken = { v: 1, term: 20, leader: "c9", instance: "c9-1", isFree: false };
  const value = new TextEncoder().encode(JSON.stringify(taken));
  await deposed.transport.state.compareAndSet(LEADER_KEY, value, entry?.revision);
  shout(20);
  await deposed.pass(1000);
  assert.ok(deposed.logged.some((line) => line.includes("coordinator c9 has taken the lead (term 20)")));
  assert.ok(deposed.logged.includes("info standing by: coordinator c9 leads (term 20)"));
  const own = deposed.beacons.filter(({ leader }) => leader === "c1").length;
  await deposed.pass(5000);
  assert.equal(deposed.beacons.filter(({ leader }) => leader === "c1").length, own, "it is silent");
  // That one is heard no more, and its lease is not moved.
  await deposed.until("it leads again", () => deposed.beacons.at(-1)?.term === 21, 10_000);
});

test("an outage of the store is waited for; the run goes on", async () => {
  const flaky = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = flaky.hub.connect();
  let isOut = false;
  const guard = () => {
    if (isOut) throw new LoadError("BUS_UNAVAILABLE", "no answer");
  };
  const state: typeof transport.state = {
    ...transport.state,
    get: async (key) => {
      guard();
      return transport.state.get(key);
    },
    compareAndSet: async (...args) => {
      guard();
      return transport.state.compareAndSet(...args);
    },
  };
  flaky.coordinate({ transport: { ...transport, state } });
  flaky.agent("a1");
  flaky.agent("a2");
  await flaky.submit();
  await flaky.untilState("running");
  isOut = true;
  await flaky.pass(20_000);
  isOut = false;
  assert.equal((await flaky.record()).state, "running");
  assert.equal((await flaky.untilOver("r1", 8000)).state, "completed");
});

test("a write whose answer was lost is found made, and not made again", async () => {
  const flaky = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = flaky.hub.connect();
  let writes = 0;
  const state: typeof transport.state = {
    ...transport.state,
    compareAndSet: async (key, value, expected) => {
      const revision = await transport.state.compareAndSet(key, value, expected);
      if (!key.startsWith("run.") || revision === undefined) return revision;
      writes += 1;
      if (writes % 2 === 1) throw new LoadError("BUS_UNAVAILABLE", "the answer was lost");
      return revision;
    },
  };
  flaky.coordinate({ transport: { ...transport, state } });
  flaky.agent("a1");
  flaky.agent("a2");
  await flaky.submit();
  const record = await flaky.untilOver();
  assert.equal(record.state, "completed");
  // gathering, preparing, arming, running, draining, delivering, the end: seven changes after the submission.
  assert.equal(record.revision, 8);
});

test("a write that gets no answer is looked for after a second and a half, and beacons tell of it then", async () => {
  const silent = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = silent.hub.connect();
  const { clock } = silent;
  let made: { readonly revision: number; readonly atUs: number } | undefined;
  let toldUs: number | undefined;
  const state: typeof transport.state = {
    ...transport.state,
    compareAndSet: async (key, value, expected) => {
      const written = await transport.state.compareAndSet(key, value, expected);
      if (made !== undefined || !key.startsWith("run.") || written === undefined) return written;
      made = { revision: decodeRunRecord(value).revision, atUs: clock.nowUs() };
      // As long as NATS's own limit.
      await new Promise<void>((resolve) => clock.at(clock.nowUs() + 5_000_000, resolve));
      throw new LoadError("BUS_UNAVAILABLE", "the store did not answer");
    },
  };
  silent.transport.bus.subscribe(silent.subjects.beacon, ({ data }) => {
    if (made !== undefined && decodeBeacon(data).revision >= made.revision) toldUs ??= clock.nowUs();
  });
  silent.coordinate({ transport: { ...transport, state } });
  silent.agent("a1");
  silent.agent("a2");
  await silent.submit();
  assert.equal((await silent.untilOver()).state, "completed");
  const tookUs = (toldUs ?? Number.POSITIVE_INFINITY) - (made?.atUs ?? 0);
  assert.ok(tookUs <= 2_200_000, `beacons told of it after ${tookUs} us`);
});

test("a user that NATS refuses what a coordinator needs ends it in words", async () => {
  const denied = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = denied.hub.connect();
  const bus: typeof transport.bus = {
    ...transport.bus,
    onStatus: (handler) => {
      queueMicrotask(() =>
        handler({ kind: "denied", subject: "ts.v1.beacon", message: "Permissions Violation" }),
      );
      return { close: () => undefined };
    },
  };
  const { ended } = denied.coordinate({ transport: { ...transport, bus } });
  await denied.pass(100);
  const error = await ended;
  assert.equal(codeOf(error), "BUS_DENIED");
  assert.match(String(error), /ts\.v1\.beacon/);
});

test("a run's record that somebody writes over is put right within a second, whatever was written", async () => {
  const spoilt = await cluster();
  const stages = [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 6000 }];
  await spoilt.submit({ load: { kind: "users", stages } });
  const { state } = spoilt.transport;
  await spoilt.untilState("gathering");
  const earlier = await state.get("run.r1");
  await spoilt.untilState("running");
  await spoilt.pass(500);
  const before = await spoilt.record();
  assert.ok(earlier !== undefined);
  const other = encodeRunRecord({ ...before, id: "r7", revision: before.revision + 1 });
  const spoilers = {
    garbage: Uint8Array.of(0xc1, 7),
    "an earlier record": earlier.value,
    "another run's": other,
  };
  for (const [what, value] of Object.entries(spoilers)) {
    const entry = await state.get("run.r1");
    assert.ok((await state.compareAndSet("run.r1", value, entry?.revision)) !== undefined);
    await spoilt.until(
      `put right after ${what}`,
      async () => !isSame((await state.get("run.r1"))?.value, value),
      1500,
    );
    assert.deepEqual(await spoilt.record(), before, what);
  }
  assert.equal((await spoilt.untilOver()).state, "completed");
  const kept = JSON.parse(spoilt.store.only.files.get("run.json") ?? "");
  assert.equal(kept.facts.refusals, 3);
  assert.equal(kept.facts.record.shards.length, 2);
});

test("a stop that comes while the record is written over counts all the same", async () => {
  const spoilt = await cluster();
  const stages = [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }];
  await spoilt.submit({ load: { kind: "users", stages } });
  await spoilt.untilState("running");
  const entry = await spoilt.transport.state.get("run.r1");
  await spoilt.transport.state.compareAndSet("run.r1", Uint8Array.of(0xc1), entry?.revision);
  await spoilt.pass(1100);
  await stopRun(spoilt, { run: "r1", level: "drain", reason: "enough" });
  assert.equal((await spoilt.untilOver("r1", 20_000)).state, "aborted");
});

test("an event in the leader's name that it never noted is refused, and stands nowhere", async () => {
  const forged = await cluster();
  await forged.submit();
  await forged.untilState("running");
  const term = forged.beacons.at(-1)?.term ?? 0;
  const event = { kind: "verdict", refusals: 0, expected: [{ agent: "a1", lastSeq: 900 }] } as const;
  for (const [seq, ofTerm] of [
    [5000, term],
    [1, term + 1],
  ] as const) {
    const id = { run: "r1", agent: LEADER_IN_LOG, epoch: ofTerm, kind: "event", seq, resend: 0 } as const;
    await forged.transport.log.append(id, encodeEvent({ term: ofTerm, seq, event }), { timeoutMs: 1000 });
  }
  await forged.untilOver();
  const kept = JSON.parse(forged.store.only.files.get("run.json") ?? "");
  assert.equal(kept.facts.refusals, 2);
  assert.equal(forged.store.only.files.get("events.ndjson")?.includes(":5000"), false);
});

const isSame = (one: Uint8Array | undefined, other: Uint8Array) =>
  one !== undefined && Buffer.compare(one, other) === 0;
