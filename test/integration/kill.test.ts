import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import {
  isTerminal,
  type PlanInput,
  type RunRecord,
  type RunReport,
  type RunState,
  requirePlan,
} from "@tokenstorm/core";
import { getReport, readRun, subjects, submitRun, type Transport } from "@tokenstorm/protocol";
import { connectNats } from "@tokenstorm/protocol/nats";
import { type Running, type Simulator, scratch, startCli, startSimulator } from "./cli.js";
import { startAgent, startCoordinator, startNats, type TestNats } from "./cluster.js";

const RUN = "k1";
const LIMIT_MS = 90_000;
const LOOK_MS = 5;

interface Cluster {
  readonly nats: TestNats;
  readonly simulator: Simulator;
  readonly transport: Transport;
  readonly agents: readonly Running[];
}

async function openCluster(t: TestContext): Promise<Cluster | undefined> {
  const nats = await startNats(t);
  if (nats === undefined) return undefined;
  // Requests of some 300 ms: a drain lasts long enough to be seen.
  const simulator = await startSimulator(t, ["--time-scale", "4"]);
  const transport = await connectNats({ servers: [nats.url], role: "coordinator", name: "test" });
  t.after(() => transport.close());
  const agents = await Promise.all(
    ["a1", "a2"].map((id) => startAgent(t, nats, ["--id", id], { cwd: scratch(t) })),
  );
  return { nats, simulator, transport, agents };
}

async function submit({ transport, simulator }: Cluster, change: Partial<PlanInput> = {}): Promise<void> {
  const plan = requirePlan({
    version: 1,
    target: { urls: [simulator.url] },
    workload: { inputTokens: 32, outputTokens: 16 },
    load: { kind: "users", stages: [{ users: 6, rampUpMs: 0, settleMs: 0, durationMs: 6000 }] },
    warmUp: { requests: 0 },
    agents: { min: 2, waitMs: 30_000 },
    deliverMs: 60_000,
    ...change,
  });
  await submitRun({ transport, subjects: subjects() }, { plan, id: RUN, salt: "s", createdAtMs: Date.now() });
}

/** Looks until the store shows it: what follows hangs on what was seen, not on how long something took. */
async function until(
  { transport }: Cluster,
  holds: (record: RunRecord) => boolean,
  what: string,
): Promise<RunRecord> {
  const untilMs = performance.now() + LIMIT_MS;
  for (;;) {
    const { record } = await readRun(transport, RUN);
    if (holds(record)) return record;
    assert.ok(
      !isTerminal(record.state),
      `the run is ${record.state}, not ${what}: ${record.problem?.message}`,
    );
    assert.ok(performance.now() < untilMs, `not within ${LIMIT_MS} ms: ${what}; it is ${record.state}`);
    await wait(LOOK_MS);
  }
}

const untilState = (cluster: Cluster, state: RunState) =>
  until(cluster, (record) => record.state === state, state);

/** Every request that the simulator finished is in the report, and no other: joined by request id. */
async function assertJoined({ simulator }: Cluster, report: RunReport): Promise<void> {
  const requests = (await simulator.truth()).filter(({ id }) => id.startsWith(`ts-${RUN}-`));
  const ids = new Set(requests.map(({ id }) => id));
  assert.equal(ids.size, requests.length, "no request was sent twice");
  const finished = requests.filter(({ finishReason }) => finishReason === "length");
  assert.equal(report.totals.requests.completed, finished.length);
}

function assertWhole(report: RunReport): void {
  const { completeness } = report;
  assert.deepEqual(completeness.missing, []);
  assert.ok(completeness.intervalsExpected > 0);
  assert.equal(completeness.intervalsReceived, completeness.intervalsExpected);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
}

