import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parse } from "yaml";
import { checkPlan } from "../plan-file.js";
import { runCommand } from "../testing/run-command.js";
import { planTemplate } from "./init.js";

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("wrong use is exit code 2 with an error that says what is wrong", async () => {
  for (const [argv, says] of [
    [["runn"], /unknown command 'runn'/],
    [["validate"], /missing required argument 'plan'/],
    [["validate", "--loud", "p.yaml"], /unknown option '--loud'/],
    [["simulate", "--time-scale", "fast"], /not a positive number/],
    [["simulate", "--fault", "quake=1"], /kind=share/],
    [["simulate", "--profile", "gpt"], /no such profile/],
    [["simulate", "--emulate", "0.9"], /Allowed choices are 0\.11, 0\.14, latest/],
    [["simulate", "--limit-mm-per-prompt", "video=1"], /write 2, image=2/],
    [["simulate", "--hardware", "abacus"], /Allowed choices are mi325x/],
    [
      ["run", "--target", "http://h:1", "--nats", "nats://h:2", "--prove"],
      /--prove is for a run without --nats/,
    ],
  ] as const) {
    const result = await runCommand(...argv);
    assert.equal(result.code, 2, argv.join(" "));
    assert.match(result.stderr, /^error: /m);
    assert.match(result.stderr, says);
    assert.equal(result.stdout, "");
  }
});

test("a fault schedule that cannot be read or understood is one clear line", async () => {
  for (const [text, says] of [
    ["10..5:reset", /fault schedule, 10\.\.5:reset: it ends at 5 s/],
    ["1..2:quake", /there is no fault quake\nhint: one of http-500/],
    ["/nowhere/at/all", /the fault schedule \/nowhere\/at\/all cannot be read/],
  ] as const) {
    const result = await runCommand("simulate", "--fault-schedule", text);
    assert.equal(result.code, 1, text);
    assert.match(result.stderr, says);
  }
});

test("what init writes is a plan that validates, and no file is written over unasked", async (t) => {
  const file = join(scratch(t), "plan.yaml");
  assert.equal((await runCommand("init", file)).code, 0);
  const checked = await runCommand("validate", file);
  assert.equal(checked.code, 0, checked.stderr);
  assert.match(checked.stdout, /^ok: ladder for http:\/\/localhost:8000/);
  const again = await runCommand("init", file);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /it is there already\nhint: --force/);
  assert.equal((await runCommand("init", file, "--force")).code, 0);
});

test("the lines of the template that are commented out are right too", () => {
  const uncommented = planTemplate("http://h:1")
    .split("\n\n")
    // A plan has one kind of load.
    .filter((paragraph) => !paragraph.includes("arrival-rate"))
    .join("\n\n")
    .replace(/^( *)# ( *(?:\w+: ?|- ).*)$/gm, "$1$2")
    .replace("thresholds: []", "thresholds:")
    .replace("  inputTokens: 512\n", "");
  const plan = checkPlan(parse(uncommented));
  assert.equal(plan.agents.min, 4);
  assert.equal(plan.thresholds.length, 2);
  assert.equal(plan.target.gpus, 8);
  assert.equal(plan.workload.prompts, "shared-prefix");
});

test("every problem of a plan is a line of its own, with exit code 104", async (t) => {
  const file = join(scratch(t), "plan.yaml");
  writeFileSync(
    file,
    "version: 1\ntarget: { urls: [ftp://h] }\nload: { kind: users, stages: [{ usres: 1 }] }\n",
  );
  const result = await runCommand("validate", file);
  assert.equal(result.code, 104);
  const lines = result.stderr.trimEnd().split("\n");
  assert.ok(lines.length >= 4, result.stderr);
  assert.match(result.stderr, /target\.urls\[0\]/);
  assert.match(result.stderr, /usres.*did you mean users/);
});
