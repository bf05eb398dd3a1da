import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, type PlanInput, type RunRecord, type RunReport } from "@tokenstorm/core";
import { getReport, stopRun } from "@tokenstorm/protocol";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";

const stages = (...seconds: readonly number[]): PlanInput["load"] => ({
  kind: "users",
  stages: seconds.map((length) => ({ users: 2, rampUpMs: 0, settleMs: 0, durationMs: length * 1000 })),
});

/** Two agents, running for a second. */
async function running(plan: Partial<PlanInput>): Promise<Cluster> {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.pass(100);
  await cluster.submit(plan);
  await cluster.untilState("running");
  await cluster.until("both have begun", () => cluster.agents.every(({ state }) => state === "running"));
  await cluster.pass(1000);
  return cluster;
}

async function reportOf(cluster: Cluster): Promise<RunReport> {
  return getReport(cluster.transport, await cluster.record());
}

const lost = async (cluster: Cluster): Promise<RunRecord> => {
  await cluster.until("a2 is lost", async () => ((await cluster.record()).losses ?? []).length === 1);
  return cluster.record();
};

test("under continue a run goes on without an agent that was killed, completes, and is degraded by name", async () => {
  const cluster = await running({ load: stages(80), lossPolicy: "continue" });
  cluster.agents[1]?.kill();
  const record = await lost(cluster);
  assert.equal(record.state, "running");
  assert.deepEqual(cluster.beacons.at(-1)?.givenUp, []);
  await cluster.until(
    "it shows",
    () => cluster.lastLive()?.agents.some(({ state }) => state === "lost") === true,
  );
  const over = await cluster.untilOver();
  assert.equal(over.state, "completed");
  const report = await reportOf(cluster);
  assert.equal(report.verdict.status, "degraded", report.verdict.reasons.join("\n"));
  assert.match(
    report.verdict.reasons.join("\n"),
    /a2 on host-a2 was lost: silent for 5.* went on without its shard/,
  );
  assert.match(report.verdict.reasons.join("\n"), /no final word came from a2 \(known to have cut \d/);
  assert.equal(report.losses?.[0]?.agent, "a2");
  assert.equal(over.result?.isWhole, false, "what is missing may still be in the log");
});

test("under reshard the beacon names a lost agent, and the shard map moves in the record by the same change", async () => {
  const cluster = await running({ load: stages(20, 20, 20), lossPolicy: "reshard" });
  cluster.agents[1]?.kill();
  const record = await lost(cluster);
  assert.deepEqual(
    record.moves,
    [{ lost: "a2", fromStage: 2, to: [{ agent: "a1", index: 1, count: 2 }] }],
    "7 s and 15 s and 1 s later than the edge at 20 s",
  );
  await cluster.until("a beacon says so", () => cluster.beacons.at(-1)?.givenUp.includes("a2") === true);
  assert.equal((await cluster.untilOver()).state, "completed");
  assert.match(
    (await reportOf(cluster)).verdict.reasons.join("\n"),
    /its shard went to a1 from stage u2-3 on/,
  );
});

test("a leader that takes over goes on telling a given up agent to stop, and gives nothing away twice", async () => {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  let isDead = false;
  const { clock } = cluster;
  cluster.coordinate({
    clock: {
      nowUs: () => clock.nowUs(),
      wallMs: () => clock.wallMs(),
      at: (us, fn) => clock.at(us, () => (isDead ? undefined : fn())),
    },
  });
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.pass(100);
  await cluster.submit({ load: stages(20, 20, 20), lossPolicy: "reshard" });
  await cluster.untilState("running");
  await cluster.pass(4000);
  cluster.agents[1]?.kill();
  const { moves } = await lost(cluster);
  isDead = true;
  cluster.coordinate();
  await cluster.until("another one leads", async () => (await cluster.record()).term > 1, 30_000);
  await cluster.pass(3000);
  assert.deepEqual(cluster.beacons.at(-1)?.givenUp, ["a2"]);
  const record = await cluster.record();
  assert.deepEqual(record.moves, moves);
  assert.equal(record.losses?.length, 1);
  assert.equal((await cluster.untilOver()).state, "completed");
});

test("a process that comes back with a lost agent's id takes no part in the run, under any policy, and has an epoch of its own in the next", async () => {
  for (const lossPolicy of ["continue", "reshard", "fail"] as const) {
    const cluster = await running({ load: stages(15, 15), lossPolicy });
    const before = await cluster.record();
    cluster.agents[1]?.kill();
    await cluster.pass(2000);
    const again = cluster.agent("a2", { instance: "a2-again" });
    const late = cluster.agent("a3");
    const over = await cluster.untilOver();
    assert.equal(over.state, lossPolicy === "fail" ? "failed" : "completed", lossPolicy);
    assert.match(
      (over.losses?.[0]?.reason ?? over.problem?.message) || "",
      /a2 on host-a2 was (lost|restarted)/,
    );
    assert.deepEqual([again.state, late.state], ["idle", "idle"]);
    assert.deepEqual(
      over.shards.map(({ instance }) => instance),
      ["a1-1", "a2-1"],
    );
    const next = await cluster.submit({});
    await cluster.untilOver(next.id);
    const { shards } = await cluster.record(next.id);
    assert.deepEqual(
      shards.map(({ instance }) => instance),
      ["a1-1", "a2-again", "a3-1"],
    );
    assert.ok(shards.every(({ epoch }) => epoch > (before.shards[0]?.epoch ?? 0)));
  }
});

/** A cluster whose store makes the commit and loses the answer; `then` happens before it is known as lost. */
async function losingCommit(then: (at: Cluster) => Promise<unknown>): Promise<Cluster> {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = cluster.hub.connect();
  const { state } = transport;
  let isLost = false;
  let silentUntilUs = 0;
  const answer = () => {
    if (cluster.clock.nowUs() < silentUntilUs) throw new LoadError("BUS_UNAVAILABLE", "no answer");
  };
  cluster.coordinate({
    transport: {
      ...transport,
      state: {
        ...state,
        get: (key) => {
          if (key.includes("r1")) answer();
          return state.get(key);
        },
        compareAndSet: async (key, value, expected) => {
          if (key.includes("r1")) answer();
          const revision = await state.compareAndSet(key, value, expected);
          if (isLost || !key.includes("r1") || (await cluster.record()).start?.committed !== true)
            return revision;
          isLost = true;
          silentUntilUs = cluster.clock.nowUs() + 4_000_000;
          await then(cluster);
          await new Promise<void>((resolve) => {
            cluster.clock.at(cluster.clock.nowUs() + 2_500_000, resolve);
          });
          throw new LoadError("BUS_UNAVAILABLE", "no answer in time");
        },
      },
    },
  });
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.pass(100);
  await cluster.submit({ load: stages(20) });
  await cluster.untilState("running");
  return cluster;
}

test("a commit whose answer was lost is known as written, also when its time is over and the store is silent beyond it", async () => {
  const cluster = await losingCommit(async () => undefined);
  const over = await cluster.untilOver();
  assert.deepEqual([over.state, over.problem], ["completed", null]);
});

test("a stop on top of a commit whose answer was lost ends a run that has begun: its results are waited for", async () => {
  const cluster = await losingCommit(({ transport, subjects }) =>
    stopRun({ transport, subjects }, { run: "r1", level: "drain", reason: "stopped by a test" }),
  );
  const over = await cluster.untilOver();
  assert.deepEqual([over.state, over.problem?.code], ["aborted", "RUN_ABORTED"]);
  assert.equal(over.start?.committed, true);
  const report = await reportOf(cluster);
  assert.deepEqual([report.completeness.missing, over.result?.isWhole], [[], true]);
  assert.ok(report.totals.requests.completed > 0, "what was sent until the stop is in the report");
});
