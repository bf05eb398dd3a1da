import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { RunReport } from "@tokenstorm/core";
import { signalFamily } from "@tokenstorm/testkit";
import { cliFile, type Running, scratch, startProcess } from "../integration/cli.js";
import { assertWhole, untilOver, untilState } from "../integration/killed-cluster.js";
import { CASE_LIMIT, ChaosCluster, HEAP_ROOM } from "./chaos-cluster.js";

/** What the monotonic clocks of processes of this host are ahead of its own, as those of other hosts would be. */
const AHEAD_S = { a1: 1000, leader: 50_000 } as const;
/** Offsets are measured over loopback, on a machine that may be busy. */
const NEAR_S = 0.1;

/** The command line that runs another one with its monotonic clock so far ahead. */
const aheadOf = (seconds: number, argv: readonly string[]): string[] => [
  ...["unshare", "--time", "--monotonic", String(seconds), "--fork", "--kill-child"],
  ...argv,
];

async function mayShift(t: TestContext): Promise<boolean> {
  const [command = "", ...args] = aheadOf(1, ["true"]);
  try {
    await promisify(execFile)(command, args, { timeout: 10_000 });
    return true;
  } catch (error) {
    const why = `NO time namespaces HERE (root, Linux 5.6 and util-linux 2.36 are needed): ${String(error).trim().split("\n").at(-1)}`;
    assert.notEqual(process.env["REQUIRE_NETNS"], "1", why);
    t.skip(why);
    return false;
  }
}

async function startAhead(
  cluster: ChaosCluster,
  seconds: number,
  args: readonly string[],
  ready: RegExp,
): Promise<Running> {
  const running = startProcess(
    cluster.t,
    aheadOf(seconds, [process.execPath, ...HEAP_ROOM, cliFile, ...args]),
    {
      cwd: scratch(cluster.t),
      env: { NATS_URL: cluster.nats.url, TOKENSTORM_DEBUG_STAMPS: cluster.stampsFolder },
      limitMs: 300_000,
    },
  );
  await running.line(ready);
  return running;
}

/** One host's clocks keep pace, whatever they show: the agents are apart by what time zero was off by, and none has jumped. */
function assertClocks({ agents }: RunReport): void {
  const offUs = agents.reduce((sum, { clockErrorUs }) => sum + clockErrorUs, 0);
  for (const { id, clock } of agents) {
    const { terms = [], skew = null } = clock ?? {};
    const said = `${id}: ${JSON.stringify(clock)}`;
    assert.deepEqual(
      terms.map(({ term, jumps }) => [term, jumps.length]),
      [
        [1, 0],
        [2, 0],
      ],
      said,
    );
    assert.ok(skew !== null && Math.abs(skew.us) <= skew.errorUs + offUs, said);
  }
}

test(
  "hosts whose monotonic clocks differ by hours: one run, which a coordinator with another clock takes over",
  CASE_LIMIT,
  async (t) => {
    if (!(await mayShift(t))) return;
    const cluster = await ChaosCluster.open(t);
    if (cluster === undefined) return;
    const args = ["coordinator", "--no-http", "--out", scratch(t)];
    const leader = await startAhead(cluster, AHEAD_S.leader, args, /leading as/);
    await cluster.startStandby();
    const agent = ["agent", "--processes", "1", "--id", "a1"];
    cluster.agents.set("a1", await startAhead(cluster, AHEAD_S.a1, agent, /agent is ready for runs/));
    await cluster.startAgent("a2");
    await cluster.submit();
    await untilState(cluster, "running");
    assert.ok(await cluster.cutting());
    // With `unshare`, which passes no signal on.
    signalFamily(leader.pid, "SIGKILL");
    await leader.finished;
    const record = await untilOver(cluster);
    assert.deepEqual([record.state, record.problem, record.term], ["completed", null, 2]);
    const { a1 = 0, a2 = 0 } = record.start?.localUs ?? {};
    assert.ok(Math.abs((a1 - a2) / 1e6 - AHEAD_S.a1) < NEAR_S, `time zero: ${a1} and ${a2}`);
    const { report, joined } = await cluster.join(record);
    assertWhole(report);
    assert.equal(joined.byId, joined.completed);
    for (const { startErrorUs, id } of report.agents) {
      assert.ok(
        startErrorUs !== null && Math.abs(startErrorUs) < 1e6,
        `${id} began ${startErrorUs} us from time zero`,
      );
    }
    assertClocks(report);
  },
);
