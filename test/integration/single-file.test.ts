import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { RunReport } from "@tokenstorm/core";
import { findNatsServer } from "@tokenstorm/protocol/nats";
import { tempDir } from "@tokenstorm/testkit";
import { scratch, startSimulator } from "./cli.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const bundle = join(await tempDir({ after }), "tokenstorm.mjs");
execFileSync(process.execPath, [join(root, "scripts/bundle.mjs"), bundle], { stdio: "pipe" });

interface Use {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

/** On a host that has node and nothing else: no PATH, no packages, no variables. */
function runFile(args: readonly string[], { cwd, env = {}, nodeArgs = [] }: Use) {
  const file = join(cwd, "tokenstorm.mjs");
  copyFileSync(bundle, file);
  return spawnSync(process.execPath, [...nodeArgs, file, ...args], {
    cwd,
    env: { PATH: "/nonexistent", ...env },
    encoding: "utf8",
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
}

test("the single file alone knows its version and its commands", (t) => {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const cwd = scratch(t);
  assert.equal(runFile(["--version"], { cwd }).stdout, `${version}\n`);
  assert.match(runFile(["--help"], { cwd }).stdout, /simulate/);
  const wrong = runFile(["agent", "--nats", "nats://127.0.0.1:1"], { cwd });
  assert.equal(wrong.status, 1, wrong.stderr);
  assert.match(wrong.stderr, /error: .*127\.0\.0\.1:1/);
});

test("from the single file alone a run starts its own nats-server, coordinator and agents", async (t) => {
  const found = await findNatsServer(process.env);
  assert.ok(found !== undefined, "no nats-server: set NATS_SERVER_BIN");
  const simulator = await startSimulator(t, ["--time-scale", "5"]);
  const load = ["--users", "2", "--duration", "1s", "--output-tokens", "16"];
  const result = runFile(
    ["run", "--target", simulator.url, ...load, "--processes", "2", "--json", "--ui", "none"],
    { cwd: scratch(t), env: { NATS_SERVER_BIN: found.bin } },
  );
  const report: RunReport = JSON.parse(result.stdout);
  assert.equal(report.run.state, "completed", result.stderr);
  assert.equal(report.run.transport, "nats");
  assert.equal(report.agents.length, 2);
  assert.equal(report.completeness.samplesMerged, report.completeness.samplesRecorded);
  // Its thread has no second file to run.
  assert.equal(report.stages[0]?.stampUncertainty?.source, "self-probe");
  const sent = (await simulator.truth()).filter(({ id }) => id.startsWith(`ts-${report.run.id}-`));
  assert.equal(sent.length, report.totals.requests.completed);
});

test("the single file runs no nats-server out of a cache that lies above it", async (t) => {
  const top = scratch(t);
  const cwd = join(top, "a/b/c/d");
  const cache = join(top, ".cache/nats-server/2.10.0");
  for (const folder of [cwd, cache]) mkdirSync(folder, { recursive: true });
  const planted = join(cache, "nats-server");
  writeFileSync(planted, `#!/bin/sh\n: >${top}/was-run\necho nats-server: v2.10.0\n`, { mode: 0o755 });
  const simulator = await startSimulator(t, ["--time-scale", "5"]);
  runFile(["run", "--target", simulator.url, "--users", "1", "--requests", "1", "--ui", "none"], { cwd });
  assert.equal(existsSync(join(top, "was-run")), false, "it ran what anybody could have put there");
});

test("an old Node.js is told so before anything is loaded that it lacks", (t) => {
  const cwd = scratch(t);
  const pretend = join(cwd, "pretend-to-be-old.mjs");
  writeFileSync(
    pretend,
    `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.8" } });
process.getBuiltinModule = undefined;
`,
  );
  const result = runFile(["--version"], { cwd, nodeArgs: ["--import", pretend] });
  assert.equal(result.status, 1, result.stderr);
  assert.match(result.stderr, /^error: Node\.js 20\.18 or newer is needed; this is v[\d.]+\n$/);
  // A name that an old Node.js does not export would end it with a SyntaxError of its own.
  assert.doesNotMatch(readFileSync(bundle, "utf8"), /^import\b/m);
});

test("the single file brings the licence of every package in it", () => {
  const text = readFileSync(bundle, "utf8");
  const bundled = new Set(
    [...text.matchAll(/^ *(?:\/\/ |")node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)].map((match) => match[1]),
  );
  assert.ok(bundled.size > 10 && bundled.has("undici"), `${bundled.size} packages found`);
  const comment = text.slice(text.lastIndexOf("\n// The packages in this file"));
  for (const name of bundled) assert.match(comment, new RegExp(`^// ${name} \\d+\\.\\d+\\.\\d+: \\S`, "m"));
  assert.match(comment, /Copyright \(c\) Matteo Collina and Undici contributors/);
});
