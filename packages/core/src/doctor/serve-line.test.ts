import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServeLine, splitWords } from "./serve-line.js";
import type { StatedDeployment } from "./stated-deployment.js";

function deploymentOf(line: string, env: Record<string, string> = {}): StatedDeployment {
  const parsed = parseServeLine([line], env);
  assert.equal(parsed.kind, "deployment", JSON.stringify(parsed));
  if (parsed.kind !== "deployment") throw new Error("not a deployment");
  return parsed.deployment;
}

test("options are read in every form that vLLM takes", () => {
  const one = deploymentOf(
    "vllm serve org/Model -tp 8 --block-size=1 --max_model_len 32768 --trust-remote-code " +
      "--no-enable-prefix-caching --served-model-name a b --quantization fp8 --speculative-config.model x",
  );
  assert.equal(one.model, "org/Model");
  assert.deepEqual(Object.fromEntries(one.args), {
    "--tensor-parallel-size": "8",
    "--block-size": "1",
    "--max-model-len": "32768",
    "--trust-remote-code": true,
    "--enable-prefix-caching": false,
    "--served-model-name": "a",
    "--quantization": "fp8",
    "--speculative-config": "x",
  });
  assert.deepEqual(one.unknownFlags, []);
});

test("an option that is not known is named, and takes what follows it along", () => {
  const one = deploymentOf("vllm serve m --storm-level 11 --turbo --block-size 1");
  assert.deepEqual(one.unknownFlags, ["--storm-level", "--turbo"]);
  assert.equal(one.model, "m");
  assert.equal(one.args.get("--block-size"), "1");
});

test("a level behind its letter takes nothing along", () => {
  const one = deploymentOf("vllm serve -O3 org/Model -O 2 -asc 4");
  assert.equal(one.model, "org/Model");
  assert.deepEqual(one.unknownFlags, []);
});

test("variables before the command and those of --env are the server's environment", () => {
  const one = deploymentOf("A=1 sudo env B='two words' vllm serve m", { A: "9", C: "" });
  assert.deepEqual(Object.fromEntries(one.env), { A: "9", B: "two words", C: "" });
});

test("docker run is taken apart into image, environment and the server's options", () => {
  const one = deploymentOf(
    "docker run -it --rm --gpus all --ipc=host -v ~/.cache:/root -p 8000:8000 -e VLLM_ROCM_USE_AITER=1 " +
      "-eHF_HOME=/x --env AITER_ENABLE_VSKIP=0 -e HF_TOKEN rocm/vllm-dev:nightly --model a/B --block-size 1",
  );
  assert.equal(one.image, "rocm/vllm-dev:nightly");
  assert.equal(one.model, "a/B");
  assert.equal(one.platform, "rocm");
  assert.deepEqual(Object.fromEntries(one.env), {
    VLLM_ROCM_USE_AITER: "1",
    HF_HOME: "/x",
    AITER_ENABLE_VSKIP: "0",
  });
  assert.deepEqual(one.passedOn, ["HF_TOKEN"]);
  for (const inside of [
    "vllm serve a/B --block-size 1",
    "bash -c 'vllm serve a/B --block-size 1'",
    "serve a/B --block-size 1",
  ]) {
    const other = deploymentOf(`podman run --env-file e image ${inside}`);
    assert.equal(other.model, "a/B", inside);
    assert.equal(other.args.get("--block-size"), "1", inside);
    assert.ok(other.hasEnvFile);
  }
});

test("the module that serves is understood as well", () => {
  const one = deploymentOf("/usr/bin/python3.12 -m vllm.entrypoints.openai.api_server --model a/B -q fp8");
  assert.equal(one.model, "a/B");
  assert.equal(one.args.get("--quantization"), "fp8");
});

test("a line that is no server is a problem that names the word", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["ls", "-l"], /"ls" is not understood/],
    [["vllm", "bench", "serve"], /"vllm" is not understood/],
    [[""], /nothing follows --/],
    [["docker", "ps"], /only docker run/],
    [["docker", "run", "-it"], /names no image/],
    [["vllm", "serve", "m", "--block-size"], /--block-size has no value/],
    [["vllm", "serve", "m", "--block-size", "--trust-remote-code"], /--block-size has no value/],
    [["vllm", "serve", "m", "other"], /"other" stands where no value is expected/],
  ];
  for (const [words, says] of cases) {
    const parsed = parseServeLine(words);
    assert.equal(parsed.kind, "problem", words.join(" "));
    if (parsed.kind === "problem") assert.match(parsed.message, says);
  }
});

test("words are split as a shell splits them", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["a  b\tc\n", ["a", "b", "c"]],
    ["a 'b c' \"d \\\" e\" ''", ["a", "b c", 'd " e', ""]],
    ["vllm serve \\\n  m \\\n  -tp 8", ["vllm", "serve", "m", "-tp", "8"]],
    ["a\\ b", ["a b"]],
    ["--x='{\"a\": 1}'", ['--x={"a": 1}']],
  ];
  for (const [line, words] of cases) assert.deepEqual(splitWords(line), words, line);
});
