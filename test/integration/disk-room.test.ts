import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isTerminal, type RunReport } from "@tokenstorm/core";
import { getReport, type LogEntry, reportFromJson } from "@tokenstorm/protocol";
import { reportOfOnlooker, type SmallDisk, smallDiskOrSkip } from "@tokenstorm/testkit";
import type { Running } from "./cli.js";
import { startCoordinator } from "./cluster.js";
import {
  assertJoined,
  assertWhole,
  type Cluster,
  LIMIT_MS,
  openCluster,
  RUN,
  submit,
  until,
  untilCut,
  untilState,
} from "./killed-cluster.js";

interface FullDisk {
  readonly cluster: Cluster;
  readonly disk: SmallDisk;
  readonly coordinator: Running;
  readonly log: readonly LogEntry[];
  readonly args: readonly string[];
}

/** A run of real processes whose coordinator has found its disk full in the middle of the load. */
async function fillUp(t: TestContext): Promise<FullDisk | undefined> {
  const disk = smallDiskOrSkip(t, 4 * 1024 * 1024);
  if (disk === undefined) return undefined;
  const cluster = await openCluster(t);
  if (cluster === undefined) return undefined;
  const args = ["--no-http", "--out", join(disk.path, "runs")];
  const coordinator = await startCoordinator(t, cluster.nats, args);
  await submit(cluster);
  const log: LogEntry[] = [];
  await cluster.transport.log.follow(RUN, (entry) => log.push(entry));
  await untilState(cluster, "running");
  await untilCut(cluster, 2);
  disk.fill();
  await coordinator.line(/no space is left on the disk: make room there/);
  return { cluster, disk, coordinator, log, args };
}

async function assertFinished({ cluster, log }: FullDisk): Promise<void> {
  const record = await until(cluster, ({ state }) => isTerminal(state), "over");
  assert.deepEqual([record.state, record.problem, record.result?.isWhole], ["completed", null, true]);
  const directory = record.result?.directory ?? "";
  const report = reportFromJson(readFileSync(join(directory, "report.json"), "utf8"));
  const { facts } = JSON.parse(readFileSync(join(directory, "run.json"), "utf8"));
  const json = (one: RunReport) => JSON.parse(JSON.stringify({ ...one, leading: null }));
  assert.deepEqual(
    json(report),
    json(reportOfOnlooker({ record, log, transport: "nats", version: facts.version })),
  );
  assert.deepEqual(json(await getReport(cluster.transport, record)), json(report));
  assertWhole(report);
  await assertJoined(cluster, report);
}

test("a disk that is full from the middle of the load on loses nothing: with room the same coordinator finishes the run", {
  timeout: 3 * LIMIT_MS,
}, async (t) => {
  const full = await fillUp(t);
  if (full === undefined) return;
  await untilState(full.cluster, "delivering");
  full.disk.makeRoom();
  await full.coordinator.line(/takes results again/);
  await assertFinished(full);
});

test("a coordinator that is killed while its disk is full, and started again on the full disk, finishes the run when there is room", {
  timeout: 3 * LIMIT_MS,
}, async (t) => {
  const full = await fillUp(t);
  if (full === undefined) return;
  full.coordinator.signal("SIGKILL");
  await full.coordinator.finished;
  const next = await startCoordinator(t, full.cluster.nats, full.args);
  await next.line(/no space is left on the disk: make room there/);
  await untilState(full.cluster, "delivering");
  full.disk.makeRoom();
  await assertFinished(full);
});
