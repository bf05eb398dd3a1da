import assert from "node:assert/strict";
import { availableParallelism, constants, setPriority } from "node:os";
import { type TestContext, test } from "node:test";
import type { LiveUpdate, RunReport } from "@tokenstorm/core";
import { rolePermissions } from "@tokenstorm/protocol/nats";
import {
  type Finished,
  type Running,
  runCli,
  scratch,
  startCli,
  startSimulator,
} from "../integration/cli.js";
import { startAgent, startCoordinator, startNats, type TestNats } from "../integration/cluster.js";
import { cpuMs, machineCpuMs } from "../integration/cpu-time.js";

const VIEWERS = 20;
const LAG_LIMIT_US = 2000;
const MOST_FOREIGN_SHARE = 0.1;
/** The first one, and two more where the machine was too busy to judge by. */
const ATTEMPTS = 4;
/**
 * Of two runs without viewers one may have twice the lag of the other: a lag over the limit, or a red interval, counts when
 * two attempts show it, and is said where one does.
 */
const MOST_LATE = 2;
/** As many processes may start side by side on two cores without one of them being given up. */
const STARTED_AT_ONCE = 5;
const LONGEST_MS = 900_000;
const ROLES = ["coordinator", "agent", "operator", "viewer"] as const;

const PLAN = {
  version: 1,
  workload: { inputTokens: 64, outputTokens: 64 },
  load: { kind: "users", stages: [{ users: 50, rampUpMs: 2000, durationMs: 10_000 }] },
};

const as = (role: (typeof ROLES)[number]) => ({ NATS_USER: role, NATS_PASSWORD: role });

interface Stage {
  readonly t: TestContext;
  readonly nats: TestNats;
  readonly coordinator: Running;
  readonly target: string;
}

async function openStage(t: TestContext): Promise<Stage | undefined> {
  const nats = await startNats(
    t,
    ROLES.map((role) => ({ user: role, password: role, ...rolePermissions(role) })),
  );
  if (nats === undefined) return undefined;
  // Two cores carry it with ease, so that what is measured is the viewers.
  const simulator = await startSimulator(t, ["--time-scale", "0.5"]);
  const coordinator = await startCoordinator(t, nats, ["--out", scratch(t)], {
    env: as("coordinator"),
    limitMs: LONGEST_MS,
  });
  for (const id of ["a", "b"])
    await startAgent(t, nats, ["--id", id], { env: as("agent"), limitMs: LONGEST_MS });
  return { t, nats, coordinator, target: simulator.url };
}

interface Measured {
  readonly report: RunReport;
  readonly lagUs: number;
  /** Of the coordinator's process and of nats-server, over the run, in ms. */
  readonly coordinatorCpuMs: number;
  readonly natsCpuMs: number;
  /** Share of the machine that processes had which are none of ours. */
  readonly foreignShare: number;
}

/** One run from its submission to its report. */
async function measure({ t, nats, coordinator, target }: Stage): Promise<Measured> {
  const before = [cpuMs(coordinator.pid), cpuMs(nats.server.pid)] as const;
  const [from, machine] = [performance.now(), machineCpuMs()];
  const result = await runCli(t, ["submit", "-", "--wait", "--json", "--ui", "none", "--out", scratch(t)], {
    env: { NATS_URL: nats.url, ...as("operator") },
    input: JSON.stringify({ ...PLAN, target: { urls: [target] } }),
  });
  assert.match(result.stdout, /"schemaVersion"/, result.stderr);
  const report: RunReport = JSON.parse(result.stdout);
  const { allMs, oursMs } = machineCpuMs();
  const foreignMs = allMs - machine.allMs - (oursMs - machine.oursMs);
  return {
    report,
    foreignShare: foreignMs / ((performance.now() - from) * availableParallelism()),
    lagUs: report.stages[0]?.latencyUs.scheduleLag.p99 ?? Number.NaN,
    coordinatorCpuMs: cpuMs(coordinator.pid) - before[0],
    natsCpuMs: cpuMs(nats.server.pid) - before[1],
  };
}

const redIntervals = ({ report }: Measured): number =>
  report.agents.reduce((sum, agent) => sum + agent.redIntervals, 0);

/** What is wrong with a run; empty when it is a good one. */
function complaints(run: Measured): string[] {
  const red = redIntervals(run);
  return [...losses(run), ...(red === 0 ? [] : [`${red} red intervals`])];
}

/** What no machine excuses. */
function losses({ report }: Measured): string[] {
  const { intervalsExpected, intervalsReceived, missing } = report.completeness;
  return [
    ...(report.run.state === "completed" ? [] : [`the run ${report.run.state}`]),
    ...(intervalsExpected === intervalsReceived && missing.length === 0
      ? []
      : [`${intervalsReceived} of ${intervalsExpected} intervals`]),
  ];
}

/** What others did on this machine meanwhile, where it is too much to judge a run by. */
function disturbance({ foreignShare }: Measured): string[] {
  if (foreignShare <= MOST_FOREIGN_SHARE) return [];
  return [`other processes had ${(foreignShare * 100).toFixed(0)} % of the machine`];
}

