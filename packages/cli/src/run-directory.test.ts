import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { findLocalRun, listLocalRuns } from "./run-directory.js";

function runs(t: TestContext, ...names: string[]): string {
  const out = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(out, { recursive: true, force: true }));
  for (const name of names) {
    mkdirSync(join(out, name));
    writeFileSync(join(out, name, "run.json"), "{}");
  }
  mkdirSync(join(out, "no-run-of-ours"));
  return out;
}

test("runs are listed newest first, and the latest is the default", async (t) => {
  const out = runs(t, "20260101-101500-a-k3f9", "20260301-090000-b-m2x7", "20260301-081500-z-q8w1");
  assert.deepEqual(
    (await listLocalRuns(out)).map((run) => run.id),
    ["m2x7", "q8w1", "k3f9"],
  );
  assert.equal((await findLocalRun(undefined, out))?.id, "m2x7");
});

test("the latest run is never one that proves another, unless there is nothing else", async (t) => {
  const proved = runs(t, "20260301-081500-a-q8w1", "20260301-090000-a-prove-m2x7");
  assert.equal((await findLocalRun(undefined, proved))?.id, "q8w1");
  assert.equal((await findLocalRun(undefined, runs(t, "20260301-090000-a-prove-m2x7")))?.id, "m2x7");
});

test("a run is found by path, id, or the beginning of its id or name", async (t) => {
  const out = runs(t, "20260101-101500-a-k3f9", "20260301-090000-b-m2x7");
  for (const named of ["k3f9", "k3", "20260101", join(out, "20260101-101500-a-k3f9")]) {
    assert.equal((await findLocalRun(named, out))?.id, "k3f9", named);
  }
  assert.equal(await findLocalRun("nosuch", out), undefined);
  assert.equal(await findLocalRun(undefined, join(out, "nowhere")), undefined);
});

test("a beginning that fits several runs is refused by name", async (t) => {
  const out = runs(t, "20260101-101500-a-k3f9", "20260301-090000-b-k3x7");
  await assert.rejects(
    findLocalRun("k3", out),
    (error) => error instanceof LoadError && error.code === "RUN_UNKNOWN" && /k3f9/.test(error.message),
  );
});
