import assert from "node:assert/strict";
import { test } from "node:test";
import { startChild } from "./child-processes.js";

test("a child that fails is known by its exit code and its last error", async () => {
  const child = startChild({ name: "v", args: ["validate", "/nowhere/plan.yaml"] });
  assert.deepEqual(await child.ended, { code: 104, signal: null });
  assert.match(child.lastError()?.message ?? "", /\/nowhere\/plan\.yaml/);
  assert.match(child.lastError()?.hint ?? "", /tokenstorm init/);
  await child.close();
});

test("closing a child ends it, twice is once, and it was in a group of its own", async () => {
  const child = startChild({ name: "s", args: ["simulate", "--json"] });
  // It stands for every command that waits: its own end of the channel tells it that we are gone.
  await Promise.all([child.close(), child.close()]);
  const { code, signal } = await child.ended;
  assert.ok(code === 0 || code === 105, `code ${code}, signal ${signal}`);
  assert.throws(() => process.kill(child.pid, 0), { code: "ESRCH" });
});

test("a child that a signal ends is known by it", async () => {
  const child = startChild({ name: "s", args: ["simulate", "--json"] });
  child.signal("SIGKILL");
  assert.deepEqual(await child.ended, { code: null, signal: "SIGKILL" });
  assert.equal(child.lastError(), undefined);
});
