import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { DeploymentDiagnosis, DoctorReport } from "@tokenstorm/core";
import { startSimulator } from "@tokenstorm/simulator";
import { jsonAnswer, startScriptedServer } from "@tokenstorm/testkit";
import { runCommand } from "../testing/run-command.js";

const STUDY = fileURLToPath(new URL("../../../../plans/study/data/deployments.json", import.meta.url));

/** Without the checks of this host: what they find is the machine's affair. */
async function doctorJson(
  ...argv: string[]
): Promise<{ readonly code: number; readonly report: DoctorReport }> {
  const at = argv.indexOf("--");
  const [before, after] = at < 0 ? [argv, []] : [argv.slice(0, at), argv.slice(at)];
  const { code, stdout, stderr } = await runCommand("doctor", "--json", "--no-host", ...before, ...after);
  assert.equal(stderr, "");
  const report: DoctorReport = JSON.parse(stdout);
  return { code, report };
}

const brokenIn = (one: DeploymentDiagnosis | undefined): string[] =>
  (one?.answers ?? [])
    .filter(({ outcome, severity }) => outcome === "broken" && severity === "error")
    .map(({ rule }) => rule);

function written(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

test("the study's deployments are fine, and only --strict minds what cannot be told", async () => {
  const { code, report } = await doctorJson("--deployment", STUDY);
  assert.equal(code, 0);
  assert.equal(report.deployments.length, 10);
  assert.deepEqual(report.counts, { errors: 0, warnings: 0, unknown: 10 });
  assert.equal((await doctorJson("--deployment", STUDY, "--strict")).code, 98);
});

test("a command line after -- is judged with the environment before it and that of --env", async () => {
  const line = ["vllm", "serve", "deepseek-ai/DeepSeek-V3.2", "-tp", "8", "--block-size"];
  const wrong = await doctorJson("--", ...line, "16");
  assert.equal(wrong.code, 99);
  assert.deepEqual(brokenIn(wrong.report.deployments[0]), [
    "mla-block-size",
    "deepseek-aiter-required",
    "deepseek-vskip",
  ]);
  const right = await doctorJson(
    "--env",
    "AITER_ENABLE_VSKIP=0",
    "--",
    "VLLM_ROCM_USE_AITER=1",
    ...line,
    "1",
  );
  assert.equal(right.code, 0);
  assert.deepEqual(brokenIn(right.report.deployments[0]), []);
});

test("the first line of the screen says what is wrong, or that nothing is", async () => {
  const wrong = await runCommand(
    "doctor",
    "--no-host",
    "--",
    "vllm serve moonshotai/Kimi-K2.5 --block-size 16",
  );
  assert.match(wrong.stdout, /^WRONG: 2 errors: mla-block-size, vision-triton-fa-off\./);
  assert.match(wrong.stdout, /why: .*\n[\s\S]*source: Inference cookbook/);
  const fine = await runCommand("doctor", "--no-host", "--deployment", STUDY);
  assert.match(fine.stdout, /^NOTHING WRONG in \d+ answers on 10 deployments\. 10 cannot be told\.\n/);
  const host = await runCommand("doctor");
  assert.match(host.stdout, /\nthis host\n[\s\S]* node: Node\.js \d+/);
});

test("a running server is seen, and what is stated is held against it", async (t) => {
  const simulator = await startSimulator({ profile: "deepseek-v3.2" });
  t.after(() => simulator.close());
  const alone = await doctorJson(simulator.url);
  const answers = new Map(alone.report.deployments[0]?.answers.map((answer) => [answer.rule, answer]));
  assert.equal(alone.code, 0);
  assert.equal(answers.get("mla-block-size")?.outcome, "holds");
  assert.equal(answers.get("mla-block-size")?.facts[0]?.kind, "seen");
  assert.equal(answers.get("deepseek-vskip")?.outcome, "unknown");
  const vskip = (report: DoctorReport) =>
    report.deployments[0]?.answers.find(({ rule }) => rule === "deepseek-vskip")?.outcome;
  const off = await doctorJson(simulator.url, "--env", "AITER_ENABLE_VSKIP=0");
  assert.equal(vskip(off.report), "holds");
  const on = await doctorJson(simulator.url, "--env", "AITER_ENABLE_VSKIP=1");
  assert.equal(vskip(on.report), "broken");
  const other = on.report.deployments[0]?.answers.find(({ rule }) => rule === "deepseek-aiter-required");
  assert.equal(other?.outcome, "unknown", "what was not stated of a running server is unknown, not unset");
  const cuda = await doctorJson(simulator.url, "--platform", "cuda");
  assert.equal(vskip(cuda.report), "left-out");
  const both = await doctorJson(simulator.url, "--deployment", STUDY);
  assert.equal(both.code, 0);
  assert.deepEqual(
    both.report.deployments.map(({ name }) => name),
    [`${simulator.url} and deepseek-v3.2`],
  );
  const differs = await doctorJson(
    simulator.url,
    "--",
    "vllm",
    "serve",
    "deepseek-ai/DeepSeek-V3.2",
    "--block-size",
    "16",
  );
  assert.equal(differs.code, 99);
  assert.deepEqual(differs.report.deployments[0]?.contradictions, [
    { what: "--block-size", stated: "16", seen: "1", from: "/metrics, cache_config_info" },
  ]);
});

test("a server that tells little, or nonsense, is judged by what it tells, with notes", async (t) => {
  const server = await startScriptedServer(({ path }) => [
    path === "/v1/models"
      ? jsonAnswer(200, { data: [{ id: "moonshotai/Kimi-K2.5" }] })
      : path === "/version"
        ? jsonAnswer(200, { version: 14 })
        : jsonAnswer(404, { detail: "Not Found" }),
  ]);
  t.after(() => server.close());
  const { code, report } = await doctorJson(server.url);
  assert.equal(code, 0);
  assert.equal(report.deployments[0]?.model, "moonshotai/Kimi-K2.5");
  assert.match(
    report.targetNotes.join("\n"),
    /^\/version tells nothing: version: .*\n\/metrics tells nothing: status 404$/,
  );
});

test("a target that does not answer is a finding, and the rest is told all the same", async () => {
  const { code, report } = await doctorJson("http://127.0.0.1:1", "--deployment", STUDY);
  assert.equal(code, 99);
  assert.deepEqual(report.host, [
    {
      id: "target",
      where: "http://127.0.0.1:1",
      outcome: "error",
      sentence: "connection refused (127.0.0.1:1)",
    },
  ]);
  assert.equal(report.deployments.length, 10);
});

test("a NATS server that does not answer is a finding", async () => {
  const { code, report } = await doctorJson("--nats", "nats://127.0.0.1:1");
  assert.equal(code, 99);
  assert.match(report.host[0]?.sentence ?? "", /no NATS answers at nats:\/\/127\.0\.0\.1:1/);
});

test("YAML of one model is a deployment file too", async (t) => {
  const yaml =
    "model: Qwen/Qwen3-VL-235B-A22B-Instruct\nargs: { --quantization: fp8, --storm: 1 }\nenv: { VLLM_USE_TRITON_FLASH_ATTN: 0 }\n";
  const { code, report } = await doctorJson("--deployment", written(t, "one.yaml", yaml));
  assert.equal(code, 99);
  assert.deepEqual(brokenIn(report.deployments[0]), ["qwen-no-fp8"]);
  assert.deepEqual(report.deployments[0]?.unknownFlags, ["--storm"]);
});

test("wrong use and files that cannot be read are one clear line with their exit code", async (t) => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["--", "ls"], 2, /"ls" is not understood as the start of a server/],
    [["--env", "A=1"], 2, /describe a server: name its URL/],
    [["--env", "A=1", "--deployment", STUDY], 2, /--env does not go with --deployment/],
    [["--env", "1A"], 2, /write NAME=VALUE/],
    [["--platform", "tpu", "--", "vllm", "serve", "m"], 2, /it is none of rocm, cuda/],
    [["--evidence", "x"], 2, /go with --conformance URL/],
    [["--conformance", "http://127.0.0.1:1", "http://127.0.0.1:1"], 2, /stands alone/],
    [["ftp://h"], 2, /"ftp:\/\/h" is not understood/],
    [
      ["--deployment", "/no/such.json"],
      104,
      /deployment file \/no\/such\.json cannot be read: there is no such file/,
    ],
    [["--deployment", written(t, "a.json", "{")], 104, /it is neither YAML nor JSON/],
    [["--deployment", written(t, "b.json", '{"models": []}')], 104, /is not understood: models: /],
    [
      ["--deployment", written(t, "c.yaml", "model: m\nargs: { block-size: 1 }")],
      104,
      /an option begins with --/,
    ],
    [["--conformance", "http://127.0.0.1:1", "--no-host"], 1, /cannot be checked: connection refused/],
    [["http://127.0.0.1:1", "--api-key-env", "NO_SUCH_KEY"], 1, /NO_SUCH_KEY is not set/],
  ];
  for (const [args, code, says] of cases) {
    const result = await runCommand("doctor", ...args);
    assert.equal(result.code, code, `${args.join(" ")}: ${result.stderr}`);
    assert.match(result.stderr, says);
    assert.equal(result.stdout, "");
  }
});
