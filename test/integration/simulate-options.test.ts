import assert from "node:assert/strict";
import { test } from "node:test";
import { startSimulator } from "./cli.js";

interface About {
  readonly stepModel: string;
  readonly limits: { readonly kvBlocks: number };
  readonly hardware: {
    readonly hardware: string;
    readonly tensorParallelSize: number;
    readonly kvCacheType: string;
    readonly gpuMemoryUtilization: number;
    readonly kvTokens: number;
    readonly note: string;
  };
}

interface Answer {
  readonly choices: readonly { readonly message: Readonly<Record<string, unknown>> }[];
  readonly usage: { readonly prompt_tokens_details: { readonly multimodal_tokens: number } };
}

const JSON_TYPE = { "content-type": "application/json" };

function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const init = { method: "POST", headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) };
  return fetch(`${url}/v1/chat/completions`, init);
}

test("what the command line says of hardware, version, images, thoughts and faults reaches the server", async (t) => {
  const simulator = await startSimulator(t, [
    ...["--profile", "qwen3-vl-235b", "--hardware", "mi300x", "--tensor-parallel-size", "4"],
    ...["--kv-cache-dtype", "fp8", "--gpu-memory-utilization", "0.95", "--time-scale", "100"],
    ...["--emulate", "latest", "--reasoning-tokens", "1", "--limit-mm-per-prompt", '{"image":1}'],
    ...["--enable-prompt-tokens-details", "--enable-force-include-usage", "--front-end-us", "1"],
    ...["--fault-schedule", "0..3600:http-429=0;retry-after=3,3500..3600:refuse"],
  ]);
  const about: About = JSON.parse(await (await fetch(`${simulator.url}/simulator`)).text());
  const { hardware, tensorParallelSize, kvCacheType, gpuMemoryUtilization, note } = about.hardware;
  assert.deepEqual(
    [about.stepModel, hardware, tensorParallelSize, kvCacheType, gpuMemoryUtilization],
    ["roofline", "AMD Instinct MI300X", 4, "fp8", 0.95],
  );
  assert.match(note, /nothing of it was measured/);
  assert.equal(about.limits.kvBlocks, Math.floor(about.hardware.kvTokens / 16));
  const metrics = await (await fetch(`${simulator.url}/metrics`)).text();
  assert.match(metrics, /^vllm:cache_config_info\{.*cache_dtype="fp8".*gpu_memory_utilization="0\.95"/m);
  assert.match(metrics, /^vllm:prompt_tokens_by_source_total/m);

  const image = { type: "image_url", image_url: { url: "https://h/x.png" } };
  const messages = [{ role: "user", content: [image] }];
  const asked = { max_tokens: 3, ignore_eos: true };
  const answer: Answer = JSON.parse(await (await post(simulator.url, { ...asked, messages })).text());
  assert.equal(answer.usage.prompt_tokens_details.multimodal_tokens, 1060);
  const message = answer.choices[0]?.message ?? {};
  assert.deepEqual([typeof message["reasoning"], "reasoning_content" in message], ["string", false]);
  const two = await post(simulator.url, { ...asked, messages: [{ role: "user", content: [image, image] }] });
  assert.match(await two.text(), /At most 1 image/);
  const streamed = await (await post(simulator.url, { ...asked, messages, stream: true })).text();
  assert.match(streamed, /"usage":/);
  const limited = await post(simulator.url, { ...asked, messages }, { "x-fault": "http-429;retry-after=9" });
  assert.deepEqual([limited.status, limited.headers.get("retry-after")], [429, "9"]);
  await simulator.stop();
});
