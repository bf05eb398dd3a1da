import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { resultToLine } from "@tokenstorm/protocol";
import { madeUpRun, tempDir } from "@tokenstorm/testkit";
import { pageTemplate } from "../page-template.js";
import { runCommand } from "../testing/run-command.js";

/** The compiler alone does not make the template. */
function isBuilt(t: TestContext): boolean {
  try {
    pageTemplate();
    return true;
  } catch {
    t.skip("THE REPORT PAGE IS NOT BUILT: node scripts/build-page.mjs");
    return false;
  }
}

function runDirectory(folder: string, seed: number): string {
  const run = madeUpRun({ agents: 2, levels: [1, 4], levelMs: 5000, seed, name: `seed ${seed}` });
  const directory = join(folder, `run-${seed}`);
  mkdirSync(directory);
  const lines = (values: readonly string[]) => `${values.join("\n")}\n`;
  writeFileSync(join(directory, "snapshots.ndjson"), lines(run.results.map((one) => resultToLine(one))));
  writeFileSync(join(directory, "events.ndjson"), lines(run.events.map((one) => JSON.stringify(one))));
  writeFileSync(join(directory, "run.json"), JSON.stringify({ schemaVersion: 1, facts: run.facts }));
  return directory;
}

/** What a page holds. */
function dataIn(page: string): Readonly<Record<string, unknown>> {
  const json = /<script type="application\/json" id="report-data">(.*)<\/script>/.exec(page)?.[1];
  return JSON.parse(json ?? assert.fail("no data in the page"));
}

test("report --format html gives the page on stdout, and --to writes it to a file", async (t) => {
  if (!isBuilt(t)) return;
  const folder = await tempDir(t);
  const directory = runDirectory(folder, 1);
  const piped = await runCommand("report", directory, "--format", "html");
  assert.equal(piped.code, 0, piped.stderr);
  const json = await runCommand("report", directory, "--json");
  assert.deepEqual(dataIn(piped.stdout)["report"], JSON.parse(json.stdout));
  const file = join(folder, "page.html");
  const kept = await runCommand("report", directory, "--format", "html", "--to", file);
  assert.deepEqual([kept.code, kept.stdout], [0, ""]);
  assert.match(kept.stderr, /page\.html: \d+ KB, opens in a browser without a network/);
  assert.equal(`${readFileSync(file, "utf8")}\n`, piped.stdout);
});

test("compare --format html holds the same comparison as its JSON", async (t) => {
  if (!isBuilt(t)) return;
  const folder = await tempDir(t);
  const [a, b] = [runDirectory(folder, 1), runDirectory(folder, 2)];
  const page = await runCommand("compare", a, b, "--format", "html");
  assert.equal(page.code, 0, page.stderr);
  const json = await runCommand("compare", a, b, "--json");
  assert.deepEqual(dataIn(page.stdout)["comparison"], JSON.parse(json.stdout));
});

test("a page that cannot be written, and --to without a page, are one clear line", async (t) => {
  const folder = await tempDir(t);
  const directory = runDirectory(folder, 1);
  const alone = await runCommand("report", directory, "--to", join(folder, "x"));
  assert.deepEqual([alone.code, alone.stdout], [2, ""]);
  assert.match(alone.stderr, /--to is for --format html/);
  if (!isBuilt(t)) return;
  const nowhere = await runCommand("report", directory, "--format", "html", "--to", "/nowhere/at/all.html");
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^error: \/nowhere\/at\/all\.html cannot be written: /m);
});
