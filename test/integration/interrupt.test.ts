import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { findNatsServer, startNatsServer } from "@tokenstorm/protocol/nats";
import { untilHolds } from "@tokenstorm/testkit";
import { type Running, runCli, scratch, startCli, startSimulator, type TruthRecord } from "./cli.js";

/** Processes on this host whose command line has all these words; a run must leave none behind. */
function processesWith(...words: string[]): string[] {
  const found: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const file = join("/proc", pid, "cmdline");
    let line = "";
    try {
      if (existsSync(file)) line = readFileSync(file, "utf8").replaceAll("\0", " ");
    } catch {
      continue; // it ended meanwhile
    }
    if (words.every((word) => line.includes(word))) found.push(`${pid}: ${line}`);
  }
  return found;
}

/** Arrivals that go on for a minute, and answers that would take longer than that. */
const LONG_ANSWERS = [
  ...["--rps", "10", "--duration", "60s", "--input-tokens", "16", "--output-tokens", "8000"],
  ...["--warm-up-requests", "0", "--grace", "120s", "--json", "--ui", "plain"],
];
/** Far less than an answer, or the grace, would take. */
const SOON_MS = 20_000;

/** The host's monotonic clock, as the simulator's log has it, us. */
const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n);

/** By the target's own log: within a second nobody begins a request any more, and open ones are cut. */
function assertCut(truth: readonly TruthRecord[], stoppedUs: number, report: RunReport): void {
  const requests = truth.filter(({ id }) => /^ts-.*-s0-k/.test(id));
  const late = requests.filter(({ receivedUs }) => receivedUs > stoppedUs + 1_000_000);
  assert.deepEqual(late, [], "begun more than a second after the stop");
  const aborted = requests.filter(({ finishReason }) => finishReason === "abort");
  assert.ok(aborted.length > 0, `${requests.length} requests, and none was open`);
  assert.ok(report.totals.requests.cancelled >= aborted.length, "what was open is cancelled");
}

/** A nats-server that ends with the test, as the flags by which the commands find it. */
async function startNats(t: TestContext): Promise<readonly string[]> {
  const found = await findNatsServer(process.env);
  assert.ok(found !== undefined, "no nats-server: set NATS_SERVER_BIN");
  const server = await startNatsServer({ bin: found.bin, dataDir: scratch(t) });
  t.after(() => server.close());
  return ["--nats", server.url];
}

async function startRun(t: TestContext, url: string, out: string): Promise<Running> {
  const run = startCli(t, [
    "run",
    "--target",
    url,
    "--users",
    "4",
    "--duration",
    "60s",
    "--output-tokens",
    "32",
    "--processes",
    "2",
    "--out",
    out,
    "--json",
    "--ui",
    "plain",
    "--grace",
    "20s",
  ]);
  await run.line(/measured/);
  return run;
}

test("one Ctrl-C drains a run: requests finish, the report is kept, the exit code is 105, nothing stays behind", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "5"]);
  const out = scratch(t);
  const run = await startRun(t, simulator.url, out);
  run.signal("SIGINT");
  const result = await run.finished;
  assert.equal(result.code, 105, result.stderr);
  const report: RunReport = JSON.parse(result.stdout);
  assert.equal(report.run.state, "aborted");
  assert.equal(report.totals.requests.cancelled, 0, "in-flight requests were let finish");
  assert.ok(report.totals.requests.completed > 0);
  assert.equal(report.completeness.intervalsReceived, report.completeness.intervalsExpected);
  assert.deepEqual(processesWith(out), []);
});

test("a second Ctrl-C ends a run at once: open requests are cut, none is begun, 105, and no process is left", async (t) => {
  const simulator = await startSimulator(t);
  const out = scratch(t);
  const run = startCli(t, [
    ...["run", "--target", simulator.url, ...LONG_ANSWERS, "--processes", "2", "--out", out],
  ]);
  await run.line(/measured/);
  const stoppedUs = monotonicUs();
  run.signal("SIGINT");
  await run.line(/drain|again/i);
  run.signal("SIGINT");
  const result = await run.finished;
  assert.ok(monotonicUs() - stoppedUs < SOON_MS * 1000, "it took as long as the answers");
  assert.equal(result.code, 105, result.stderr);
  const report: RunReport = JSON.parse(result.stdout);
  assert.equal(report.run.state, "aborted");
  assertCut(await simulator.truth(), stoppedUs, report);
  assert.deepEqual(processesWith(out), []);
});

