import assert from "node:assert/strict";
import { test } from "node:test";
import { createAggregate, resolveStages, summariseRun } from "@tokenstorm/core";
import { decodeBeacon, decodeLive, getReport, lineToResult, planDigest } from "@tokenstorm/protocol";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";
import { engineMetrics } from "./testing/engine-metrics.js";

async function startedCluster(): Promise<Cluster> {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2", { offsetUs: 3_000_000_000 });
  await cluster.pass(100);
  return cluster;
}

test("a run reaches its end with a report that holds every interval and sample", async () => {
  const cluster = await startedCluster();
  const submitted = await cluster.submit();
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.problem], ["completed", null]);
  assert.equal(record.planDigest, planDigest(submitted.plan));
  const report = await getReport(cluster.transport, record);
  const { completeness } = report;
  assert.equal(completeness.intervalsExpected, 6);
  assert.equal(completeness.intervalsReceived, 6);
  assert.ok(completeness.samplesRecorded > 100);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
  assert.equal(report.run.state, "completed");
  assert.deepEqual(
    report.agents.map(({ id, host, startErrorUs }) => [id, host, startErrorUs]),
    [
      ["a1", "host-a1", 12],
      ["a2", "host-a2", 12],
    ],
  );
});

test("a run that plans more than an agent's host carries is warned of before it starts, and starts", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.coordinate();
  const limit = { eventsPerS: 31_000, isAtLeast: false };
  const capacity = { undici: limit, raw: limit };
  cluster.agent("a1", { script: { capacity, ready: { reader: "raw", plannedEventsPerS: 50_000 } } });
  await cluster.pass(100);
  await cluster.submit({ agents: { min: 1, waitMs: 5000 } });
  const warned = () => cluster.lastLive()?.notes.find((note) => note.startsWith("warning: "));
  await cluster.until("there is a warning", () => warned() !== undefined);
  assert.match(warned() ?? "", /50,000 events.* on host-a1 \(1 process: 31,000 each with raw\); 2 processes/);
  assert.equal(cluster.lastLive()?.stage, null, "time zero is still to come");
  assert.equal((await cluster.untilOver()).state, "completed");
  const kept = cluster.store.only.lines("events.ndjson");
  assert.equal(
    kept.filter((line) => JSON.stringify(line).includes('"warning: ')).length,
    1,
    "kept with the run",
  );
});

test("the run directory alone gives the same report again", async () => {
  const cluster = await startedCluster();
  await cluster.submit();
  await cluster.untilOver();
  const directory = cluster.store.only;
  assert.match(directory.path, /^\d{4}-\d{2}-\d{2}-run-r1$/);
  assert.deepEqual([...directory.files.keys()].sort(), [
    "events.ndjson",
    "plan.yaml",
    "report.json",
    "run.json",
    "snapshots.ndjson",
  ]);
  const kept = JSON.parse(directory.files.get("run.json") ?? "");
  assert.equal(kept.schemaVersion, 1);
  assert.equal(kept.facts.model, "test-model");
  assert.equal(kept.facts.serverVersion, "0.14.0");
  assert.equal(kept.facts.record.state, "completed");
  const stages = resolveStages(kept.facts.record.plan);
  const aggregate = createAggregate({ stages, shards: kept.facts.record.shards });
  for (const line of (directory.files.get("snapshots.ndjson") ?? "").trimEnd().split("\n")) {
    const result = lineToResult(line);
    if (result.kind === "snapshot") aggregate.fold(result.snapshot);
    else aggregate.foldFinal(result.final);
  }
  const again = summariseRun({ facts: kept.facts, stages, aggregate, serverSamples: [] });
  assert.deepEqual(JSON.parse(JSON.stringify(again)), kept.report);
  assert.deepEqual(JSON.parse(directory.files.get("report.json") ?? ""), kept.report);
});

test("all agents get one time zero, each on its own clock", async () => {
  const cluster = await startedCluster();
  await cluster.submit();
  const { start, shards } = await cluster.untilState("running");
  assert.ok(start?.committed);
  assert.ok(start.leaderUs - cluster.clock.nowUs() >= 500_000);
  assert.equal(start.epochUs, start.leaderUs + (cluster.clock.wallMs() * 1000 - cluster.clock.nowUs()));
  assert.deepEqual(start.localUs, { a1: start.leaderUs, a2: start.leaderUs + 3_000_000_000 });
  assert.deepEqual(
    shards.map(({ index, clockOffsetUs, clockErrorUs }) => [index, clockOffsetUs, clockErrorUs]),
    [
      [0, 0, 0],
      [1, 3_000_000_000, 0],
    ],
  );
});

test("a coordinator that has just started waits until it can have heard every agent", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  // Their heartbeats are further apart than what counts as settled.
  cluster.agent("a1");
  await cluster.pass(480);
  cluster.agent("a2");
  await cluster.pass(5000);
  await cluster.submit({ agents: { min: 1, waitMs: 5000 } });
  cluster.coordinate();
  // They answer its first beacon: their next heartbeats by themselves would be half a second and a second away.
  await cluster.untilState("preparing", "r1", 900);
  const { shards } = await cluster.untilState("running");
  assert.deepEqual(
    shards.map(({ agent }) => agent),
    ["a1", "a2"],
  );
});

