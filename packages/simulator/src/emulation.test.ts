import assert from "node:assert/strict";
import { test } from "node:test";
import { EMULATED_VERSIONS, type EmulatedVersion } from "./emulation.js";
import type { SimulatorOptions } from "./options.js";
import { startSimulator } from "./simulator.js";
import { metric, RawClient } from "./testing/raw-client.js";

const CHAT = "/v1/chat/completions";
const BODY = { messages: [{ role: "user", content: "red sky" }], max_tokens: 4, ignore_eos: true };

async function withVersion(
  emulate: EmulatedVersion,
  options: SimulatorOptions,
  body: (client: RawClient) => Promise<void>,
): Promise<void> {
  const simulator = await startSimulator({ emulate, decodeStepMs: [[1, 1]], maxModelLen: 1000, ...options });
  const client = await RawClient.open(simulator.port);
  try {
    await body(client);
  } finally {
    client.close();
    await simulator.close();
  }
}

async function get(client: RawClient, path: string): Promise<string> {
  client.send(`GET ${path} HTTP/1.1\r\n\r\n`);
  return (await client.answer()).body;
}

/** Names of families, without those that only tell when a counter began. */
function families(page: string): string[] {
  return [...page.matchAll(/^# TYPE vllm:(\S+)/gm)].flatMap(([, name = ""]) =>
    name.endsWith("_created") ? [] : [name],
  );
}

/** In every version, in vLLM's order. */
const COMMON = [
  "num_requests_running",
  "num_requests_waiting",
  "kv_cache_usage_perc",
  "prefix_cache_queries_total",
  "prefix_cache_hits_total",
  "external_prefix_cache_queries_total",
  "external_prefix_cache_hits_total",
  "mm_cache_queries_total",
  "mm_cache_hits_total",
  "num_preemptions_total",
  "prompt_tokens_total",
  "generation_tokens_total",
  "request_success_total",
  "request_prompt_tokens",
  "request_generation_tokens",
  "iteration_tokens_total",
  "request_max_num_generation_tokens",
  "request_params_n",
  "request_params_max_tokens",
  "time_to_first_token_seconds",
  "inter_token_latency_seconds",
  "request_time_per_output_token_seconds",
  "e2e_request_latency_seconds",
  "request_queue_time_seconds",
  "request_inference_time_seconds",
  "request_prefill_time_seconds",
  "request_decode_time_seconds",
  "cache_config_info",
];

test("each version has its own metrics, and all that every version has", async () => {
  const own: Record<EmulatedVersion, string[]> = {
    "0.11": ["time_per_output_token_seconds"],
    "0.14": ["engine_sleep_state", "request_prefill_kv_computed_tokens"],
    latest: [
      "num_requests_waiting_by_reason",
      "engine_sleep_state",
      "prompt_tokens_by_source_total",
      "prompt_tokens_cached_total",
      "request_prefill_kv_computed_tokens",
    ],
  };
  const reasons = { "0.11": 3, "0.14": 4, latest: 5 };
  for (const version of EMULATED_VERSIONS) {
    await withVersion(version, {}, async (client) => {
      const page = await get(client, "/metrics");
      const seen = families(page);
      assert.deepEqual(
        seen.filter((name) => !own[version].includes(name)),
        COMMON,
        version,
      );
      assert.deepEqual(
        seen.filter((name) => own[version].includes(name)),
        own[version],
        version,
      );
      assert.equal(page.match(/^vllm:request_success_total\{/gm)?.length, reasons[version], version);
    });
  }
});

test("buckets are vLLM's, whole numbers with their point, and those of tokens end at the context", async () => {
  const bounds = (page: string, name: string) =>
    [...page.matchAll(new RegExp(`^vllm:${name}_bucket\\{.*le="([^"]+)"`, "gm"))]
      .map(([, bound]) => bound)
      .join(" ");
  await withVersion("0.14", {}, async (client) => {
    const page = await get(client, "/metrics");
    assert.equal(
      bounds(page, "time_to_first_token_seconds"),
      "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 160.0 640.0 2560.0 +Inf",
    );
    const tokenTimes =
      "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 +Inf";
    assert.equal(bounds(page, "inter_token_latency_seconds"), tokenTimes);
    assert.equal(bounds(page, "request_time_per_output_token_seconds"), tokenTimes);
    const latencies =
      "0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0 60.0 120.0 240.0 480.0 960.0 1920.0 7680.0 +Inf";
    for (const name of [
      "e2e_request_latency",
      "request_queue_time",
      "request_prefill_time",
      "request_decode_time",
    ]) {
      assert.equal(bounds(page, `${name}_seconds`), latencies, name);
    }
    assert.equal(
      bounds(page, "request_prompt_tokens"),
      "1.0 2.0 5.0 10.0 20.0 50.0 100.0 200.0 500.0 1000.0 +Inf",
    );
    assert.equal(
      bounds(page, "iteration_tokens_total"),
      "1.0 8.0 16.0 32.0 64.0 128.0 256.0 512.0 1024.0 2048.0 4096.0 8192.0 16384.0 +Inf",
    );
    assert.equal(bounds(page, "request_params_n"), "1.0 2.0 5.0 10.0 20.0 +Inf");
  });
});

test("prompt tokens by source add up, and images are counted when they are asked for again", async () => {
  const options: SimulatorOptions = { profile: "qwen3-vl-235b", blockSize: 4, maxModelLen: 8000 };
  await withVersion("latest", options, async (client) => {
    const image = { type: "image_url", image_url: { url: "https://h/one.png" } };
    for (let i = 0; i < 2; i++) {
      client.post(CHAT, { ...BODY, messages: [{ role: "user", content: [image] }] });
      await client.answer();
    }
    const page = await get(client, "/metrics");
    const source = (name: string) => metric(page, "vllm:prompt_tokens_by_source_total", `source="${name}"`);
    const total = metric(page, "vllm:prompt_tokens_total");
    const cached = metric(page, "vllm:prompt_tokens_cached_total");
    assert.equal(source("local_compute") + source("local_cache_hit"), total);
    assert.equal(source("local_cache_hit"), cached);
    assert.equal(cached, metric(page, "vllm:prefix_cache_hits_total"));
    assert.ok(cached > 1000);
    assert.deepEqual(
      [metric(page, "vllm:mm_cache_queries_total"), metric(page, "vllm:mm_cache_hits_total")],
      [2, 1],
    );
  });
});

test("thoughts are told in the fields of the version, in events and in one piece, and count as tokens", async () => {
  const fields = {
    "0.11": ["reasoning_content"],
    "0.14": ["reasoning", "reasoning_content"],
    latest: ["reasoning"],
  };
  for (const version of EMULATED_VERSIONS) {
    await withVersion(version, { reasoningTokens: 2 }, async (client) => {
      const stream_options = { include_usage: true };
      client.post(CHAT, { ...BODY, stream: true, stream_options }, { "X-Request-Id": "a" });
      const events = (await client.answer()).chunks.slice(1, -1).map((event) => JSON.parse(event.slice(6)));
      const deltas = events.slice(0, -1).map(({ choices: [choice] }) => choice.delta);
      assert.deepEqual(
        deltas.map(Object.keys),
        [fields[version], fields[version], ["content"], ["content"]],
        version,
      );
      assert.equal(events.at(-1).usage.completion_tokens, 4);
      client.post(CHAT, BODY, { "X-Request-Id": "a" });
      const { message } = JSON.parse((await client.answer()).body).choices[0];
      const thoughts = fields[version].map((field) => message[field]);
      const first = fields[version][0] ?? "";
      assert.deepEqual(
        thoughts,
        thoughts.map(() => deltas[0][first] + deltas[1][first]),
      );
      assert.equal(message.content, deltas[2].content + deltas[3].content);
      assert.equal("reasoning_content" in message, fields[version].includes("reasoning_content"));
    });
  }
});

test("thoughts and text that come in one event are both in it", async () => {
  await withVersion("latest", { reasoningTokens: 2, streamInterval: 4 }, async (client) => {
    client.post(CHAT, { ...BODY, stream: true });
    const [, first, last] = (await client.answer()).chunks
      .slice(0, -1)
      .map((event) => JSON.parse(event.slice(6)));
    assert.deepEqual(Object.keys(first.choices[0].delta), ["reasoning"]);
    assert.deepEqual(Object.keys(last.choices[0].delta), ["reasoning", "content"]);
    assert.match(last.system_fingerprint, /^vllm-/);
  });
});

test("a prompt that is too long is refused in the words of the version", async () => {
  const long = { ...BODY, messages: [{ role: "user", content: "a ".repeat(1500) }] };
  const cases = {
    "0.11": [/has 1509 input tokens\. Please reduce/, /^'max_tokens' or .*too large: 995/, null, null],
    "0.14": [
      /has 1509 input tokens\. Please reduce/,
      /^'max_tokens' or .*too large: 995/,
      "input_tokens",
      "max_tokens",
    ],
    latest: [
      /requested 4 output tokens and your prompt contains at least 997 input tokens.*\(parameter=input_tokens, value=997\)$/,
      /requested 995 output tokens and your prompt contains at least 6 input tokens, for a total of at least 1001/,
      "input_tokens",
      "input_tokens",
    ],
  } as const;
  for (const version of EMULATED_VERSIONS) {
    await withVersion(version, {}, async (client) => {
      const [prompt, sum, ...params] = cases[version];
      for (const [i, body] of [long, { ...BODY, max_tokens: 995 }].entries()) {
        client.post(CHAT, body);
        const { status, body: text } = await client.answer();
        const { error } = JSON.parse(text);
        assert.deepEqual(
          [status, error.type, error.code, error.param],
          [400, "BadRequestError", 400, params[i]],
          version,
        );
        assert.match(error.message, i === 0 ? prompt : sum, version);
      }
    });
  }
});

test("too many images are refused in the words of the version", async () => {
  const image = { type: "image_url", image_url: { url: "https://h/x.png" } };
  const words = "At most 1 image(s) may be provided in one prompt.";
  const cases = {
    "0.11": [words, null],
    "0.14": [words, "image"],
    latest: [`${words} (parameter=image)`, "image"],
  };
  for (const version of EMULATED_VERSIONS) {
    await withVersion(
      version,
      { profile: "kimi-k2.5", imagesPerPrompt: 1, maxModelLen: 4000 },
      async (client) => {
        client.post(CHAT, { ...BODY, messages: [{ role: "user", content: [image, image] }] });
        const { error } = JSON.parse((await client.answer()).body);
        assert.deepEqual([error.message, error.param], cases[version], version);
      },
    );
  }
});

test("what a version does not know of a request it takes in silence", async () => {
  const events = { "0.11": 5, "0.14": 5, latest: 3 };
  for (const version of EMULATED_VERSIONS) {
    await withVersion(version, { forceIncludeUsage: true }, async (client) => {
      client.post(CHAT, { ...BODY, stream: true, stream_interval: 4 });
      const chunks = (await client.answer()).chunks.slice(0, -2);
      assert.equal(chunks.length, events[version], version);
      assert.equal(
        chunks.every((event) => event.includes('"usage"')),
        version === "latest",
        version,
      );
      assert.match(
        await get(client, "/version"),
        version === "latest" ? /"0\.2/ : new RegExp(`"${version}\\.`),
      );
    });
  }
});
