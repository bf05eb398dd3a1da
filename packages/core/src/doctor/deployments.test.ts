import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseDeployments } from "./deployment-file.js";
import { type DeploymentDiagnosis, diagnoseDeployment } from "./diagnose.js";
import { DOCTOR_NOTES, DOCTOR_RULES } from "./rules.js";
import type { ArgValue, StatedDeployment } from "./stated-deployment.js";

const file = fileURLToPath(new URL("../../../../plans/study/data/deployments.json", import.meta.url));
const text = readFileSync(file, "utf8");

function studied(): readonly StatedDeployment[] {
  const parsed = parseDeployments(JSON.parse(text), "deployments.json");
  assert.equal(parsed.kind, "deployments");
  return parsed.kind === "deployments" ? parsed.deployments : [];
}

function named(name: string): StatedDeployment {
  const found = studied().find((one) => one.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

interface Change {
  readonly args?: Readonly<Record<string, ArgValue | null>>;
  readonly env?: Readonly<Record<string, string | null>>;
  readonly rest?: Partial<StatedDeployment>;
}

/** The deployment with some of it changed; null takes an option or variable away. */
function changed(one: StatedDeployment, { args = {}, env = {}, rest = {} }: Change): StatedDeployment {
  const merge = <V>(
    map: ReadonlyMap<string, V>,
    changes: Readonly<Record<string, V | null>>,
  ): Map<string, V> => {
    const merged = new Map(map);
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) merged.delete(key);
      else merged.set(key, value);
    }
    return merged;
  };
  return { ...one, args: merge(one.args, args), env: merge(one.env, env), ...rest };
}

const broken = (diagnosis: DeploymentDiagnosis): string[] =>
  diagnosis.answers
    .filter(({ outcome, severity }) => outcome === "broken" && severity !== "info")
    .map(({ rule, severity }) => `${severity} ${rule}`);

const diagnose = (one: StatedDeployment) => diagnoseDeployment(one.name, { stated: one });

test("every deployment of the study, in each of its variants, breaks no rule", () => {
  const names = studied().map(({ name }) => name);
  assert.deepEqual(names, [
    "llama-3.1-405b",
    "llama-3.1-405b, variant aiter-on",
    "llama-3.1-405b, variant aiter-off",
    "llama-3.1-405b, variant triton-fa-off",
    "llama-3.1-405b, variant kv-offload",
    "deepseek-v3.2",
    "deepseek-v3.2, with chat_args",
    "qwen3-vl-235b",
    "kimi-k2.5",
    "kimi-k2.5, with chat_args",
  ]);
  for (const one of studied()) {
    const diagnosis = diagnose(one);
    assert.deepEqual(broken(diagnosis), [], one.name);
    assert.deepEqual(diagnosis.unknownFlags, [], one.name);
    const open = diagnosis.answers.filter(({ outcome }) => outcome === "unknown").map(({ rule }) => rule);
    assert.deepEqual(
      open,
      ["numa-balancing-off"],
      `${one.name}: the file says nothing of the host, and no more`,
    );
  }
});

