import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { withNatsServer } from "@tokenstorm/testkit";
import { runCli, scratch, startCli } from "./cli.js";

const HEAP_FLAGS = ["--min-semi-space-size=16", "--max-semi-space-size=32", "--initial-old-space-size=256"];

const commandLine = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");

async function agentsOf(t: TestContext, url: string): Promise<readonly { agent: string; pid: number }[]> {
  const listed = await runCli(t, ["agents", "--nats", url, "--json"]);
  assert.equal(listed.code, 0, listed.stderr);
  return JSON.parse(listed.stdout).agents;
}

test("an agent of one process has room for its heap, keeps its plain id, and shows no address to other users", async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const coordinator = startCli(t, ["coordinator", "--nats", url, "--out", scratch(t)]);
    await coordinator.line(/lead/i);
    const agent = startCli(t, ["agent", "--nats", url, "--processes", "1", "--id", "solo"]);
    await agent.line(/ready for runs/);
    const [found, ...others] = await agentsOf(t, url);
    assert.equal(found?.agent, "solo");
    assert.deepEqual(others, []);
    const line = commandLine(found.pid);
    assert.notEqual(found.pid, agent.pid);
    for (const flag of HEAP_FLAGS) assert.ok(line.includes(flag), `${flag} is not in ${line.join(" ")}`);
    assert.ok(!line.join(" ").includes(url), line.join(" "));
    agent.signal("SIGTERM");
    const ended = await agent.finished;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(existsSync(`/proc/${found.pid}`), false, "its child has gone with it");
  });
});

test("an agent that was started with room for its heap serves in that process", async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const coordinator = startCli(t, ["coordinator", "--nats", url, "--out", scratch(t)]);
    await coordinator.line(/lead/i);
    const agent = startCli(t, ["agent", "--nats", url, "--processes", "1"], { nodeArgs: HEAP_FLAGS });
    await agent.line(/ready for runs/);
    assert.deepEqual(
      (await agentsOf(t, url)).map(({ pid }) => pid),
      [agent.pid],
    );
  });
});

test("an agent process that is killed while it ends is named, and its host's exit code is not 0", async (t) => {
  await withNatsServer(t, async ({ url }) => {
    const coordinator = startCli(t, ["coordinator", "--nats", url, "--out", scratch(t)]);
    await coordinator.line(/lead/i);
    for (const processes of ["1", "2"]) {
      const agent = startCli(t, ["agent", "--nats", url, "--processes", processes, "--id", `of${processes}`]);
      const last = processes === "1" ? "of1" : "of2-2";
      await agent.line(new RegExp(`${last}.*ready for runs`));
      const found = (await agentsOf(t, url)).find((one) => one.agent === last);
      assert.ok(found !== undefined);
      // It stands still, so that it cannot have ended before it is killed.
      process.kill(found.pid, "SIGSTOP");
      agent.signal("SIGTERM");
      await agent.line(/ending; requests in flight may finish/);
      process.kill(found.pid, "SIGKILL");
      const { code, stderr } = await agent.finished;
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`agent ${last} was killed by SIGKILL .* not delivered are lost`));
    }
  });
});

test("an agent of one process that cannot serve says why once, and ends with its code", async (t) => {
  const { code, stderr } = await runCli(t, ["agent", "--nats", "nats://127.0.0.1:1", "--processes", "1"]);
  assert.equal(code, 1, stderr);
  assert.equal(stderr.split("\n").filter((line) => line.includes("127.0.0.1:1")).length, 1, stderr);
  assert.doesNotMatch(stderr, /by itself|the others/);
});
