import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnoseDeployment } from "./diagnose.js";
import type { RuleAnswer } from "./judge-rule.js";
import type { SeenServer } from "./seen-server.js";
import { parseServeLine } from "./serve-line.js";
import type { StatedDeployment } from "./stated-deployment.js";

function line(text: string, rest: Partial<StatedDeployment> = {}): StatedDeployment {
  const parsed = parseServeLine([text]);
  if (parsed.kind === "problem") throw new Error(parsed.message);
  return { ...parsed.deployment, ...rest };
}

function answersOf(stated: StatedDeployment | undefined, seen?: SeenServer): Map<string, RuleAnswer> {
  const { answers } = diagnoseDeployment("x", { stated, seen });
  return new Map(answers.map((answer) => [answer.rule, answer]));
}

const KIMI_8 =
  "VLLM_ROCM_USE_AITER=1 VLLM_USE_TRITON_FLASH_ATTN=0 vllm serve moonshotai/Kimi-K2.5 --block-size 1 -tp 8";

test("eight GPUs and AITER are wrong for Kimi on the studied stack, and right from vLLM 0.18 on", () => {
  const cases: readonly (readonly [string | undefined, string, string])[] = [
    ["0.14.1", "broken", "error"],
    ["0.17.2", "broken", "warning"],
    ["0.18.0rc1.dev7+gabc", "unknown", "error"],
    ["0.18.0", "left-out", "error"],
    ["0.19.1", "left-out", "error"],
    [undefined, "unknown", "error"],
  ];
  for (const [engineVersion, outcome, severity] of cases) {
    const answers = answersOf(line(KIMI_8, { engineVersion }));
    for (const rule of ["kimi-tp4", "kimi-aiter-off"]) {
      const answer = answers.get(rule);
      assert.equal(answer?.outcome, outcome, `${rule} on ${engineVersion}`);
      assert.equal(answer?.severity, severity, `${rule} on ${engineVersion}`);
    }
  }
  assert.match(answersOf(line(KIMI_8, { engineVersion: "0.18.0" })).get("kimi-tp4")?.sentence ?? "", /35850/);
  assert.match(answersOf(line(KIMI_8)).get("kimi-tp4")?.note ?? "", /version is unknown/);
});

test("a rule of the study warns, and says so, on an engine that was not studied", () => {
  const stated = line("vllm serve deepseek-ai/DeepSeek-V3.2 --block-size 64", { engineVersion: "0.16.0" });
  const answer = answersOf(stated).get("mla-block-size");
  assert.equal(answer?.outcome, "broken");
  assert.equal(answer?.severity, "warning");
  assert.match(answer?.note ?? "", /whether 0\.16\.0 still needs it is not known/);
});

test("rules of ROCm are left out on CUDA", () => {
  const stated = line("vllm serve deepseek-ai/DeepSeek-V3.2 --block-size 64", { platform: "cuda" });
  const answer = answersOf(stated).get("mla-block-size");
  assert.equal(answer?.outcome, "left-out");
  assert.equal(answersOf(stated).get("mla-no-kv-offload")?.outcome, "holds");
});

const SERVER: SeenServer = {
  url: "http://h:8000",
  models: [{ id: "deepseek-ai/DeepSeek-V3.2", root: "deepseek-ai/DeepSeek-V3.2", maxModelLen: 32_768 }],
  version: "0.14.1",
  cacheConfig: { block_size: "16", cache_dtype: "auto", gpu_memory_utilization: "0.9" },
};

test("of a running server what it shows is judged as seen, and the rest is unknown and not guessed", () => {
  const answers = answersOf(undefined, SERVER);
  const block = answers.get("mla-block-size");
  assert.equal(block?.outcome, "broken");
  assert.deepEqual(block?.facts[0], {
    name: "--block-size",
    kind: "seen",
    value: "16",
    from: "/metrics, cache_config_info",
  });
  assert.equal(answers.get("context-fits")?.outcome, "holds");
  assert.equal(answers.get("deepseek-no-fp8-kv-flag")?.outcome, "holds");
  for (const rule of [
    "deepseek-aiter-required",
    "deepseek-vskip",
    "mla-no-kv-offload",
    "tp-divides-heads",
    "gpus-suffice",
  ]) {
    const answer = answers.get(rule);
    assert.equal(answer?.outcome, "unknown", rule);
    assert.ok(
      answer?.facts.some(({ kind }) => kind === "unknown"),
      rule,
    );
  }
});

test("where command line and server differ, the server is right and the difference is named", () => {
  const stated = line("vllm serve deepseek-ai/DeepSeek-V3.2 --block-size 1 --max-model-len 65536");
  const diagnosis = diagnoseDeployment("x", { stated, seen: SERVER });
  assert.deepEqual(
    diagnosis.contradictions.map(({ what, stated: said, seen }) => [what, said, seen]),
    [
      ["--max-model-len", "65536", "32768"],
      ["--block-size", "1", "16"],
    ],
  );
  const block = diagnosis.answers.find(({ rule }) => rule === "mla-block-size");
  assert.equal(block?.outcome, "broken");
  const other = diagnoseDeployment("x", { stated: line("vllm serve moonshotai/Kimi-K2.5"), seen: SERVER });
  assert.equal(other.contradictions[0]?.what, "the model");
});

