import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { getReport, type LogEntry, reportFromJson, stopRun } from "@tokenstorm/protocol";
import { reportOfOnlooker, VirtualClock } from "@tokenstorm/testkit";
import type { CoordinatorDeps } from "./deps.js";
import { Cluster } from "./testing/cluster.js";

/** A run of six seconds that is under way, and all that the log ever held of it. */
async function running(
  change: Partial<CoordinatorDeps> = {},
): Promise<{ readonly cluster: Cluster; readonly log: LogEntry[]; readonly kill: () => Promise<void> }> {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = cluster.hub.connect();
  cluster.coordinate({ transport, ...change });
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.pass(100);
  const stages = [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 6000 }];
  await cluster.submit({ load: { kind: "users", stages } });
  const log: LogEntry[] = [];
  await cluster.transport.log.follow("r1", (entry) => log.push(entry));
  await cluster.untilState("running");
  await cluster.pass(4500);
  return { cluster, log, kill: () => transport.close() };
}

const setFull = ({ store }: Cluster, isFull: boolean) => {
  store.only.isFull = isFull;
};

async function assertFinished({ cluster, log }: Awaited<ReturnType<typeof running>>): Promise<void> {
  const record = await cluster.record();
  assert.deepEqual([record.state, record.problem, record.result?.isWhole], ["completed", null, true]);
  const json = (report: RunReport) => JSON.parse(JSON.stringify({ ...report, leading: null }));
  const kept = reportFromJson(cluster.store.only.files.get("report.json") ?? "");
  assert.deepEqual(
    json(kept),
    json(reportOfOnlooker({ record, log, transport: "memory", version: "0.1.0" })),
  );
  assert.deepEqual(json(await getReport(cluster.transport, record)), json(kept));
  const { intervalsExpected } = kept.completeness;
  assert.ok(intervalsExpected >= 12);
  assert.equal(cluster.store.only.lines("snapshots.ndjson").length, intervalsExpected + 2);
  assert.ok(cluster.store.only.files.get("plan.yaml")?.includes("version"));
}

test("a disk that is full for a while holds confirmation up, and nothing else", async () => {
  const run = await running();
  const { cluster } = run;
  setFull(cluster, true);
  const before = cluster.beacons.at(-1)?.confirmed["a1"]?.seq ?? 0;
  assert.ok(before >= 1);
  await cluster.pass(2500);
  assert.equal((await cluster.record()).state, "running");
  assert.equal(cluster.beacons.at(-1)?.confirmed["a1"]?.seq, before, "nothing more is confirmed");
  assert.match(cluster.lastLive()?.notes.join("\n") ?? "", /until there is room: .*no space is left/);
  assert.equal(
    cluster.logged.filter((line) => /no space is left.*make room/.test(line)).length,
    1,
    "said once",
  );
  setFull(cluster, false);
  await cluster.untilOver();
  assert.match(cluster.logged.join("\n"), /takes results again, after [234] s/);
  await assertFinished(run);
});

test("room that is made long after the load has ended finishes the run, by the same coordinator", async () => {
  const run = await running();
  const { cluster } = run;
  setFull(cluster, true);
  await cluster.pass(600_000);
  assert.equal((await cluster.record()).state, "delivering");
  assert.match(cluster.lastLive()?.notes.join("\n") ?? "", /until there is room/);
  setFull(cluster, false);
  await cluster.untilOver("r1", 10_000);
  await assertFinished(run);
});

test("another coordinator finishes it too, though it finds the disk full", async () => {
  const run = await running();
  const { cluster } = run;
  cluster.store.onOpen = (directory) => {
    directory.isFull = true;
  };
  cluster.coordinate();
  setFull(cluster, true);
  await run.kill();
  await cluster.until("taken over", () => cluster.beacons.at(-1)?.leader === "c2", 30_000);
  await cluster.pass(60_000);
  assert.equal((await cluster.record()).state, "delivering");
  setFull(cluster, false);
  await cluster.untilOver("r1", 10_000);
  await assertFinished(run);
});

test("a disk that is full once the report is written keeps nobody from the next run", async () => {
  const { cluster } = await running();
  const { only } = cluster.store;
  const write = only.writeFile.bind(only);
  only.writeFile = async (file, text) => {
    await write(file, text);
    if (file === "run.json") only.isFull = true;
  };
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.result?.isWhole], ["completed", true]);
  await cluster.submit();
  assert.equal((await cluster.untilOver("r2", 60_000)).state, "completed");
});

test("that the disk takes results again is said of what waited, and not of a run that is led no more", async () => {
  const { cluster, kill } = await running();
  setFull(cluster, true);
  await cluster.pass(30_000);
  assert.equal((await cluster.record()).state, "delivering");
  await kill();
  await cluster.pass(30_000);
  assert.doesNotMatch(cluster.logged.join("\n"), /takes results again/);
});

test("nobody makes room in time: the run fails in words; the report is in the blob store, the results in the log", async () => {
  const { cluster, log } = await running({ diskWaitMs: 30_000 });
  setFull(cluster, true);
  await cluster.pass(40_000);
  assert.equal((await cluster.record()).state, "delivering");
  const record = await cluster.untilOver("r1", 10_000);
  assert.deepEqual([record.state, record.problem?.code], ["failed", "RESULTS_UNREADABLE"]);
  assert.match(record.problem?.message ?? "", /no space is left/);
  assert.equal(record.result?.isWhole, false);
  const report = await getReport(cluster.transport, record);
  assert.equal(report.run.state, "failed");
  assert.equal(report.completeness.intervalsReceived, report.completeness.intervalsExpected);
  const held: LogEntry[] = [];
  await cluster.transport.log.follow("r1", (entry) => held.push(entry));
  await cluster.pass(100);
  const results = (entries: readonly LogEntry[]) => entries.filter(({ kind }) => kind !== "event").length;
  assert.equal(results(held), results(log));
  setFull(cluster, false);
  await cluster.submit();
  assert.equal((await cluster.untilOver("r2")).state, "completed");
});

test("a run that is cut waits for no room", async () => {
  const { cluster } = await running();
  setFull(cluster, true);
  await cluster.pass(60_000);
  assert.equal((await cluster.record()).state, "delivering");
  await stopRun(cluster, { run: "r1", level: "cut", reason: "stopped by hand" });
  const record = await cluster.untilOver("r1", 10_000);
  assert.equal(record.state, "failed");
  assert.match(record.problem?.message ?? "", /no space is left/);
});

test("a disk that is full before the start fails the run at once: nothing is lost by that", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.store.onOpen = (directory) => {
    directory.isFull = true;
  };
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.submit();
  const record = await cluster.untilOver("r1", 15_000);
  assert.deepEqual([record.state, record.problem?.code], ["failed", "RESULTS_UNREADABLE"]);
});
