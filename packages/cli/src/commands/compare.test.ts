import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Comparison } from "@tokenstorm/core";
import { writeRecordedRun } from "../testing/recorded-run.js";
import { runCommand } from "../testing/run-command.js";

/** A folder of four runs, of which the later two take a quarter longer. */
function folder(t: TestContext): string {
  const out = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(out, { recursive: true, force: true }));
  for (const [id, ms] of [
    ["aa1", 400],
    ["aa2", 404],
    ["bb1", 500],
    ["bb2", 504],
  ] as const) {
    writeRecordedRun(out, id, ms * 1000);
  }
  return out;
}

test("two runs are named by id, path or the beginning of one, and what differs is told", async (t) => {
  const out = folder(t);
  const text = await runCommand("compare", "aa1", join(out, "2026-03-14-test-bb1"), "--out", out);
  assert.equal(text.code, 0, text.stderr);
  assert.match(text.stdout, /^B against A: 1 level in common\.$/m);
  assert.match(text.stdout, /E2E p50/);
  const json = await runCommand("compare", "aa1", "bb1", "--json", "--out", out);
  assert.equal(json.code, 0, json.stderr);
  const comparison: Comparison = JSON.parse(json.stdout);
  const figure = comparison.levels[0]?.figures.find(({ name }) => name === "outputTokensPerS");
  assert.equal(figure?.values[0]?.value, 25);
  assert.equal(figure?.values[1]?.value, 20);
});

test("names joined by commas are repeats of one side", async (t) => {
  const out = folder(t);
  const { code, stdout } = await runCommand("compare", "aa1,aa2", "bb1,bb2", "--json", "--out", out);
  assert.equal(code, 0);
  const comparison: Comparison = JSON.parse(stdout);
  assert.equal(comparison.basis, "runs");
  assert.deepEqual(
    comparison.sides.map(({ runs }) => runs.map(({ id }) => id)),
    [
      ["aa1", "aa2"],
      ["bb1", "bb2"],
    ],
  );
});

test("a side that is not there or cannot be read ends with 104, a wrong line with 2, each with one clear line", async (t) => {
  const out = folder(t);
  mkdirSync(join(out, "broken"));
  writeFileSync(join(out, "broken", "run.json"), "{");
  writeFileSync(join(out, "broken", "snapshots.ndjson"), "");
  for (const [argv, code, says] of [
    [["aa1", "nope"], 104, /there is no run nope/],
    [["aa1", join(out, "broken")], 104, /broken.*cannot be read: it is no JSON/],
    [["aa", "bb1"], 104, /2 runs in .* begin with "aa"/],
    [["aa1"], 104, /aa1 is no study.s directory/],
    [["aa1,,aa2", "bb1"], 2, /between two commas/],
    [["aa1", "bb1", "--format", "xls"], 2, /xls/],
  ] as const) {
    const found = await runCommand("compare", ...argv, "--out", out);
    assert.equal(found.code, code, found.stderr);
    assert.match(found.stderr, says);
    assert.doesNotMatch(found.stderr, /\n\s+at /);
    assert.equal(found.stdout, "");
  }
});

test("a report is told as csv, intervals, log and vllm block, and in no two forms at once", async (t) => {
  const out = folder(t);
  const csv = await runCommand("report", "aa1", "--format", "csv", "--out", out);
  assert.match(csv.stdout, /^run,run_name,.*\r\naa1,test,m,.*\r\n$/s);
  const intervals = await runCommand("report", "aa1", "--format", "csv", "--intervals", "--out", out);
  const rows = intervals.stdout.split("\r\n").filter((row) => row.includes(",measured,"));
  assert.equal(rows.length, 12);
  const tokens = rows.map((row) => Number(row.split(",")[11]));
  assert.equal(
    tokens.reduce((sum, one) => sum + one, 0),
    300,
  );
  const log = await runCommand("report", "aa1", "--format", "hlog", "--out", out);
  assert.match(log.stdout, /^#\[BaseTime: 1790000000\.000 /m);
  assert.equal(log.stdout.match(/^Tag=u1\.e2e,/gm)?.length, 12);
  const vllm = await runCommand("report", "aa1", "--format", "vllm", "--out", out);
  assert.match(vllm.stdout, /^Successful requests: {21}30$/m);
  for (const argv of [
    ["--format", "csv", "--json"],
    ["--intervals"],
    ["--format", "hlog", "--definitions", "vllm"],
    ["--format", "vllm", "--definitions", "study"],
  ]) {
    assert.equal((await runCommand("report", "aa1", ...argv, "--out", out)).code, 2, argv.join(" "));
  }
});

test("a study's directory alone stands for the conditions of a suite", async (t) => {
  const out = folder(t);
  const study = join(out, "study");
  mkdirSync(join(study, "runs"), { recursive: true });
  const cells = [
    ["off", "aa"],
    ["on", "bb"],
  ].map(([condition, id]) => ({
    condition,
    runs: [1, 2].map((n) => {
      const directory = writeRecordedRun(
        join(study, "runs"),
        `${id}${n}`,
        condition === "on" ? 400_000 : 500_000 + n,
      );
      return { directory: basename(directory), state: "completed" };
    }),
  }));
  const write = (suites: unknown) =>
    writeFileSync(join(study, "study-report.json"), JSON.stringify({ schemaVersion: 1, suites }));
  write([{ name: "ablation", cells }]);
  const { code, stdout, stderr } = await runCommand("compare", study);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^A {2}off, 2 runs: aa1 aa2/m);
  assert.match(stdout, /^B {2}on, 2 runs: bb1 bb2/m);
  write([
    { name: "ablation", cells },
    { name: "scaling", cells },
  ]);
  const which = await runCommand("compare", study);
  assert.equal(which.code, 104);
  assert.match(which.stderr, /has 2 suites: ablation, scaling/);
  assert.equal((await runCommand("compare", study, "--suite", "scaling")).code, 0);
  const two = await runCommand("compare", study, "aa1", "--suite", "scaling", "--out", out);
  assert.match(two.stderr, /has 2 conditions, and a side is one/);
  write([{ name: "ablation", cells: [{ condition: "off", runs: [] }] }]);
  assert.match((await runCommand("compare", study)).stderr, /no completed run of off/);
  write([{ name: "ablation", cells: [{ condition: 7 }] }]);
  const broken = await runCommand("compare", study);
  assert.equal(broken.code, 104);
  assert.match(broken.stderr, /study-report.json cannot be read: suites/);
});