test("agents that come one after the other are all admitted, but are not waited for without end", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.coordinate();
  await cluster.pass(3000);
  await cluster.submit({ agents: { min: 1, waitMs: 5000 } });
  const arrived: string[] = [];
  await cluster.until("agents are admitted", async () => {
    const id = `a${100 + arrived.length}`;
    cluster.agent(id);
    arrived.push(id);
    await cluster.pass(180);
    return (await cluster.record()).shards.length > 0;
  });
  const { shards } = await cluster.record();
  assert.ok(shards.length >= 9 && shards.length <= 13, `${shards.length} of ${arrived.length}`);
});

test("states are written down in their order, and the log forgets a run that is safe", async () => {
  const cluster = await startedCluster();
  await cluster.submit();
  await cluster.untilOver();
  await cluster.pass(1000);
  const states = cluster.store.only
    .lines("events.ndjson")
    .flatMap((line) => (typeof line === "object" && line !== null && "state" in line ? [line.state] : []));
  assert.deepEqual(states, [
    "gathering",
    "preparing",
    "arming",
    "running",
    "draining",
    "delivering",
    "completed",
  ]);
  let left = 0;
  const following = await cluster.transport.log.follow("r1", () => {
    left += 1;
  });
  await cluster.pass(100);
  following.close();
  assert.equal(left, 0);
  assert.deepEqual(
    cluster.agents.map(({ state }) => state),
    ["idle", "idle"],
  );
});

test("a stage after one bounded by requests starts for all, a second after the last agent is done", async () => {
  const cluster = await startedCluster();
  await cluster.submit({
    warmUp: { requests: 4, users: 2 },
    load: {
      kind: "users",
      stages: [
        { users: 2, rampUpMs: 0, requests: 6 },
        { users: 2, rampUpMs: 0, settleMs: 0, durationMs: 1000 },
      ],
    },
  });
  const committed: number[] = [];
  let known = 0;
  await cluster.until("the run is over", async () => {
    const { stageStartsUs, start, state } = await cluster.record();
    const starts = stageStartsUs.filter((startUs) => startUs !== null);
    if (starts.length > known && start !== null) {
      known = starts.length;
      committed.push((starts.at(-1) ?? 0) - (cluster.clock.nowUs() - start.leaderUs));
    }
    return state === "completed";
  });
  // The first is time zero itself.
  assert.equal(committed.length, 3);
  for (const aheadUs of committed.slice(1)) assert.ok(aheadUs >= 1_000_000, `${aheadUs} us ahead`);
  const report = await getReport(cluster.transport, await cluster.record());
  assert.deepEqual(
    report.stages.map(({ requests }) => requests.completed),
    [12, 40],
  );
});

test("viewers get one message a second, from the wait for agents to the end", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.coordinate();
  cluster.agent("a1");
  await cluster.submit();
  await cluster.pass(2000);
  assert.match(
    cluster.lastLive()?.notes.join() ?? "",
    /waiting for agents.* 2 wanted, 1 is there \(a1 on host-a1\)/,
  );
  cluster.agent("a2");
  await cluster.untilOver();
  const endedAt = cluster.live.length;
  await cluster.pass(3500);
  const states = [...new Set(cluster.live.map(({ state }) => state))];
  assert.deepEqual(states.slice(0, 2), ["submitted", "gathering"]);
  for (const state of ["running", "completed"] as const) assert.ok(states.includes(state), state);
  assert.ok(cluster.live.length - endedAt >= 3);
  assert.ok(cluster.live.slice(endedAt).every(({ state }) => state === "completed"));
  const running = cluster.live.filter(({ state, stage }) => state === "running" && stage !== null).at(-1);
  assert.deepEqual(
    running?.agents.map(({ id, colour }) => [id, colour]),
    [
      ["a1", "green"],
      ["a2", "green"],
    ],
  );
  assert.equal(running?.inFlight.asked, 2);
  assert.ok((running?.rates.outputTokensPerS ?? 0) > 100);
  // One by the clock; further ones only where the run begins and where it ends.
  assert.ok(cluster.live.length <= (cluster.clock.nowUs() - 5_000_000) / 1e6 + 3);
});

test("runs are led one at a time, the oldest first", async () => {
  const cluster = await startedCluster();
  await cluster.submit();
  await cluster.pass(10);
  await cluster.submit();
  await cluster.untilState("running");
  assert.equal((await cluster.record("r2")).state, "submitted");
  await cluster.untilOver("r2");
  assert.equal((await cluster.record("r1")).state, "completed");
  assert.equal((await cluster.record("r2")).state, "completed");
  const [first, second] = await Promise.all([cluster.record("r1"), cluster.record("r2")]);
  assert.notEqual(first.shards[0]?.epoch, second.shards[0]?.epoch);
});

