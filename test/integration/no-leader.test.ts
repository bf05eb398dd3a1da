import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { isTerminal, type RunRecord, type RunReport } from "@tokenstorm/core";
import { getReport } from "@tokenstorm/protocol";
import { runCli, scratch } from "./cli.js";
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

interface Leaderless {
  readonly cluster: Cluster;
  /** The folder of the run directories. */
  readonly out: string;
  readonly spools: readonly string[];
}

/** A run whose coordinator is killed for good: its agents stop, wait for a confirmation, and write what nobody confirmed. */
async function loseLeader(t: TestContext): Promise<Leaderless | undefined> {
  const cluster = await openCluster(t);
  if (cluster === undefined) return undefined;
  const out = scratch(t);
  const coordinator = await startCoordinator(t, cluster.nats, ["--no-http", "--out", out]);
  await submit(cluster, {
    load: { kind: "users", stages: [{ users: 6, rampUpMs: 0, settleMs: 0, durationMs: 600_000 }] },
    orphanMs: 2000,
    deliverMs: 2000,
  });
  await untilState(cluster, "running");
  await untilCut(cluster, 2);
  coordinator.signal("SIGKILL");
  await coordinator.finished;
  const spools = await Promise.all(
    cluster.agents.map(async (agent) => {
      await agent.line(/stopped sending: no leader was heard/);
      const line = await agent.line(/results of run k1 were not confirmed in time; they are in/);
      const [, file] = /they are in ([^"]+\.spool\.ndjson)/.exec(line) ?? [];
      assert.ok(file !== undefined, line);
      return file;
    }),
  );
  return { cluster, out, spools };
}

/** They end with 1, and their last words name the files. */
async function endAgents({ cluster, spools }: Leaderless): Promise<void> {
  for (const [i, agent] of cluster.agents.entries()) {
    agent.signal("SIGTERM");
    const { code, stderr } = await agent.finished;
    assert.equal(code, 1, stderr);
    const lastWords = stderr.split("\n").find((line) => line.includes("results could not be delivered"));
    assert.ok(lastWords?.includes(spools[i] ?? "no file"), stderr);
  }
}

async function comesLater(
  t: TestContext,
  { cluster, out }: Leaderless,
): Promise<{ readonly record: RunRecord; readonly report: RunReport }> {
  await startCoordinator(t, cluster.nats, ["--no-http", "--out", out]);
  const record = await until(cluster, ({ state }) => isTerminal(state), "over");
  return { record, report: await getReport(cluster.transport, record) };
}

async function addSpools(t: TestContext, { out, spools }: Leaderless) {
  const added = await runCli(t, ["report", RUN, "--out", out, "--json", "--add", ...spools]);
  assert.equal(added.code, 0, added.stderr);
  const report: RunReport = JSON.parse(added.stdout);
  return { report, said: added.stderr };
}

describe("a run that nobody leads to its end", { concurrency: 3 }, () => {
  const limit = { timeout: 2 * LIMIT_MS };

  test(
    "a coordinator that comes while the agents are there gets everything, and they owe nothing",
    limit,
    async (t) => {
      const run = await loseLeader(t);
      if (run === undefined) return;
      const { record, report } = await comesLater(t, run);
      assert.equal(record.result?.isWhole, true);
      assertWhole(report);
      for (const agent of run.cluster.agents) {
        agent.signal("SIGTERM");
        const { code, stderr } = await agent.finished;
        assert.equal(code, 0, stderr);
      }
      await assertJoined(run.cluster, report);
    },
  );

  test(
    "a coordinator that comes when the agents have ended gets everything from the log, and their files add nothing",
    limit,
    async (t) => {
      const run = await loseLeader(t);
      if (run === undefined) return;
      await endAgents(run);
      const { report } = await comesLater(t, run);
      assertWhole(report);
      const { said } = await addSpools(t, run);
      assert.match(said, /nothing is new to run k1; \d+ results were there already/);
      await assertJoined(run.cluster, report);
    },
  );

  test(
    "where the log has lost it too, the coordinator names what is missing, and the agents' files make the run whole",
    limit,
    async (t) => {
      const run = await loseLeader(t);
      if (run === undefined) return;
      await endAgents(run);
      await run.cluster.transport.log.purge(RUN);
      const { record, report } = await comesLater(t, run);
      assert.deepEqual([record.state, record.problem?.code], ["failed", "AGENT_LOST"]);
      assert.equal(report.verdict.status, "invalid");
      assert.match(report.verdict.reasons.join(), /no final word came from/);
      const { report: whole, said } = await addSpools(t, run);
      assert.match(said, /added to run k1: intervals of a1: .*the final word of a1/);
      assertWhole(whole);
      await assertJoined(run.cluster, whole);
    },
  );
});
