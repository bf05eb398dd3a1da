import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { readPlanFile } from "./plan-file.js";

function file(t: TestContext, text: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "plan.yaml");
  writeFileSync(path, text);
  return path;
}

const isPlanError = (says: RegExp) => (error: unknown) =>
  error instanceof LoadError && error.code === "PLAN_INVALID" && says.test(error.message);

test("a plan may be YAML or JSON, in a file or on stdin", async (t) => {
  const plan = { version: 1, target: { urls: ["http://h:8000"] } };
  assert.deepEqual(await readPlanFile(file(t, "version: 1\ntarget: { urls: [http://h:8000] }\n")), plan);
  assert.deepEqual(await readPlanFile(file(t, JSON.stringify(plan))), plan);
  assert.deepEqual(await readPlanFile("-", Readable.from([JSON.stringify(plan)])), plan);
});

test("a file that is missing, a directory, empty or garbled is a plan error that names it", async (t) => {
  await assert.rejects(readPlanFile("/nowhere/p.yaml"), isPlanError(/\/nowhere\/p\.yaml.*no such file/));
  await assert.rejects(readPlanFile("/"), isPlanError(/it is a directory/));
  await assert.rejects(readPlanFile(file(t, " \n")), isPlanError(/it is empty/));
  await assert.rejects(
    readPlanFile("-", Readable.from(["{ : ["])),
    isPlanError(/stdin.*neither YAML nor JSON/s),
  );
  await assert.rejects(readPlanFile(file(t, "a: 1\na: 2\n")), isPlanError(/unique/));
});

test("a plan of many megabytes and one that multiplies itself are refused", async (t) => {
  await assert.rejects(readPlanFile(file(t, new Uint8Array(5_000_000).fill(97))), isPlanError(/bytes/));
  await assert.rejects(
    readPlanFile("-", Readable.from(Array.from({ length: 5 }, () => "x".repeat(1_000_000)))),
    isPlanError(/bytes/),
  );
  const levels = Array.from(
    { length: 20 },
    (_, i) => `l${i + 1}: &l${i + 1} [*l${i}, *l${i}, *l${i}, *l${i}]`,
  );
  await assert.rejects(readPlanFile(file(t, `l0: &l0 [1]\n${levels.join("\n")}\n`)), isPlanError(/alias/i));
});