test("an interval is confirmed only when it is on the disk", async () => {
  const cluster = await startedCluster();
  let release: () => void = () => undefined;
  let isHeld = true;
  cluster.store.onOpen = (directory) => {
    directory.beforeSync = () =>
      isHeld
        ? new Promise((resolve) => {
            release = resolve;
          })
        : Promise.resolve();
  };
  await cluster.submit();
  await cluster.untilState("running");
  await cluster.pass(4000);
  assert.ok(cluster.agents.every(({ appended }) => appended.length >= 1));
  const highest = () =>
    Math.max(
      ...cluster.beacons.flatMap(({ confirmed }) => Object.values(confirmed).map(({ seq }) => seq)),
      0,
    );
  assert.equal(highest(), 0);
  isHeld = false;
  release();
  await cluster.until("it is confirmed", () => highest() > 0, 3000);
  assert.equal((await cluster.untilOver()).state, "completed");
});

test("on a slow disk no beacon confirms more than the disk holds", async () => {
  const cluster = await startedCluster();
  cluster.store.onOpen = (directory) => {
    directory.beforeSync = () =>
      new Promise((resolve) => cluster.clock.at(cluster.clock.nowUs() + 1_300_000, resolve));
  };
  const onDisk = (agent: string) =>
    (cluster.store.only.files.get("snapshots.ndjson") ?? "")
      .split("\n")
      .filter((line) => line.startsWith(`{"kind":"snapshot","run":"r1","agent":"${agent}"`)).length;
  let confirmations = 0;
  cluster.transport.bus.subscribe(cluster.subjects.beacon, ({ data }) => {
    for (const [agent, { seq }] of Object.entries(decodeBeacon(data).confirmed)) {
      assert.ok(seq <= onDisk(agent), `${agent}: ${seq} confirmed, ${onDisk(agent)} on the disk`);
      confirmations += seq;
    }
  });
  const stages = [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 8000 }];
  await cluster.submit({ load: { kind: "users", stages } });
  assert.equal((await cluster.untilOver()).state, "completed");
  assert.ok(confirmations > 20);
});

test("the target's gauges are read each interval, and its counters at rest before and after", async () => {
  const cluster = await startedCluster();
  const asked: number[] = [];
  let tokens = 100;
  cluster.http = async (url) => {
    assert.equal(url, "http://127.0.0.1:8000/metrics");
    asked.push(cluster.clock.nowUs());
    const isRunning = (await cluster.record()).state === "running";
    if (isRunning) tokens += 10;
    return { status: 200, body: engineMetrics({ running: isRunning ? 2 : 0, generationTokens: tokens }) };
  };
  await cluster.submit();
  const { start } = await cluster.untilOver();
  const kept = JSON.parse(cluster.store.only.files.get("run.json") ?? "");
  assert.equal(kept.facts.serverBefore.quiescent, true);
  assert.equal(kept.facts.serverBefore.counters.generationTokens, 100);
  assert.equal(kept.facts.serverAfter.quiescent, true);
  assert.equal(kept.facts.serverAfter.counters.generationTokens, tokens);
  const samples = cluster.store.only
    .lines("events.ndjson")
    .flatMap((line) => (typeof line === "object" && line !== null && "sample" in line ? [line.sample] : []));
  assert.ok(samples.length >= 2);
  for (const askedUs of asked.slice(2, -2)) assert.equal((askedUs - (start?.leaderUs ?? 0)) % 1_000_000, 0);
});

test("a target that dies in mid-run leaves a gap and nothing else", async () => {
  const cluster = await startedCluster();
  cluster.http = async () => {
    if ((await cluster.record()).state === "running") throw new Error("connection refused");
    return { status: 200, body: engineMetrics({}) };
  };
  await cluster.submit();
  assert.equal((await cluster.untilOver()).state, "completed");
  const notes = cluster.logged.filter((line) => line.includes("cannot be read"));
  assert.equal(notes.length, 1);
});

test("a server that is never at rest does not hold the run up for more than five seconds", async () => {
  const cluster = await startedCluster();
  cluster.http = async () => ({ status: 200, body: engineMetrics({ running: 3 }) });
  await cluster.submit();
  const began = cluster.clock.nowUs();
  await cluster.untilState("running");
  assert.ok(cluster.clock.nowUs() - began < 9_000_000);
  await cluster.untilOver();
  const kept = JSON.parse(cluster.store.only.files.get("run.json") ?? "");
  assert.equal(kept.facts.serverBefore.quiescent, false);
});

test("live messages are whole from the first to the last", async () => {
  const cluster = await startedCluster();
  let refused = 0;
  cluster.transport.bus.subscribe(cluster.subjects.allLive, ({ data }) => {
    try {
      decodeLive(data);
    } catch {
      refused += 1;
    }
  });
  await cluster.submit();
  await cluster.untilOver();
  await cluster.pass(4000);
  assert.equal(refused, 0);
});
