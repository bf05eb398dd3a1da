import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LiveUpdate, RunReport } from "@tokenstorm/core";
import { subjects } from "@tokenstorm/protocol";
import { connectNats } from "@tokenstorm/protocol/nats";
import {
  awaitHealth,
  type ContainerCluster,
  docker,
  imageOrSkip,
  runProgram,
  startContainerCluster,
} from "@tokenstorm/testkit/containers";
import type { StartedTestContainer } from "testcontainers";
import {
  type Finished,
  type Running,
  readTruth,
  runCli,
  scratch,
  startCli,
  type TruthRecord,
} from "../integration/cli.js";

const checkTruth = fileURLToPath(new URL("../../../scripts/check-truth.mjs", import.meta.url));
/** A verdict depends on the host giving the containers their CPU, which a shared machine does not always. */
const MOST_ATTEMPTS = 3;
const STOP_LIMIT_S = 60;
const AGENTS = ["agent-1", "agent-2", "agent-3"];

/** Each user answers several times in the window. Events are few, so that the verdict holds on two busy cores. */
const PLAN = `version: 1
name: containers
target: { urls: ["http://simulator:8000"] }
workload: { inputTokens: 64, outputTokens: 16 }
load:
  kind: users
  stages:
    - { users: 60, rampUpMs: 1s, settleMs: 2s, durationMs: 8s }
agents: { min: 3 }
`;

interface Cluster extends ContainerCluster {
  readonly coordinator: StartedTestContainer;
  readonly agents: readonly StartedTestContainer[];
  readonly simulator: StartedTestContainer;
}

async function startCluster(t: TestContext, image: string): Promise<Cluster> {
  const cluster = await startContainerCluster(t, image);
  const serve = "simulate --host 0.0.0.0 --port 8000 --truth-log /runs/truth.jsonl --json";
  const [coordinator, simulator, ...agents] = await Promise.all([
    cluster.start("coordinator", ["coordinator"], { role: "coordinator", ready: /leading as/ }),
    cluster.start("simulator", serve.split(" "), { role: "viewer", ready: /"url"/ }),
    ...AGENTS.map((id) =>
      cluster.start(id, ["agent", "--wait", "--id", id, "--processes", "1"], {
        role: "agent",
        ready: /ready for runs/,
      }),
    ),
  ]);
  return { ...cluster, coordinator, simulator, agents };
}

/** From outside: a process of this host. */
function submit(t: TestContext, { natsUrl, operatorEnv }: Cluster, plan: string): Running {
  const file = join(scratch(t), "plan.yaml");
  writeFileSync(file, plan);
  const args = ["submit", file, "--wait", "--json", "--ui", "plain", "--nats", natsUrl, "--out", scratch(t)];
  return startCli(t, args, { env: operatorEnv });
}

/** A run that goes on until something ends it, of so many agents; it is measured from the end of its ramp. */
const longPlan = (agents: number): string =>
  PLAN.replace("settleMs: 2s, durationMs: 8s", "settleMs: 0s, durationMs: 60s").replace(
    "min: 3",
    `min: ${agents}`,
  );

/** Gives what waits for the next heartbeat of an agent, as an operator hears it; each has one a second. */
async function beatsOf(
  t: TestContext,
  { natsUrl, operatorEnv }: Cluster,
  agent: string,
): Promise<() => Promise<void>> {
  const { NATS_USER: user, NATS_PASSWORD: password } = operatorEnv;
  const access = { servers: [natsUrl], role: "operator", name: "test", user, password } as const;
  const { bus, close } = await connectNats(access);
  t.after(close);
  return () =>
    new Promise((resolve) => {
      const heard = bus.subscribe(subjects().heartbeat(agent), () => {
        heard.close();
        resolve();
      });
    });
}

