import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanInput, RunRecord } from "@tokenstorm/core";
import { decodeRunRecord, encodeRunRecord, getReport, stopRun } from "@tokenstorm/protocol";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";
import { engineMetrics } from "./testing/engine-metrics.js";
import type { FakeScript } from "./testing/fake-agent.js";

const longLoad: PlanInput["load"] = {
  kind: "users",
  stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }],
};

async function cluster(agents: number, script: Partial<FakeScript> = {}): Promise<Cluster> {
  const started = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  started.coordinate();
  for (let i = 1; i <= agents; i += 1) started.agent(`a${i}`, { script });
  await started.pass(100);
  return started;
}

function stop(at: Cluster, level: "drain" | "cut", reason = "stopped by a test"): Promise<RunRecord> {
  return stopRun({ transport: at.transport, subjects: at.subjects }, { run: "r1", level, reason });
}

/** Where nothing has been sent yet, both levels end the run at once. */
const early = [
  { state: "gathering", agents: 1, script: {} },
  { state: "preparing", agents: 2, script: { prepareMs: 30_000 } },
  { state: "arming", agents: 2, script: { deafToAttempts: [1, 2, 3] } },
] as const;

for (const { state, agents, script } of early) {
  for (const level of ["drain", "cut"] as const) {
    test(`a ${level} while the run is ${state} ends it at once as aborted`, async () => {
      const stopped = await cluster(agents, script);
      await stopped.submit();
      await stopped.untilState(state);
      await stop(stopped, level);
      const record = await stopped.untilOver("r1", 500);
      assert.deepEqual([record.state, record.problem?.code], ["aborted", "RUN_ABORTED"]);
      assert.equal(record.problem?.message, "the run was stopped by a test");
      assert.notEqual(record.start?.committed, true);
      await stopped.until(
        "the agents are free",
        () => stopped.agents.every((agent) => agent.state === "idle"),
        4000,
      );
    });
  }
}

test("a drain of a running run lets requests finish, delivers, and ends as aborted with a report", async () => {
  const stopped = await cluster(2);
  await stopped.submit({ load: longLoad });
  await stopped.untilState("running");
  await stopped.pass(10_000);
  await stop(stopped, "drain");
  await stopped.until("it drains", async () => (await stopped.record()).state !== "running", 200);
  const record = await stopped.untilOver("r1", 5000);
  assert.deepEqual([record.state, record.problem?.code], ["aborted", "RUN_ABORTED"]);
  const report = await getReport(stopped.transport, record);
  assert.equal(report.run.state, "aborted");
  assert.equal(report.totals.requests.cancelled, 0);
  assert.equal(report.completeness.samplesMerged, report.completeness.samplesRecorded);
  assert.ok(report.totals.requests.completed > 100);
});

test("a cut of a running run cancels what is open, and still delivers", async () => {
  const stopped = await cluster(2);
  await stopped.submit({ load: longLoad });
  await stopped.untilState("running");
  await stopped.pass(10_000);
  await stop(stopped, "cut");
  const record = await stopped.untilOver("r1", 5000);
  assert.deepEqual([record.state, record.stop.level], ["aborted", "cut"]);
  const report = await getReport(stopped.transport, record);
  assert.equal(report.totals.requests.cancelled, 2);
  assert.equal(report.completeness.samplesMerged, report.completeness.samplesRecorded);
});

test("a cut upon a drain ends what the drain still waits for", async () => {
  const stopped = await cluster(2);
  await stopped.submit({ load: longLoad, gracePeriodMs: 60_000 });
  await stopped.untilState("running");
  await stopped.pass(5000);
  // Its requests never end by themselves.
  for (const agent of stopped.agents) agent.holdRequests();
  await stop(stopped, "drain");
  await stopped.pass(5000);
  assert.equal((await stopped.record()).state, "draining");
  await stop(stopped, "cut");
  const record = await stopped.untilOver("r1", 5000);
  assert.deepEqual([record.state, record.stop.level], ["aborted", "cut"]);
  assert.equal(record.problem?.code, "RUN_ABORTED");
});

test("a cut of a run that drains by itself aborts it", async () => {
  const stopped = await cluster(2);
  await stopped.submit({ gracePeriodMs: 60_000 });
  await stopped.untilState("running");
  await stopped.pass(3000);
  for (const agent of stopped.agents) agent.holdRequests();
  await stopped.untilState("draining");
  await stopped.pass(1000);
  await stop(stopped, "cut");
  const record = await stopped.untilOver("r1", 5000);
  assert.deepEqual([record.state, record.problem?.code], ["aborted", "RUN_ABORTED"]);
});

test("a stop that comes between the last agent's arming and the commit starts nobody", async () => {
  const raced = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = raced.hub.connect();
  let committed = 0;
  const state: typeof transport.state = {
    ...transport.state,
    compareAndSet: async (key, value, expected) => {
      const isCommit = key === "run.r1" && decodeRunRecord(value).start?.committed === true;
      if (isCommit && committed === 0) await stop(raced, "drain");
      const revision = await transport.state.compareAndSet(key, value, expected);
      if (isCommit) committed += revision === undefined ? 1 : 1000;
      return revision;
    },
  };
  raced.coordinate({ transport: { ...transport, state } });
  raced.agent("a1");
  raced.agent("a2");
  await raced.submit();
  const record = await raced.untilOver();
  assert.deepEqual([record.state, record.start?.committed], ["aborted", false]);
  assert.equal(committed, 1);
  assert.ok(raced.agents.every(({ appended }) => appended.length === 0));
});