/** Viewers that listen already, one of them stopped. */
async function startViewers({
  t,
  nats,
}: Stage): Promise<{ readonly stopped: Running; readonly others: Running[] }> {
  const viewers: Running[] = [];
  while (viewers.length < VIEWERS) {
    const started = Array.from({ length: STARTED_AT_ONCE }, () =>
      startCli(t, ["tail", "--wait", "--json"], {
        env: { NATS_URL: nats.url, ...as("viewer") },
        limitMs: 240_000,
      }),
    );
    await Promise.all(started.map((viewer) => viewer.line(/waiting for it to begin/)));
    viewers.push(...started);
  }
  const [stopped, ...others] = viewers;
  assert.ok(stopped !== undefined);
  // They would sit on other hosts: what they cost the run is to be seen, not what they take of its processors.
  for (const { pid } of viewers) setPriority(pid, constants.priority.PRIORITY_LOW);
  stopped.signal("SIGSTOP");
  return { stopped, others };
}

function updatesOf({ stdout }: Finished): LiveUpdate[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line): LiveUpdate => JSON.parse(line));
}

/** All saw the whole run and the same end; the stopped one goes on when it may, and ends as well. */
async function assertSeen(
  viewers: Awaited<ReturnType<typeof startViewers>>,
  { report }: Measured,
): Promise<void> {
  const seen = await Promise.all(viewers.others.map(({ finished }) => finished));
  const seconds = report.run.durationMs / 1000;
  for (const viewer of seen) {
    assert.equal(viewer.code, 0, viewer.stderr);
    const updates = updatesOf(viewer);
    assert.ok(updates.length >= seconds, `${updates.length} updates of a run of ${seconds} s`);
    const last = updates.at(-1);
    assert.equal(last?.run, report.run.id);
    assert.equal(last?.state, "completed");
    assert.equal(last?.totals.completed, report.totals.requests.completed);
    assert.deepEqual(last, updatesOf(seen[0] ?? viewer).at(-1));
    assert.match(viewer.stderr, new RegExp(`run ${report.run.id} completed`));
  }
  viewers.stopped.signal("SIGCONT");
  const late = await viewers.stopped.finished;
  assert.equal(late.code, 0, late.stderr);
  assert.match(late.stderr, new RegExp(`run ${report.run.id} `));
}

const figures = (name: string, run: Measured): string =>
  [
    `${name}: lag p99 ${(run.lagUs / 1000).toFixed(2)} ms`,
    `coordinator ${run.coordinatorCpuMs} ms CPU`,
    `nats-server ${run.natsCpuMs} ms CPU`,
    `others ${(run.foreignShare * 100).toFixed(0)} % of the machine`,
    ...complaints(run),
  ].join(", ");

test("twenty viewers, one of them stopped, cost a run nothing that it can measure", {
  timeout: 900_000,
}, async (t) => {
  const stage = await openStage(t);
  if (stage === undefined) return;
  const measured = async (name: string): Promise<Measured> => {
    const run = await measure(stage);
    t.diagnostic(figures(name, run));
    return run;
  };
  const isNoisy = (noise: readonly string[]): boolean => {
    if (noise.length > 0) t.diagnostic(`THIS MACHINE CANNOT BE JUDGED BY NOW: ${noise.join(", ")}`);
    return noise.length > 0;
  };
  const late: string[] = [];
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const before = await measured(`attempt ${attempt}, before`);
    if (isNoisy([...complaints(before), ...disturbance(before)])) continue;
    const viewers = await startViewers(stage);
    const watched = await measured(`attempt ${attempt}, with ${VIEWERS} viewers`);
    const viewersMs = viewers.others.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
    t.diagnostic(`the viewers themselves: ${viewersMs} ms CPU since they were started`);
    await assertSeen(viewers, watched);
    const after = await measured(`attempt ${attempt}, after`);
    // Not by what the run with viewers shows of itself: that is what is judged.
    if (isNoisy([...disturbance(watched), ...complaints(after), ...disturbance(after)])) continue;
    assert.deepEqual(losses(watched), []);
    // Both are runs without viewers; how far they are apart is what the machine itself does to a run.
    const baselineUs = Math.max(before.lagUs, after.lagUs);
    const red = redIntervals(watched);
    if (watched.lagUs <= baselineUs + LAG_LIMIT_US && red === 0) return;
    late.push(
      `schedule lag p99 ${watched.lagUs} us and ${red} red intervals with viewers, ${before.lagUs} and ${after.lagUs} us and none without`,
    );
    t.diagnostic(`OVER THE LIMIT: ${late.at(-1)}`);
    assert.ok(late.length < MOST_LATE, late.join("; "));
  }
  // A run that nobody can judge is no fault of the viewers; that nothing was shown is said where nobody overlooks it.
  t.skip(
    `NOT JUDGED: in ${ATTEMPTS} attempts this machine gave no clean run without viewers; run it alone on a quiet one${late.map((text) => ` (${text})`).join("")}`,
  );
});