test("a run whose terminal dies leaves no process behind", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "5"]);
  const out = scratch(t);
  const run = await startRun(t, simulator.url, out);
  run.signal("SIGKILL");
  await run.finished;
  await untilHolds(() => processesWith(out).length === 0, 15_000);
  assert.deepEqual(processesWith(out), []);
});

test("Ctrl-C ends each waiting command, and leaving tail does not touch the run", async (t) => {
  const nats = await startNats(t);
  const simulator = await startSimulator(t, ["--time-scale", "5"]);
  const coordinator = startCli(t, ["coordinator", ...nats, "--out", scratch(t)]);
  await coordinator.line(/lead|ready|listen/i);
  const agent = startCli(t, ["agent", ...nats, "--processes", "1"]);
  await agent.line(/ready|waiting|connected|joined/i);

  const run = startCli(t, [
    "run",
    "--target",
    simulator.url,
    "--users",
    "2",
    "--duration",
    "12s",
    ...nats,
    "--out",
    scratch(t),
    "--json",
    "--ui",
    "plain",
  ]);
  await run.line(/measured/);
  const tail = startCli(t, ["tail", ...nats, "--ui", "plain"]);
  await tail.line(/measured/);
  tail.signal("SIGINT");
  const left = await tail.finished;
  assert.ok(left.code === 0 || left.code === 130, `tail ended with ${left.code}: ${left.stderr}`);
  const result = await run.finished;
  assert.equal(JSON.parse(result.stdout).run.state, "completed", result.stderr);

  for (const one of [agent, coordinator]) {
    one.signal("SIGINT");
    const ended = await one.finished;
    assert.ok(
      ended.code === 0 || ended.code === 105,
      `ended with ${ended.code}, ${ended.signal}: ${ended.stderr}`,
    );
    assert.doesNotMatch(ended.stderr, /^\s+at /m);
  }
});

test("stop ends a run by its id, and `stop --now` at once", async (t) => {
  const nats = await startNats(t);
  const simulator = await startSimulator(t, ["--time-scale", "5"]);
  const coordinator = startCli(t, ["coordinator", ...nats, "--out", scratch(t)]);
  await coordinator.line(/lead|ready|listen/i);
  const agent = startCli(t, ["agent", ...nats, "--processes", "1"]);
  await agent.line(/ready|waiting|connected|joined/i);
  for (const how of [[], ["--now"]]) {
    const run = startCli(t, [
      "run",
      "--target",
      simulator.url,
      "--users",
      "2",
      "--duration",
      "60s",
      ...nats,
      "--out",
      scratch(t),
      "--json",
      "--ui",
      "plain",
    ]);
    await run.line(/measured/);
    const stopped = await runCli(t, ["stop", ...nats, ...how]);
    assert.equal(stopped.code, 0, stopped.stderr);
    const result = await run.finished;
    assert.equal(result.code, 105, result.stderr);
    assert.equal(JSON.parse(result.stdout).run.state, "aborted");
  }
});

test("`stop --now` from elsewhere cuts open requests at all agents, and none is begun more than a second later", async (t) => {
  const nats = await startNats(t);
  const simulator = await startSimulator(t);
  const coordinator = startCli(t, ["coordinator", ...nats, "--no-http", "--out", scratch(t)]);
  await coordinator.line(/leading as/);
  for (const id of ["a1", "a2"])
    await startCli(t, ["agent", ...nats, "--processes", "1", "--id", id]).line(/agent is ready for runs/);
  const run = startCli(t, [
    ...["run", "--target", simulator.url, ...LONG_ANSWERS, "--agents", "2", ...nats, "--out", scratch(t)],
  ]);
  await run.line(/measured/);
  const stopped = await runCli(t, ["stop", "--now", ...nats]);
  const stoppedUs = monotonicUs();
  assert.equal(stopped.code, 0, stopped.stderr);
  const result = await run.finished;
  assert.ok(monotonicUs() - stoppedUs < SOON_MS * 1000, "it took as long as the answers");
  assert.equal(result.code, 105, result.stderr);
  const report: RunReport = JSON.parse(result.stdout);
  assert.equal(report.run.state, "aborted");
  assertCut(await simulator.truth(), stoppedUs, report);
});
