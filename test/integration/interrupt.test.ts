import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { findNatsServer, startNatsServer } from "@tokenstorm/protocol/nats";
import { untilHolds } from "@tokenstorm/testkit";
import { type Running, runCli, scratch, startCli, startSimulator } from "./cli.js";

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

test("a second Ctrl-C ends a run at once, still with 105 and without a process left", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "0.2"]);
  const out = scratch(t);
  const run = await startRun(t, simulator.url, out);
  run.signal("SIGINT");
  await run.line(/drain|again/i);
  run.signal("SIGINT");
  const result = await run.finished;
  assert.equal(result.code, 105, result.stderr);
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
  const found = await findNatsServer(process.env);
  assert.ok(found !== undefined, "no nats-server: set NATS_SERVER_BIN");
  const server = await startNatsServer({ bin: found.bin, dataDir: scratch(t) });
  t.after(() => server.close());
  const nats = ["--nats", server.url];
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
  const found = await findNatsServer(process.env);
  assert.ok(found !== undefined, "no nats-server: set NATS_SERVER_BIN");
  const server = await startNatsServer({ bin: found.bin, dataDir: scratch(t) });
  t.after(() => server.close());
  const nats = ["--nats", server.url];
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
