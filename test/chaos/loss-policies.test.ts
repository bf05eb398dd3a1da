import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type PlanInput, type RunRecord, resolveStages } from "@tokenstorm/core";
import { decodeHeartbeat, subjects } from "@tokenstorm/protocol";
import { signalFamily } from "@tokenstorm/testkit";
import { RUN, until, untilOver } from "../integration/killed-cluster.js";
import { CASE_LIMIT, type ChaosCluster, onCluster, SIZE } from "./chaos-cluster.js";

/** The agent that it happens to, of three. */
const VICTIM = "a2";
const RPS = 9;

/** A ladder of equal rates: every arrival has a number, so that whoever sends one can be told. */
const arrivals = (stages: number, durationMs: number): PlanInput["load"] => ({
  kind: "arrival-rate",
  spacing: "even",
  maxInFlight: 200,
  stages: Array.from({ length: stages }, () => ({ fromRps: RPS, durationMs })),
});

async function begin(cluster: ChaosCluster, plan: Partial<PlanInput>): Promise<void> {
  await cluster.startCoordinator();
  await Promise.all(["a1", VICTIM, "a3"].map((id) => cluster.startAgent(id)));
  await cluster.submit({ agents: { min: 3, waitMs: 90_000 }, warmUp: { requests: 3 }, ...plan });
  await until(cluster, ({ state }) => state === "running", "running");
  assert.ok(await cluster.cutting(), "all agents run");
  // A warm-up that has still to be done would wait for the victim, and nothing of the load be due meanwhile.
  await reaches(cluster, FIRST_LEVEL, [...cluster.agents.keys()]);
}

/** Behind the warm-up. */
const FIRST_LEVEL = 1;

const isLost = ({ losses = [] }: RunRecord): boolean => losses.some(({ agent }) => agent === VICTIM);

/** Ids of the open load by stage, as often as the target saw them. */
async function sentIn(cluster: ChaosCluster, stage: number): Promise<string[]> {
  const truth = await cluster.truth();
  return truth.map(({ id }) => id).filter((id) => id.startsWith(`ts-${RUN}-s${stage}-k`));
}

async function comesBack(cluster: ChaosCluster): Promise<void> {
  await begin(cluster, { load: arrivals(1, 25_000), lossPolicy: "continue" });
  const victim = cluster.agents.get(VICTIM);
  assert.ok(victim !== undefined);
  signalFamily(victim.pid, "SIGSTOP");
  await until(cluster, isLost, "lost");
  signalFamily(victim.pid, "SIGCONT");
  const record = await untilOver(cluster);
  assert.equal(record.state, "completed", record.problem?.message);
  const { report, joined } = await cluster.join(record);
  cluster.t.diagnostic(JSON.stringify({ losses: report.losses, ...joined }));
  assert.ok(joined.byId > 0);
  assert.notEqual(report.losses?.[0]?.foundAtMs ?? null, null, "it is heard again");
  assert.deepEqual(report.completeness.missing, []);
  const [level] = report.stages;
  assert.deepEqual([level?.requests.offered, level?.requests.unknown], [25 * RPS, 0]);
  assert.ok((level?.drops["late"] ?? 0) > 0, "what was overdue is dropped");
}

/** A busy machine may hold a beacon up for some seconds; and the last stage begins when the victim has stopped for sure. */
const STAGE_MS = 10_000;
const resharded: Partial<PlanInput> = {
  load: arrivals(3, STAGE_MS),
  lossPolicy: "reshard",
  orphanMs: 6000,
};

async function isTakenOver(cluster: ChaosCluster): Promise<void> {
  await begin(cluster, resharded);
  const victim = cluster.agents.get(VICTIM);
  assert.ok(victim !== undefined);
  signalFamily(victim.pid, "SIGKILL");
  await victim.finished;
  cluster.forget(VICTIM);
  await assertTakenOver(cluster);
}

async function wakesTooLate(cluster: ChaosCluster): Promise<void> {
  await begin(cluster, resharded);
  const victim = cluster.agents.get(VICTIM);
  assert.ok(victim !== undefined);
  signalFamily(victim.pid, "SIGSTOP");
  const { moves = [] } = await until(cluster, (record) => (record.moves ?? []).length > 0, "moved");
  // Whoever has its keys by then is sending them.
  await reaches(
    cluster,
    moves[0]?.fromStage ?? 0,
    [...cluster.agents.keys()].filter((id) => id !== VICTIM),
  );
  signalFamily(victim.pid, "SIGCONT");
  await assertTakenOver(cluster);
}

/** These agents are in this stage. */
function reaches(cluster: ChaosCluster, stage: number, agents: readonly string[]): Promise<void> {
  const waiting = new Set(agents);
  return cluster.heard(subjects().heartbeats, `stage ${stage}`, (data) => {
    const beat = decodeHeartbeat(data);
    if (beat.stage >= stage) waiting.delete(beat.agent);
    return waiting.size === 0;
  });
}

async function assertTakenOver(cluster: ChaosCluster): Promise<void> {
  const record = await untilOver(cluster);
  assert.equal(record.state, "completed", record.problem?.message);
  const { report, joined } = await cluster.join(record);
  cluster.t.diagnostic(JSON.stringify({ losses: report.losses, moves: record.moves, ...joined }));
  assert.ok(joined.byId > 0);
  const [move] = record.moves ?? [];
  assert.equal(move?.lost, VICTIM);
  const stages = resolveStages(record.plan);
  for (const { index, name, isWarmUp } of stages) {
    if (isWarmUp) continue;
    const ids = await sentIn(cluster, index);
    assert.equal(new Set(ids).size, ids.length, `nothing of ${name} was sent twice`);
    if (index < (move?.fromStage ?? 0)) continue;
    const row = report.stages.find((stage) => stage.name === name);
    const due = (STAGE_MS / 1000) * RPS;
    assert.deepEqual([ids.length, row?.requests.offered, row?.requests.unknown], [due, due, 0], name);
  }
}

async function onOne(t: TestContext, body: (cluster: ChaosCluster) => Promise<void>): Promise<void> {
  await onCluster(t, undefined, body);
}

describe("loss policies", { concurrency: SIZE.concurrency }, () => {
  test(
    "under continue an agent that is stopped and wakes takes up its shard, and nothing is missing",
    CASE_LIMIT,
    (t) => onOne(t, comesBack),
  );
  test(
    "under reshard the others send a killed agent's arrivals from the edge of a stage on, each of them once",
    CASE_LIMIT,
    (t) => onOne(t, isTakenOver),
  );
  if (SIZE.isWhole) {
    test(
      "under reshard an agent that is stopped, and wakes when others send its arrivals, sends none of them again",
      CASE_LIMIT,
      (t) => onOne(t, wakesTooLate),
    );
  }
});