test("a model served under another name is known by its root", () => {
  const server = { ...SERVER, models: [{ id: "house", root: "/models/DeepSeek-V3.2/" }] };
  assert.equal(answersOf(undefined, server).get("mla-block-size")?.outcome, "broken");
  const stated = line("vllm serve /models/DeepSeek-V3.2/ --served-model-name house --block-size 16");
  assert.deepEqual(diagnoseDeployment("x", { stated, seen: server }).contradictions, []);
});

test("of a model that is not known, what depends on it is unknown, by stated attention it is judged", () => {
  const answers = answersOf(line("vllm serve acme/storm-7b --block-size 16"));
  assert.equal(answers.get("mla-block-size")?.outcome, "unknown");
  assert.equal(answers.get("vision-triton-fa-off")?.outcome, "unknown");
  assert.equal(answers.get("tp-divides-heads")?.outcome, "unknown");
  assert.equal(answers.get("deepseek-vskip"), undefined);
  const mla = answersOf(line("vllm serve acme/storm-7b --block-size 16", { attention: "MLA" }));
  assert.equal(mla.get("mla-block-size")?.outcome, "broken");
});

test("a variable that is taken from elsewhere is unknown", () => {
  const passed = line("docker run -e AITER_ENABLE_VSKIP rocm/vllm:x deepseek-ai/DeepSeek-V3.2");
  assert.equal(answersOf(passed).get("deepseek-vskip")?.outcome, "unknown");
  const file = line("docker run --env-file e rocm/vllm:x deepseek-ai/DeepSeek-V3.2");
  assert.equal(answersOf(file).get("deepseek-vskip")?.outcome, "unknown");
});

test("the block size that sparse MLA gets by default is not claimed to be known", () => {
  const answer = answersOf(line("vllm serve deepseek-ai/DeepSeek-V3.2")).get("mla-block-size");
  assert.equal(answer?.outcome, "unknown");
  assert.match(answer?.sentence ?? "", /choose 1 by itself/);
});

test("a stable server runs no nightly, and a build before a release is one", () => {
  const kimi = (version: string): SeenServer => ({
    url: "",
    models: [{ id: "moonshotai/Kimi-K2.5" }],
    version,
  });
  assert.equal(answersOf(undefined, kimi("0.14.1")).get("kimi-nightly")?.outcome, "broken");
  assert.equal(answersOf(undefined, kimi("0.14.2rc1.dev3+g1")).get("kimi-nightly")?.outcome, "holds");
  assert.equal(answersOf(undefined, kimi("0.15.0")).get("kimi-nightly")?.outcome, "left-out");
});

test("an image's name tells platform and version where they are in it", () => {
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["vllm/vllm-openai-rocm:v0.18.0", "rocm", "0.18.0"],
    ["rocm/vllm:rocm6.4.1_vllm_0.10.1_20250909", "rocm", "0.10.1"],
    ["docker.io/vllm/vllm-openai:v0.14.1rc2", "cuda", "0.14.1rc2"],
    ["vllm/vllm-openai:latest", "cuda", null],
    ["registry.example/house:v3.1.0", "unknown", null],
  ];
  for (const [image, platform, version] of cases) {
    const { facts } = diagnoseDeployment("x", { stated: line(`docker run ${image} --model m`) });
    const told = (name: string) => facts.find((fact) => fact.name === name);
    assert.equal(told("platform")?.value ?? "unknown", platform, image);
    assert.equal(told("vLLM")?.value, version, image);
  }
  const kimi = line("docker run vllm/vllm-openai-rocm:v0.18.0 --model moonshotai/Kimi-K2.5 -tp 8");
  assert.equal(answersOf(kimi).get("kimi-tp4")?.outcome, "left-out");
});

test("vLLM's switches may be words, and those of others are numbers", () => {
  const outcomes = (aiter: string, vskip: string) => {
    const answers = answersOf(
      line(`VLLM_ROCM_USE_AITER=${aiter} AITER_ENABLE_VSKIP=${vskip} vllm serve deepseek-ai/DeepSeek-V3.2`),
    );
    return [answers.get("deepseek-aiter-required")?.outcome, answers.get("deepseek-vskip")?.outcome];
  };
  assert.deepEqual(outcomes("True", "0"), ["holds", "holds"]);
  assert.deepEqual(outcomes("false", "False"), ["broken", "broken"]);
});

test("what may stand in a file of options is unknown", () => {
  const answers = answersOf(line("vllm serve moonshotai/Kimi-K2.5 --config c.yaml -tp 4"));
  assert.equal(answers.get("mla-block-size")?.outcome, "unknown");
  assert.equal(answers.get("kimi-tp4")?.outcome, "holds");
});
