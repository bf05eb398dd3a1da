import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { isTerminal, type RunReport } from "@tokenstorm/core";
import {
  decodeHeartbeat,
  getReport,
  LEADER_KEY,
  type LogEntry,
  subjects,
  type Transport,
} from "@tokenstorm/protocol";
import { connectNats } from "@tokenstorm/protocol/nats";
import { untilHolds } from "@tokenstorm/testkit";
import { scratch } from "./cli.js";
import { killAndRestartNats, startCoordinator } from "./cluster.js";
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

const STREAM = "TS_RES";

/**
 * A run whose coordinator is killed; then, once the log has results that nobody has confirmed, something happens to the
 * log; then the coordinator is there again.
 */
async function lose(
  t: TestContext,
  cluster: Cluster,
  happen: (manager: JetStreamManager, held: readonly LogEntry[]) => Promise<unknown>,
): Promise<{ readonly report: RunReport; readonly held: readonly LogEntry[] }> {
  const args = ["--no-http", "--out", scratch(t)];
  const first = await startCoordinator(t, cluster.nats, args);
  await submit(cluster);
  await untilState(cluster, "running");
  first.signal("SIGKILL");
  await first.finished;
  const connection = await connect({ servers: cluster.nats.url });
  t.after(() => connection.close());
  const manager = await jetstreamManager(connection);
  const held: LogEntry[] = [];
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("no results in the log")), LIMIT_MS);
    void cluster.transport.log.follow(RUN, (entry) => {
      if (entry.kind === "snapshot") held.push(entry);
      // Of both agents, and more than one may be acted on as the agent's last.
      if (held.filter(({ agent }) => agent === "a1").length < 3) return;
      clearTimeout(limit);
      resolve();
    });
  });
  await happen(manager, held);
  await startCoordinator(t, cluster.nats, args);
  const record = await until(cluster, ({ state }) => isTerminal(state), "over");
  assert.deepEqual([record.state, record.problem], ["completed", null]);
  return { report: await getReport(cluster.transport, record), held };
}

/** The last but one that the log has of a1: an agent that keeps nothing has forgotten it by then. */
async function deleteOne(manager: JetStreamManager, held: readonly LogEntry[]): Promise<void> {
  const entry = held.filter(({ agent }) => agent === "a1").at(-2);
  assert.ok(entry !== undefined);
  assert.ok(await manager.streams.deleteMessage(STREAM, entry.position));
}

test("a message that is deleted from JetStream in mid-run is asked for again, and the run ends complete", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  const { report } = await lose(t, cluster, deleteOne);
  assertWhole(report);
  await assertJoined(cluster, report);
});

test("a stream of results that is deleted in mid-run is made anew, and what nobody had confirmed is delivered again", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  const { report } = await lose(t, cluster, (manager) => manager.streams.delete(STREAM));
  assertWhole(report);
  await assertJoined(cluster, report);
});

test("a stream of results that is full in mid-run holds nothing up for good: what it refused is delivered once there is room", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  const { report } = await lose(t, cluster, async (manager) => {
    const { config, state } = await manager.streams.info(STREAM);
    await manager.streams.update(STREAM, { ...config, max_bytes: state.bytes });
    await untilRefused(cluster);
    await manager.streams.update(STREAM, config);
  });
  assertWhole(report);
  await assertJoined(cluster, report);
});

/** Both agents have cut intervals that the log has not taken. */
async function untilRefused({ transport }: Cluster): Promise<void> {
  const behind = new Set<string>();
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("nothing was refused")), LIMIT_MS);
    transport.bus.subscribe(subjects().heartbeats, ({ data }) => {
      const { agent, lastCut, lastAcked } = decodeHeartbeat(data);
      if (lastCut > lastAcked) behind.add(agent);
      if (behind.size < 2) return;
      clearTimeout(limit);
      resolve();
    });
  });
}

test("with nothing kept at the agents, a deleted message is missing: agent, window and count are named", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t, { env: { TOKENSTORM_RETAIN_BYTES: "0" } });
  if (cluster === undefined) return;
  const { report } = await lose(t, cluster, deleteOne);
  const { completeness, verdict } = report;
  assert.equal(completeness.missing.length, 1);
  const [gap] = completeness.missing;
  assert.deepEqual([gap?.agent, gap?.from], ["a1", gap?.to]);
  assert.equal(completeness.intervalsExpected - completeness.intervalsReceived, 1);
  assert.ok(completeness.samplesMerged < completeness.samplesRecorded);
  const seq = gap?.from ?? 0;
  const named = `1 of ${completeness.intervalsExpected} intervals are missing (a1 ${seq}: ${seq - 1}-${seq} s)`;
  assert.ok(verdict.reasons.includes(named), verdict.reasons.join("\n"));
  assert.notEqual(verdict.status, "valid");
});

test("a NATS that comes back with nothing in mid-run gets lease, record and results again, and the run ends complete", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  const coordinator = await startCoordinator(t, cluster.nats, ["--no-http", "--out", scratch(t)]);
  await submit(cluster, {
    load: { kind: "users", stages: [{ users: 6, rampUpMs: 0, settleMs: 0, durationMs: 10_000 }] },
  });
  await untilState(cluster, "running");
  await untilCut(cluster, 2);
  // Whoever looks on from here makes nothing anew.
  await cluster.transport.close();
  const { url } = cluster.nats;
  const transport = await connectNats({ servers: [url], role: "operator", name: "test" });
  t.after(() => transport.close());
  // So that the next renewal finds the new server: what is asked while none is there is answered by nobody for 5 s.
  await untilRenewed(transport);
  await killAndRestartNats(t, cluster.nats, { isEmptied: true });
  await coordinator.line(/the store had lost the run's record: it was written again/);
  const record = await until({ transport }, ({ state }) => isTerminal(state), "over");
  assert.deepEqual([record.state, record.problem, record.result?.isWhole], ["completed", null, true]);
  const report = await getReport(transport, record);
  assertWhole(report);
  await assertJoined(cluster, report);
});

/** The leader has just moved its lease. */
async function untilRenewed({ state }: Transport): Promise<void> {
  const before = await state.get(LEADER_KEY);
  assert.ok(before !== undefined);
  const isMoved = async () => (await state.get(LEADER_KEY))?.revision !== before.revision;
  assert.ok(await untilHolds(isMoved, LIMIT_MS), "the lease was not renewed");
}