test("a cluster in containers of their own, on a private network with names", {
  timeout: 400_000,
}, async (t) => {
  const image = await imageOrSkip(t);
  if (image === undefined) return;
  const cluster = await startCluster(t, image);
  const { coordinator, agents, simulator, nats } = cluster;
  const reports: RunReport[] = [];
  let valid = "";

  await t.test("each role is a user without rights, on a root that it cannot write", async () => {
    for (const one of [coordinator, simulator, ...agents]) {
      const tries = "id -u; id -g; touch /new /opt/tokenstorm/new 2>&1; touch /runs/new && echo written";
      const { output } = await one.exec(["sh", "-c", tries]);
      assert.match(output, /^1000\n1000\n/);
      assert.equal(output.match(/Read-only file system/g)?.length, 2, output);
      assert.match(output, /written\n$/);
    }
  });

  await t.test("a run submitted from outside exits 0, and all viewers see the same", async (t) => {
    for (let attempt = 1; ; attempt += 1) {
      const run = submit(t, cluster, PLAN);
      await run.line(/admitted/);
      // As a user that may only listen, in the line that `coordinator --listen` prints.
      const viewer = { role: "viewer", ready: /runTimeUs/ } as const;
      const inside = cluster.start(`viewer-${attempt}`, ["tail", "--wait", "--json"], viewer);
      const outside = runCli(t, ["tail", "--json", "--nats", cluster.natsUrl], {
        env: cluster.operatorEnv,
      });
      const result = await run.finished;
      const report = reportOf(result);
      reports.push(report);
      assertComplete(report);
      await docker("wait", (await inside).getId());
      assertSameNumbers((await outside).stdout, await docker("logs", (await inside).getId()));
      if (result.code === 0) {
        valid = report.run.id;
        break;
      }
      const why = `${report.verdict.status}: ${report.verdict.reasons.join("; ")}`;
      assert.equal(result.code, 110, result.stderr);
      assert.ok(attempt < MOST_ATTEMPTS, `${attempt} attempts; the last was ${why}`);
      t.diagnostic(`NOTE: attempt ${attempt} was ${why}`);
    }
  });

  await t.test("each role is healthy", async () => {
    await Promise.all([coordinator, simulator, ...agents].map((one) => awaitHealth(one, "healthy", 30_000)));
  });

  await t.test("an agent that is off the network for less than five seconds loses nothing", async (t) => {
    const beatOfAnother = await beatsOf(t, cluster, "agent-1");
    const run = submit(t, cluster, PLAN.replace("durationMs: 8s", "durationMs: 5s"));
    await run.line(/u60 measured/);
    const [, lonely] = agents;
    assert.ok(lonely !== undefined);
    const reconnect = await cluster.cutOff(lonely);
    // TCP tries again after pauses that double: longer than this, and it would be silent for five seconds.
    await beatOfAnother();
    const { output } = await lonely.exec(["cat", "/proc/net/dev"]);
    assert.doesNotMatch(output, /eth/);
    await reconnect();
    const report = reportOf(await run.finished);
    reports.push(report);
    assert.deepEqual([report.run.state, report.run.problem], ["completed", null]);
    assertComplete(report);
  });

  await t.test("`docker stop` of an agent in mid-run drains it, and the run says so", async (t) => {
    const run = submit(t, cluster, longPlan(3));
    await run.line(/u60 measured/);
    const [, , leaver] = agents;
    assert.ok(leaver !== undefined);
    const fromMs = performance.now();
    await docker("stop", "--time", String(STOP_LIMIT_S), leaver.getId());
    assert.ok(performance.now() - fromMs < (STOP_LIMIT_S - 5) * 1000, "it was not killed");
    assert.equal(await docker("inspect", "--format", "{{.State.ExitCode}}", leaver.getId()), "0");
    const result = await run.finished;
    assert.equal(result.code, 110, result.stderr);
    const drained = reportOf(result);
    reports.push(drained);
    assertComplete(drained);
    assert.equal(drained.run.state, "failed");
    assert.match(drained.run.problem?.message ?? "", /^agent agent-3 .*was stopped$/);
    assert.match(result.stderr, /agent-3 .*was stopped/);
    assert.equal(drained.totals.requests.cancelled, 0, "what was in flight has finished");
  });

  await t.test(
    "`docker kill` of an agent in mid-run fails the run by name, and what it had delivered is reported",
    async (t) => {
      const run = submit(t, cluster, longPlan(2));
      await run.line(/u60 measured/);
      const [, victim] = agents;
      assert.ok(victim !== undefined);
      await docker("kill", victim.getId());
      assert.equal(await docker("inspect", "--format", "{{.State.ExitCode}}", victim.getId()), "137");
      const result = await run.finished;
      assert.equal(result.code, 110, result.stderr);
      assert.match(result.stderr, /agent-2 .*was lost/);
      const { run: end, agents: parts, verdict, completeness } = reportOf(result);
      assert.equal(end.state, "failed");
      assert.match(end.problem?.message ?? "", /^agent agent-2 on .* was lost: silent for \d/);
      assert.deepEqual(parts.map(({ id }) => id).sort(), ["agent-1", "agent-2"]);
      for (const { id, intervals } of parts) assert.ok(intervals >= 1, `${intervals} intervals of ${id}`);
      for (const { agent } of completeness.missing) assert.equal(agent, "agent-2");
      const said = verdict.reasons.join("\n");
      assert.match(said, /no final word came from agent-2 \(known to have cut \d+\)/);
    },
  );

  let leader = coordinator;
  await t.test(
    "`docker stop` of the coordinator in mid-run ends the run as aborted, with a report, and another one leads",
    async (t) => {
      const run = submit(t, cluster, longPlan(1));
      await run.line(/u60 measured/);
      const fromMs = performance.now();
      await docker("stop", "--time", String(STOP_LIMIT_S), coordinator.getId());
      assert.ok(performance.now() - fromMs < (STOP_LIMIT_S - 5) * 1000, "it was not killed");
      assert.equal(await docker("inspect", "--format", "{{.State.ExitCode}}", coordinator.getId()), "0");
      const result = await run.finished;
      assert.equal(result.code, 105, result.stderr);
      const { run: end, completeness, totals } = reportOf(result);
      assert.equal(end.state, "aborted");
      assert.match(end.problem?.message ?? "", /the coordinator was closed while it led the run/);
      assert.ok(totals.requests.completed > 0);
      assert.deepEqual(completeness.missing, []);
      assert.equal(completeness.intervalsReceived, completeness.intervalsExpected);
      leader = await cluster.start("coordinator-2", ["coordinator"], {
        role: "coordinator",
        ready: /leading as/,
      });
    },
  );

  await t.test("the simulator's record agrees with every report: no request was broken", async (t) => {
    await docker("stop", "--time", "30", simulator.getId());
    const folder = scratch(t);
    const file = join(folder, "truth.jsonl");
    await docker("cp", `${simulator.getId()}:/runs/truth.jsonl`, file);
    const { requests } = readTruth(file);
    for (const report of reports) assertAsRecorded(report, requests);
    // Where the host kept the CPU from its client, what happened within a window is late by as much.
    assert.notEqual(valid, "", "no run was accepted");
    const accepted = join(folder, "report.json");
    writeFileSync(accepted, JSON.stringify(reports.find(({ run }) => run.id === valid)));
    const checked = await runProgram(process.execPath, [checkTruth, accepted, file]);
    assert.equal(checked.code, 0, `${checked.stdout}\n${checked.stderr}`);
  });

  await t.test("a supervisor as first process leaves no zombie, and ends when told to", async () => {
    const args = ["agent", "--id", "many", "--processes", "2"];
    const many = await cluster.start("many", args, { role: "agent", ready: /ready for runs/ });
    const child = await many.exec(["sh", "-c", "grep -lx 'PPid:.1' /proc/[0-9]*/status | cut -d/ -f3"]);
    const [pid] = child.output.split("\n");
    assert.ok(pid !== undefined && Number(pid) > 1, child.output);
    await many.exec(["sh", "-c", `kill -9 ${pid}`]);
    while (!/ended by itself, with SIGKILL/.test(await logsOf(many))) await pause(100);
    const states = await many.exec(["sh", "-c", "grep -h ^State: /proc/[0-9]*/status"]);
    assert.doesNotMatch(states.output, /zombie/);
    const fromMs = performance.now();
    await docker("stop", "--time", "30", many.getId());
    assert.ok(performance.now() - fromMs < 25_000, "it was not killed");
  });

  // The client finds a silent server after 15 s, the file is too old after 15 more, and two checks 10 s apart must say so.
  await t.test("when NATS stands still, agents and coordinator are unhealthy soon", async () => {
    await docker("pause", nats.getId());
    try {
      const [agent] = agents;
      assert.ok(agent !== undefined);
      await Promise.all([agent, leader].map((one) => awaitHealth(one, "unhealthy", 80_000)));
    } finally {
      await docker("unpause", nats.getId());
    }
  });
});

