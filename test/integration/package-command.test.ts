import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { type Finished, packageFile, scratch, startProcess, startSimulator } from "./cli.js";

test("the package's own command runs on processes of its own, and reports the directory that it wrote", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "10"]);
  const out = scratch(t);
  const command = (...words: string[]): Promise<Finished> =>
    startProcess(t, [process.execPath, packageFile, ...words]).finished;
  const load = ["--users", "4", "--duration", "2s", "--output-tokens", "16"];
  const where = ["--target", simulator.url, "--processes", "2", "--out", out];
  const ran = await command("run", ...where, ...load, "--json", "--ui", "none");
  const report: RunReport = JSON.parse(ran.stdout);
  assert.equal(report.run.state, "completed", ran.stderr);
  assert.equal(report.agents.length, 2);

  // Folded anew from what the leader wrote, every kind of line of it.
  const [directory = ""] = readdirSync(out);
  const again = await command("report", join(out, directory), "--format", "json");
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(JSON.parse(again.stdout), report);
});
