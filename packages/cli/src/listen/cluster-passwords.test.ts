import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clusterPasswords } from "./cluster-passwords.js";
import { lockData } from "./data-lock.js";

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("each role gets a password of its own, kept for the next start where only its owner reads it", async (t) => {
  const dataDir = join(scratch(t), "data");
  const made = await clusterPasswords(dataDir);
  assert.equal(new Set(Object.values(made)).size, 4);
  for (const password of Object.values(made)) assert.match(password, /^[A-Za-z0-9_-]{24}$/);
  assert.deepEqual(await clusterPasswords(dataDir), made);
  assert.equal(statSync(join(dataDir, "passwords.json")).mode & 0o777, 0o600);
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  assert.notDeepEqual(await clusterPasswords(join(scratch(t), "other")), made);
});

test("a file that holds no usable passwords is named, and never replaced", async (t) => {
  const good = { coordinator: "12345678", agent: "12345678", operator: "12345678", viewer: "12345678" };
  const table = [
    "",
    "[]",
    "{",
    JSON.stringify({ ...good, viewer: undefined }),
    JSON.stringify({ ...good, agent: "short" }),
    JSON.stringify({ ...good, agent: "quote'and@colon:" }),
  ];
  for (const text of table) {
    const dataDir = scratch(t);
    const file = join(dataDir, "passwords.json");
    writeFileSync(file, text);
    await assert.rejects(clusterPasswords(dataDir), (error: Error) => {
      assert.match(error.message, new RegExp(`${file} cannot be used`));
      assert.doesNotMatch(error.message, /quote/);
      return true;
    });
  }
});

test("a folder has one user at a time, and is free again when that one has let go", async (t) => {
  const dataDir = scratch(t);
  const first = await lockData(dataDir);
  await assert.rejects(lockData(dataDir), { code: "BUS_UNAVAILABLE", message: /another coordinator uses/ });
  await first.release();
  const second = await lockData(dataDir);
  await second.release();
  // What a process that was killed leaves behind is a name that nobody answers at.
  writeFileSync(join(dataDir, "lock"), "");
  await (await lockData(dataDir)).release();
});