function reportOf({ stdout, stderr }: Finished): RunReport {
  assert.ok(stdout.startsWith("{"), stderr);
  return JSON.parse(stdout);
}

async function logsOf(container: StartedTestContainer): Promise<string> {
  const { stdout, stderr } = await runProgram("docker", ["logs", container.getId()]);
  return `${stdout}${stderr}`;
}

/** Counts and sums are exact, however busy the host was. */
function assertComplete({ agents, completeness, totals }: RunReport): void {
  assert.deepEqual(agents.map(({ id }) => id).sort(), AGENTS);
  assert.equal(completeness.intervalsReceived, completeness.intervalsExpected);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
  assert.deepEqual(completeness.missing, []);
  assert.equal(totals.requests.failed, 0);
  assert.equal(totals.server?.exact, true);
  assert.equal(totals.server.successes, totals.requests.completed);
  assert.equal(totals.server.output, totals.tokens.output);
}

/** Request by request: none is missing, none was broken, and every token was counted. */
function assertAsRecorded({ run, totals }: RunReport, requests: readonly TruthRecord[]): void {
  const sent = requests.filter(({ id }) => id.startsWith(`ts-${run.id}-`));
  const broken = sent.filter(({ finishReason }) => finishReason === "abort").map(({ id }) => id);
  assert.deepEqual(broken, []);
  assert.equal(sent.length, totals.requests.completed);
  const outputTokens = sent.reduce((sum, request) => sum + request.outputTokens, 0);
  assert.equal(outputTokens, totals.tokens.output);
}

/** By run time: what both were told is the same, and neither was told anything in between that the other was not. */
function assertSameNumbers(one: string, other: string): void {
  const [a, b] = [numbersByRunTime(one), numbersByRunTime(other)];
  const common = [...a.keys()].filter((at) => b.has(at));
  assert.ok(common.length >= 5, `${common.length} updates reached both\n${one}\n\n${other}`);
  for (const at of common) assert.deepEqual(a.get(at), b.get(at), `at ${at} us`);
  const [from, to] = [Math.min(...common), Math.max(...common)];
  for (const at of [...a.keys(), ...b.keys()])
    assert.ok(at < from || at > to || common.includes(at), `only one of them saw ${at} us`);
}

/** The last of each run time; state and notes may change between two messages of one. */
function numbersByRunTime(lines: string): Map<number, Omit<LiveUpdate, "state" | "notes">> {
  const updates = lines
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): LiveUpdate => JSON.parse(line));
  return new Map(updates.map(({ state: _, notes: __, ...numbers }) => [numbers.runTimeUs, numbers]));
}
