import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parse } from "yaml";
import { runCommandLine } from "../main.js";
import { checkPlan } from "../plan-file.js";
import type { Screen, Terminal } from "../terminal.js";
import { planTemplate } from "./init.js";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process; only for those that start nothing. */
async function run(...argv: string[]): Promise<Result> {
  const screen: Screen = { isTty: false, colour: false, width: () => 100, height: () => undefined };
  let stdout = "";
  let stderr = "";
  const terminal: Terminal = {
    print: (text) => {
      stdout += `${text}\n`;
      return Promise.resolve();
    },
    say: (text) => {
      stderr += `${text}\n`;
    },
    draw: (text) => {
      stderr += text;
    },
    stdout: screen,
    stderr: screen,
  };
  const code = await runCommandLine(argv, { terminal, env: {}, debug: false });
  return { code, stdout, stderr };
}

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
  ] as const) {
    const result = await run(...argv);
    assert.equal(result.code, 2, argv.join(" "));
    assert.match(result.stderr, /^error: /m);
    assert.match(result.stderr, says);
    assert.equal(result.stdout, "");
  }
});

test("what init writes is a plan that validates, and no file is written over unasked", async (t) => {
  const file = join(scratch(t), "plan.yaml");
  assert.equal((await run("init", file)).code, 0);
  const checked = await run("validate", file);
  assert.equal(checked.code, 0, checked.stderr);
  assert.match(checked.stdout, /^ok: ladder for http:\/\/localhost:8000/);
  const again = await run("init", file);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /it is there already\nhint: --force/);
  assert.equal((await run("init", file, "--force")).code, 0);
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
  const result = await run("validate", file);
  assert.equal(result.code, 104);
  const lines = result.stderr.trimEnd().split("\n");
  assert.ok(lines.length >= 4, result.stderr);
  assert.match(result.stderr, /target\.urls\[0\]/);
  assert.match(result.stderr, /usres.*did you mean users/);
});