test("a cut while results are awaited ends the run with what is there", async () => {
  const stopped = await cluster(2, { keepsFinal: true });
  await stopped.submit();
  await stopped.untilState("delivering");
  await stop(stopped, "cut");
  const record = await stopped.untilOver("r1", 1000);
  assert.equal(record.state, "aborted");
  assert.ok(record.result?.reportBlob);
});

test("a drain while results are awaited changes nothing", async () => {
  const stopped = await cluster(2, { keepsFinal: true });
  await stopped.submit();
  await stopped.untilState("delivering");
  for (const agent of stopped.agents) agent.script.keepsFinal = false;
  await stop(stopped, "drain");
  assert.equal((await stopped.untilOver("r1", 10_000)).state, "completed");
});

test("a run that nobody leads is over as soon as it is stopped, and is never led", async () => {
  const lone = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  lone.agent("a1");
  lone.agent("a2");
  await lone.submit();
  const record = await stop(lone, "drain");
  assert.deepEqual([record.state, record.problem?.code], ["aborted", "RUN_ABORTED"]);
  lone.coordinate();
  await lone.pass(10_000);
  assert.deepEqual(await lone.record(), record);
});

test("a stop that was written before anybody led the run ends it as soon as somebody does", async () => {
  const late = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  late.agent("a1");
  late.agent("a2");
  const record = await late.submit();
  const stopped: RunRecord = { ...record, stop: { level: "drain", reason: "not today" } };
  const { state } = late.transport;
  await state.compareAndSet("run.r1", encodeRunRecord(stopped), (await state.get("run.r1"))?.revision);
  late.coordinate();
  const over = await late.untilOver("r1", 500);
  assert.deepEqual([over.state, over.problem?.message], ["aborted", "the run was stopped: not today"]);
  assert.deepEqual(over.shards, []);
});

test("a lost hint delays a stop by no more than a second", async () => {
  const stopped = await cluster(2);
  await stopped.submit({ load: longLoad });
  await stopped.untilState("running");
  await stopped.pass(5000);
  const mute = { ...stopped.transport, bus: { ...stopped.transport.bus, publish: () => undefined } };
  await stopRun({ transport: mute, subjects: stopped.subjects }, { run: "r1", level: "cut", reason: "" });
  await stopped.until("it drains", async () => (await stopped.record()).state !== "running", 1100);
});

test("a coordinator that is closed ends its run, keeps the report and gives the lead back", async () => {
  const closed = await cluster(2);
  // It would be waited for otherwise.
  closed.http = async () => ({ status: 200, body: engineMetrics({ running: 3 }) });
  await closed.submit({ load: longLoad });
  await closed.untilState("running");
  await closed.pass(5000);
  const [first] = closed.coordinators;
  assert.ok(first !== undefined);
  const closing = Promise.all([first.coordinator.close(), first.coordinator.close()]);
  const record = await closed.untilOver("r1", 3500);
  assert.deepEqual([record.state, record.problem?.code], ["aborted", "RUN_ABORTED"]);
  assert.match(record.problem?.message ?? "", /coordinator was closed/);
  await closed.pass(100);
  await closing;
  assert.equal(await first.ended, undefined);
  const report = await getReport(closed.transport, record);
  assert.ok(report.totals.requests.completed > 50);
  closed.coordinate();
  await closed.submit();
  assert.equal((await closed.untilOver("r2", 25_000)).state, "completed");
});

/** Each request takes 50 ms, so that this fails once a level has been measured for ten seconds. */
const FAILING = "e2e.p50 < 1ms abortOnFail";

test("a threshold with abortOnFail stops every agent within a second of the interval that shows it", async () => {
  const aborted = await cluster(3);
  await aborted.submit({ load: longLoad, thresholds: ["e2e.p50 < 1h abortOnFail", FAILING] });
  await aborted.untilState("running");
  const { start } = await aborted.record();
  await aborted.until("all send", () => aborted.agents.every(({ state }) => state === "running"), 5000);
  await aborted.until("nobody sends", () => aborted.agents.every(({ state }) => state !== "running"), 20_000);
  const afterUs = aborted.clock.nowUs() - (start?.leaderUs ?? 0);
  // The tenth interval ends after 10 s.
  assert.ok(afterUs >= 10_000_000 && afterUs <= 11_000_000, `after ${afterUs} us`);
  const record = await aborted.untilOver("r1", 5000);
  assert.deepEqual(
    [record.state, record.stop.level, record.problem?.code, record.problem?.threshold],
    ["aborted", "cut", "RUN_ABORTED", FAILING],
  );
  const report = await getReport(aborted.transport, record);
  assert.deepEqual(
    report.thresholds.map(({ result }) => result),
    ["passed", "failed"],
  );
  assert.equal(report.verdict.thresholds, "failed");
  assert.equal(report.completeness.samplesMerged, report.completeness.samplesRecorded);
});

test("the same threshold without abortOnFail lets the run go on", async () => {
  const judged = await cluster(2);
  await judged.submit({ load: longLoad, thresholds: ["e2e.p50 < 1ms"] });
  await judged.untilState("running");
  await judged.pass(40_000);
  assert.equal((await judged.record()).state, "running");
});
