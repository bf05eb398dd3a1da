import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { withNatsServer } from "@tokenstorm/testkit";
import { type Running, runCli, scratch, startCli } from "./cli.js";

const LIMIT_MS = 30_000;
const FRESH_MS = 3000;

const ageMs = (file: string) =>
  existsSync(file) ? Date.now() - statSync(file).mtimeMs : Number.POSITIVE_INFINITY;

async function until(holds: () => boolean, what: string): Promise<void> {
  const limitMs = performance.now() + LIMIT_MS;
  while (!holds()) {
    assert.ok(performance.now() < limitMs, `not within ${LIMIT_MS} ms: ${what}`);
    await pause(20);
  }
}

/** A command that tells its health in a file of its own. */
function startWithHealth(t: TestContext, args: readonly string[]): { running: Running; file: string } {
  const file = join(scratch(t), "health");
  return { running: startCli(t, args, { env: { TOKENSTORM_HEALTH_FILE: file } }), file };
}

test("coordinator and agents are fit while NATS is there, unfit when it is not, and leave no file behind", async (t) => {
  await withNatsServer(t, async (server) => {
    const nats = ["--nats", server.url];
    const agents = startWithHealth(t, ["agent", ...nats, "--processes", "2", "--wait"]);
    const isOld = () => existsSync(agents.file) && ageMs(agents.file) > FRESH_MS;
    await until(isOld, "nobody leads: the agents wait, and their file is old");
    const coordinator = startWithHealth(t, ["coordinator", ...nats, "--out", scratch(t)]);
    const roles = [agents, coordinator];
    for (const { file } of roles) await until(() => ageMs(file) < FRESH_MS, `${file} is fresh`);
    await server.close();
    for (const { file } of roles) await until(() => ageMs(file) > FRESH_MS, `${file} is old`);
    agents.running.signal("SIGTERM");
    await agents.running.finished;
    assert.equal(existsSync(agents.file), false);
  });
});

test("agents of which one stands still are not fit", async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const coordinator = startWithHealth(t, ["coordinator", "--nats", url, "--out", scratch(t)]);
    await until(() => ageMs(coordinator.file) < FRESH_MS, "the coordinator leads");
    const { running, file } = startWithHealth(t, ["agent", "--nats", url, "--processes", "2", "--id", "a"]);
    await until(() => ageMs(file) < FRESH_MS, "fresh");
    const listed = await runCli(t, ["agents", "--nats", url, "--json"]);
    const agents: { agent: string; pid: number }[] = JSON.parse(listed.stdout).agents;
    const pid = agents.find(({ agent }) => agent === "a-2")?.pid;
    assert.ok(pid !== undefined, listed.stdout);
    process.kill(pid, "SIGSTOP");
    try {
      await until(() => ageMs(file) > FRESH_MS, "old");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await until(() => ageMs(file) < FRESH_MS, "fresh again");
    for (const one of [running, coordinator.running]) {
      one.signal("SIGTERM");
      assert.equal((await one.finished).code, 0);
    }
    assert.equal(existsSync(coordinator.file), false);
  });
});

test("a simulator is fit while it listens; a command that ends by itself has no health", async (t) => {
  const { running, file } = startWithHealth(t, ["simulate", "--json"]);
  await until(() => ageMs(file) < FRESH_MS, "fresh");
  running.signal("SIGTERM");
  assert.equal((await running.finished).code, 0);
  assert.equal(existsSync(file), false);
  const other = startWithHealth(t, ["validate", "plans/minimal.yaml"]);
  assert.equal((await other.running.finished).code, 0);
  assert.equal(existsSync(other.file), false);
});