/** A process and those that it started: an agent's may be a child with room of its own for the heap. */
function familyOf(pid: number): number[] {
  const family = [pid];
  for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    try {
      const stat = readFileSync(join("/proc", name, "stat"), "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (parent === pid) family.push(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return family;
}

for (const state of ["preparing", "running", "draining"] as const) {
  test(`a coordinator that is killed while the run is ${state} is replaced by the one that stands by, and nothing is lost`, {
    timeout: 2 * LIMIT_MS,
  }, async (t) => {
    const cluster = await openCluster(t);
    if (cluster === undefined) return;
    const first = await startCoordinator(t, cluster.nats, ["--no-http", "--out", scratch(t)]);
    const out = scratch(t);
    const second = startCli(t, ["coordinator", "--no-http", "--out", out], {
      env: { NATS_URL: cluster.nats.url },
      limitMs: 300_000,
    });
    await second.line(/standing by: coordinator .* leads \(term 1\)/);
    await submit(cluster);
    await untilState(cluster, state);
    first.signal("SIGKILL");
    await first.finished;
    const record = await until(cluster, ({ state: now }) => isTerminal(now), "over");
    assert.deepEqual([record.state, record.problem, record.term], ["completed", null, 2]);
    const report = await getReport(cluster.transport, record);
    assertWhole(report);
    assert.equal(report.leading?.leaders.length, 2);
    await assertJoined(cluster, report);
    const [folder = ""] = readdirSync(out);
    assert.ok(existsSync(join(out, folder, "run.json")), "the second one keeps the run");
  });
}

test("a coordinator that is killed and started again goes on with its own run directory", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  const args = ["--no-http", "--out", scratch(t)];
  const first = await startCoordinator(t, cluster.nats, args);
  await submit(cluster);
  await untilState(cluster, "running");
  first.signal("SIGKILL");
  await first.finished;
  await startCoordinator(t, cluster.nats, args);
  const record = await until(cluster, ({ state }) => isTerminal(state), "over");
  assert.deepEqual([record.state, record.term], ["completed", 2]);
  const report = await getReport(cluster.transport, record);
  assertWhole(report);
  await assertJoined(cluster, report);
  const file = join(record.result?.directory ?? "", "report.json");
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")).completeness, report.completeness);
});

test("an agent that is killed in mid-run ends the run by name; what is missing of it is named, and bounded by its heartbeat", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  await startCoordinator(t, cluster.nats, ["--no-http", "--out", scratch(t)]);
  await submit(cluster, {
    load: { kind: "users", stages: [{ users: 6, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }] },
  });
  // In the log of its results, so that there is something to lose.
  const seen = new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("a2 delivered nothing")), LIMIT_MS);
    void untilState(cluster, "running").then(() =>
      cluster.transport.log.follow(RUN, ({ agent, kind }) => {
        if (agent !== "a2" || kind !== "snapshot") return;
        clearTimeout(limit);
        resolve();
      }),
    );
  });
  await seen;
  for (const pid of familyOf(cluster.agents[1]?.pid ?? 0)) process.kill(pid, "SIGKILL");
  const record = await until(cluster, ({ state }) => isTerminal(state), "over");
  assert.deepEqual([record.state, record.problem?.code], ["failed", "AGENT_LOST"]);
  assert.match(record.problem?.message ?? "", /agent a2 on .* was lost/);
  const report = await getReport(cluster.transport, record);
  assert.equal(report.verdict.status, "invalid");
  assert.ok(
    report.verdict.reasons.some((reason) =>
      /no final word came from a2 \(known to have cut \d+\)/.test(reason),
    ),
    report.verdict.reasons.join("\n"),
  );
  const requests = (await cluster.simulator.truth()).filter(({ id }) => id.startsWith(`ts-${RUN}-`));
  const finished = requests.filter(({ finishReason }) => finishReason === "length").length;
  // Of a2 the open interval at most, and what it had not handed over: some requests of three users in two seconds.
  const { completed } = report.totals.requests;
  assert.ok(completed <= finished && finished - completed < 60, `${completed} of ${finished}`);
});