/** Deployment, how it is broken, and the one finding that must come of it. */
const BROKEN: readonly (readonly [string, Change, string])[] = [
  ["deepseek-v3.2", { args: { "--block-size": "16" } }, "error mla-block-size"],
  ["kimi-k2.5", { args: { "--block-size": "64" } }, "error mla-block-size"],
  ["kimi-k2.5", { args: { "--block-size": null } }, "error mla-block-size"],
  ["deepseek-v3.2", { args: { "--kv-offloading-size": "64" } }, "error mla-no-kv-offload"],
  ["deepseek-v3.2", { args: { "--kv-offloading-backend": "native" } }, "error mla-no-kv-offload"],
  ["kimi-k2.5", { args: { "--kv-offloading-size": "64" } }, "error mla-no-kv-offload"],
  ["deepseek-v3.2", { env: { VLLM_ROCM_USE_AITER: "0" } }, "error deepseek-aiter-required"],
  ["deepseek-v3.2", { env: { VLLM_ROCM_USE_AITER: null } }, "error deepseek-aiter-required"],
  ["deepseek-v3.2", { env: { AITER_ENABLE_VSKIP: "1" } }, "error deepseek-vskip"],
  ["deepseek-v3.2", { env: { AITER_ENABLE_VSKIP: null } }, "error deepseek-vskip"],
  ["deepseek-v3.2", { args: { "--kv-cache-dtype": "fp8" } }, "error deepseek-no-fp8-kv-flag"],
  ["deepseek-v3.2", { args: { "--kv-cache-dtype": "fp8_e4m3" } }, "error deepseek-no-fp8-kv-flag"],
  ["kimi-k2.5", { args: { "--tensor-parallel-size": "8" }, rest: { gpus: 8 } }, "error kimi-tp4"],
  ["kimi-k2.5", { args: { "--tensor-parallel-size": null } }, "error kimi-tp4"],
  ["kimi-k2.5", { env: { VLLM_ROCM_USE_AITER: "1" } }, "error kimi-aiter-off"],
  ["kimi-k2.5", { rest: { image: "vllm/vllm-openai-rocm:v0.14.1" } }, "error kimi-nightly"],
  ["kimi-k2.5", { env: { VLLM_USE_TRITON_FLASH_ATTN: "1" } }, "error vision-triton-fa-off"],
  ["qwen3-vl-235b", { env: { VLLM_USE_TRITON_FLASH_ATTN: null } }, "error vision-triton-fa-off"],
  ["qwen3-vl-235b", { args: { "--quantization": "fp8" } }, "error qwen-no-fp8"],
  ["qwen3-vl-235b", { args: { "--kv-cache-dtype": "fp8" } }, "error qwen-no-fp8"],
  ["qwen3-vl-235b", { rest: { model: "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8" } }, "error qwen-no-fp8"],
  ["llama-3.1-405b", { args: { "--tensor-parallel-size": "6" } }, "error tp-divides-heads"],
  ["qwen3-vl-235b", { args: { "--tensor-parallel-size": "5" } }, "error tp-divides-heads"],
  ["llama-3.1-405b", { args: { "--pipeline-parallel-size": "2" } }, "error gpus-suffice"],
  ["llama-3.1-405b", { args: { "--max-model-len": "131073" } }, "error context-fits"],
  ["deepseek-v3.2", { args: { "--max-model-len": "1M" } }, "error context-fits"],
  [
    "llama-3.1-405b, variant kv-offload",
    { args: { "--disable-hybrid-kv-cache-manager": null } },
    "warning kv-offload-hybrid-manager",
  ],
  [
    "qwen3-vl-235b",
    { rest: { host: new Map([["kernel.numa_balancing", "1"]]) } },
    "warning numa-balancing-off",
  ],
];

for (const [name, change, finding] of BROKEN) {
  test(`${name} with ${JSON.stringify(change)} gives exactly: ${finding}`, () => {
    const diagnosis = diagnose(changed(named(name), change));
    assert.deepEqual(broken(diagnosis), [finding]);
    const answer = diagnosis.answers.find(({ rule }) => finding.endsWith(rule));
    assert.ok(
      answer?.facts.every(({ kind }) => kind === "stated"),
      "the answer says that it rests on what was stated",
    );
    assert.ok(
      (answer?.reason.length ?? 0) > 20 && (answer?.source.length ?? 0) > 10,
      "it has reason and source",
    );
  });
}

test("every rule that finds fault is broken by one of the cases above", () => {
  const tried = new Set(BROKEN.map(([, , finding]) => finding.split(" ")[1]));
  const missing = DOCTOR_RULES.filter(({ id, severity }) => severity !== "info" && !tried.has(id));
  assert.deepEqual(
    missing.map(({ id }) => id),
    [],
  );
});

test("every rule of the study's file is one of ours, as severe as it says", () => {
  const { rules }: { rules: { id: string; severity: string }[] } = JSON.parse(text);
  for (const { id, severity } of rules) {
    const rule = DOCTOR_RULES.find((one) => one.id === id);
    const note = DOCTOR_NOTES.find((one) => one.id === id);
    assert.ok(rule !== undefined || note !== undefined, id);
    if (rule !== undefined) assert.equal(rule.severity, severity, id);
  }
});

test("what is only worth knowing is told and is no fault", () => {
  const offload = changed(named("llama-3.1-405b, variant kv-offload"), {
    args: { "--kv-offloading-size": "8" },
  });
  const told = diagnose(offload).answers.filter(
    ({ outcome, severity }) => outcome === "broken" && severity === "info",
  );
  assert.deepEqual(
    told.map(({ rule }) => rule),
    ["gqa-kv-offload-optional"],
  );
  const chat = diagnose(named("deepseek-v3.2")).answers.find(
    ({ rule }) => rule === "deepseek-chat-tokenizer-mode",
  );
  assert.equal(chat?.outcome, "broken");
  assert.equal(chat?.severity, "info");
  assert.match(diagnose(named("llama-3.1-405b")).notes.join(), /AITER is free to choose/);
});
