import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimulatorOptions } from "./options.js";
import { type Simulator, startSimulator } from "./simulator.js";
import { metric, RawClient } from "./testing/raw-client.js";

const FAST: SimulatorOptions = {
  model: "m",
  decodeStepMs: [[1, 2]],
  prefillTokensPerS: 1e6,
  prefixCache: false,
};
const CHAT = "/v1/chat/completions";
/** What never comes fails its test instead of hanging it. */
const LIMIT_MS = 20_000;

async function withSimulator(
  options: SimulatorOptions,
  body: (simulator: Simulator, client: RawClient) => Promise<void>,
): Promise<void> {
  const simulator = await startSimulator({ ...FAST, ...options });
  const client = await RawClient.open(simulator.port);
  let limit: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    limit = setTimeout(() => reject(new Error(`nothing more came after ${client.received}`)), LIMIT_MS);
  });
  try {
    await Promise.race([body(simulator, client), tooLong]);
  } finally {
    clearTimeout(limit);
    client.close();
    await simulator.close();
  }
}

function chat(changes: Record<string, unknown> = {}) {
  const messages = [{ role: "user", content: "red sky at night" }];
  return { model: "m", messages, stream: true, max_tokens: 2, ignore_eos: true, ...changes };
}

/** The JSON of an event, or its bare payload. */
function payload(event: string | undefined): string {
  assert.match(event ?? "", /^data: .*\n\n$/);
  return (event ?? "").slice(6, -2);
}

test("a chat stream is role, deltas, finish with the last delta, usage, done, each in its own chunk", async () => {
  await withSimulator({}, async (_, client) => {
    client.post(CHAT, chat({ stream_options: { include_usage: true } }), { "X-Request-Id": "a" });
    const { status, headers, chunks } = await client.answer();
    assert.equal(status, 200);
    assert.deepEqual([...headers.keys()], ["date", "server", "content-type", "transfer-encoding"]);
    assert.equal(headers.get("content-type"), "text/event-stream; charset=utf-8");
    const created = JSON.parse(payload(chunks[0])).created;
    const start = `data: {"id":"chatcmpl-a","object":"chat.completion.chunk","created":${created},"model":"m",`;
    const [first, second] = [chunks[1], chunks[2]].map(
      (event) => JSON.parse(payload(event)).choices[0].delta.content,
    );
    assert.deepEqual(chunks, [
      `${start}"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}\n\n`,
      `${start}"choices":[{"index":0,"delta":{"content":"${first}"},"logprobs":null,"finish_reason":null,"token_ids":null}]}\n\n`,
      `${start}"choices":[{"index":0,"delta":{"content":"${second}"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}]}\n\n`,
      `${start}"choices":[],"usage":{"prompt_tokens":13,"total_tokens":15,"completion_tokens":2}}\n\n`,
      "data: [DONE]\n\n",
    ]);
    assert.match(first, /^[a-z]+$/);
    assert.match(second, /^ [a-z]+$/);
  });
});

test("a completions stream has no role event and no usage that was not asked for", async () => {
  await withSimulator({}, async (_, client) => {
    client.post("/v1/completions", { prompt: [1, 2, 3], stream: true, max_tokens: 3, ignore_eos: true });
    const { chunks } = await client.answer();
    assert.equal(chunks.length, 4);
    const events = chunks.slice(0, 3).map((event) => JSON.parse(payload(event)));
    assert.deepEqual(
      events.map((event) => [event.object, event.id, event.choices[0].index, event.choices[0].finish_reason]),
      [
        ["text_completion", "cmpl-sim-1-1", 0, null],
        ["text_completion", "cmpl-sim-1-1", 0, null],
        ["text_completion", "cmpl-sim-1-1", 0, "length"],
      ],
    );
    assert.equal(payload(chunks[3]), "[DONE]");
  });
});

test("headers come before the request is let in, and role and first token in one write", async () => {
  await withSimulator({ decodeStepMs: [[1, 300]], maxNumSeqs: 1 }, async (simulator, client) => {
    const queued = await RawClient.open(simulator.port);
    const reads: string[] = [];
    queued.socket.on("data", (bytes) => reads.push(bytes.toString()));
    client.post(CHAT, chat());
    await client.until("\r\n\r\n");
    queued.post(CHAT, chat({ max_tokens: 1 }));
    await queued.until("\r\n\r\n");
    assert.equal(simulator.stats().generationTokens, 0);
    assert.deepEqual([simulator.stats().running, simulator.stats().waiting], [1, 1]);
    await queued.until("[DONE]");
    assert.equal(reads.length, 2);
    assert.match(reads[1] ?? "", /"role".*"content":"[a-z]+".*"length".*\[DONE\]\n\n\r\n0\r\n\r\n$/s);
    queued.close();
  });
});

test("continuous usage and token ids account for every token of the stream", async () => {
  await withSimulator({}, async (_, client) => {
    const stream_options = { include_usage: true, continuous_usage_stats: true };
    client.post(CHAT, chat({ max_tokens: 5, stream_options, return_token_ids: true }));
    const events = (await client.answer()).chunks.slice(0, -1).map((event) => JSON.parse(payload(event)));
    assert.deepEqual(
      events.map((event) => event.usage.completion_tokens),
      [0, 1, 2, 3, 4, 5, 5],
    );
    assert.equal(events[0].prompt_token_ids.length, 13);
    const ids = events.slice(1, -1).flatMap((event) => event.choices[0].token_ids);
    assert.equal(ids.length, 5);
    client.post("/tokenize", {
      prompt: events.map((event) => event.choices[0]?.delta.content ?? "").join(""),
    });
    assert.deepEqual(JSON.parse((await client.answer()).body).tokens, ids);
  });
});

test("an answer in one piece carries the text and the usage of the same request streamed", async () => {
  await withSimulator({ promptTokensDetails: true }, async (_, client) => {
    for (const path of [CHAT, "/v1/completions"]) {
      const body = { ...chat({ max_tokens: 7 }), prompt: "red sky at night" };
      client.post(path, body, { "X-Request-Id": "same" });
      const streamed = (await client.answer()).chunks.slice(0, -1).map((event) => JSON.parse(payload(event)));
      client.post(path, { ...body, stream: false }, { "X-Request-Id": "same" });
      const { status, headers, body: text } = await client.answer();
      const whole = JSON.parse(text);
      assert.deepEqual([status, headers.get("content-type")], [200, "application/json"]);
      const pieces = streamed.map(({ choices: [choice] }) => choice.delta?.content ?? choice.text ?? "");
      assert.equal(whole.choices[0].message?.content ?? whole.choices[0].text, pieces.join(""));
      assert.equal(whole.choices[0].finish_reason, "length");
      assert.equal(whole.usage.completion_tokens, 7);
      assert.deepEqual(whole.usage.prompt_tokens_details, { cached_tokens: 0 });
    }
  });
});

test("an answer that may stop ends with an empty delta, and the end-of-sequence token counts", async () => {
  await withSimulator({ naturalStopMedian: 6, naturalStopSigma: 0 }, async (_, client) => {
    const stream_options = { include_usage: true };
    client.post(CHAT, chat({ max_tokens: 50, ignore_eos: false, stream_options }));
    const events = (await client.answer()).chunks.slice(0, -1).map((event) => JSON.parse(payload(event)));
    const finish = events.at(-2);
    assert.deepEqual([finish.choices[0].delta, finish.choices[0].finish_reason], [{ content: "" }, "stop"]);
    assert.equal(events.at(-1).usage.completion_tokens, 6);
    client.post(CHAT, chat({ max_tokens: 50, min_tokens: 20, ignore_eos: false, stream: false }));
    assert.equal(JSON.parse((await client.answer()).body).usage.completion_tokens, 21);
  });
});

test("a stream interval holds tokens back, but neither the first nor the last", async () => {
  await withSimulator({ streamInterval: 4, multiByteText: true }, async (_, client) => {
    client.post(CHAT, chat({ max_tokens: 11, return_token_ids: true }));
    const events = (await client.answer()).chunks.slice(1, -1).map((event) => JSON.parse(payload(event)));
    assert.deepEqual(
      events.map((event) => event.choices[0].token_ids.length),
      [1, 4, 4, 2],
    );
  });
});

test("an idle connection is closed without a word", async () => {
  await withSimulator({ keepAliveMs: 30 }, async (_, client) => {
    client.post(CHAT, chat());
    await client.answer();
    assert.equal(await client.closed, "end");
    assert.equal(client.received, "");
  });
});

test("pipelined requests are answered in order on one connection", async () => {
  await withSimulator({}, async (_, client) => {
    client.post(CHAT, chat({ max_tokens: 3 }), { "X-Request-Id": "one" });
    client.post(CHAT, chat({ max_tokens: 1 }), { "X-Request-Id": "two" });
    client.send("GET /version HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert.match((await client.answer()).chunks[0] ?? "", /chatcmpl-one/);
    assert.match((await client.answer()).chunks[0] ?? "", /chatcmpl-two/);
    assert.equal((await client.answer()).body, '{"version":"0.14.1"}');
    assert.equal(await client.closed, "end");
  });
});

test("a client that leaves takes its request out of the engine", async () => {
  await withSimulator({ decodeStepMs: [[1, 20]] }, async (simulator, client) => {
    const other = await RawClient.open(simulator.port);
    other.post(CHAT, chat({ max_tokens: 30_000 }));
    await other.until('"content":" ');
    other.close();
    // The next token of a later request proves that a step has passed since.
    client.post(CHAT, chat({ max_tokens: 3 }));
    await client.answer();
    const { running, waiting, open, kvCacheUsage } = simulator.stats();
    assert.deepEqual(
      { running, waiting, open, kvCacheUsage },
      { running: 0, waiting: 0, open: 0, kvCacheUsage: 0 },
    );
    client.send("GET /metrics HTTP/1.1\r\n\r\n");
    const page = (await client.answer()).body;
    assert.equal(metric(page, "vllm:time_to_first_token_seconds_count"), 2);
    assert.equal(metric(page, "vllm:e2e_request_latency_seconds_count"), 1);
    assert.equal(metric(page, "vllm:request_success_total", 'finished_reason="length"'), 1);
    assert.equal(metric(page, "vllm:request_success_total", 'finished_reason="abort"'), 0);
    assert.equal(metric(page, "vllm:prompt_tokens_total"), 26);
  });
});

test("a client that does not read gets its tokens merged, and all of them", async () => {
  await withSimulator({ decodeStepMs: [[1, 0.02]], timeScale: 10 }, async (simulator, client) => {
    const maxTokens = 30_000;
    client.socket.pause();
    client.post(CHAT, chat({ max_tokens: maxTokens, return_token_ids: true }));
    while (simulator.stats().generationTokens < maxTokens) await new Promise(setImmediate);
    client.socket.resume();
    const events = (await client.answer()).chunks.slice(1, -1).map((event) => JSON.parse(payload(event)));
    const counts = events.map((event): number => event.choices[0].token_ids.length);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      maxTokens,
    );
    assert.ok(Math.max(...counts) > 1, "nothing was merged");
  });
});

test("a slow front end merges tokens into one event, and every token arrives", async () => {
  await withSimulator({ decodeStepMs: [[1, 2]], frontEndUs: 9000 }, async (_, client) => {
    client.post(CHAT, chat({ max_tokens: 60, return_token_ids: true }));
    const events = (await client.answer()).chunks.slice(1, -1).map((event) => JSON.parse(payload(event)));
    const counts = events.map((event): number => event.choices[0].token_ids.length);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      60,
    );
    assert.ok(Math.max(...counts) >= 3, `events of ${counts}`);
  });
});

test("preemptions, and what they cost, show in /metrics", async () => {
  await withSimulator({ kvBlocks: 12, decodeStepMs: [[1, 1]] }, async (simulator, client) => {
    const other = await RawClient.open(simulator.port);
    for (const one of [client, other]) one.post(CHAT, chat({ max_tokens: 120 }));
    for (const one of [client, other]) assert.match((await one.answer()).body, /"finish_reason":"length"/);
    client.send("GET /metrics HTTP/1.1\r\n\r\n");
    const page = (await client.answer()).body;
    assert.equal(metric(page, "vllm:num_preemptions_total"), simulator.stats().preemptions);
    assert.ok(simulator.stats().preemptions >= 1);
    assert.equal(metric(page, "vllm:generation_tokens_total"), 240);
    assert.equal(metric(page, "vllm:prompt_tokens_total"), 26, "what is computed again is no prompt");
    assert.equal(metric(page, "vllm:kv_cache_usage_perc"), 0);
    other.close();
  });
});

test("the whole surface beside the streams answers as vLLM does", async () => {
  await withSimulator({ maxModelLen: 100 }, async (_, client) => {
    const get = async (path: string) => {
      client.send(`GET ${path} HTTP/1.1\r\n\r\n`);
      return client.answer();
    };
    for (const path of ["/health", "/ping"]) {
      const { status, body } = await get(path);
      assert.deepEqual([status, body], [200, ""]);
    }
    const [model] = JSON.parse((await get("/v1/models")).body).data;
    assert.deepEqual([model.id, model.owned_by, model.max_model_len, model.root], ["m", "vllm", 100, "m"]);
    assert.equal((await get("/nothing")).body, '{"detail":"Not Found"}');
    assert.equal((await get(CHAT)).status, 405);
    client.post("/tokenize", { messages: [{ role: "user", content: "one two" }] });
    const answer = JSON.parse((await client.answer()).body);
    assert.deepEqual([answer.count, answer.max_model_len, answer.token_strs], [11, 100, null]);
  });
});

test("the simulator tells at a path of its own what it simulates and what of it was never measured", async () => {
  await withSimulator(
    { decodeStepMs: undefined, prefillTokensPerS: undefined, hardware: "mi300x" },
    async (_, client) => {
      client.send("GET /simulator HTTP/1.1\r\n\r\n");
      const about = JSON.parse((await client.answer()).body);
      assert.deepEqual([about.stepModel, about.hardware.hardware], ["roofline", "AMD Instinct MI300X"]);
      assert.match(about.notes[0], /nothing of it was measured/);
      client.post(CHAT, chat());
      assert.equal((await client.answer()).chunks.length, 4);
    },
  );
});

/** Header of a PNG; the simulator reads no further. */
function pngUrl(width: number, height: number): string {
  const head = Buffer.alloc(33);
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]).copy(head);
  head.write("IHDR", 12, "latin1");
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return `data:image/png;base64,${head.toString("base64")}`;
}

test("a profile tells which published rows its step times were fitted to, unless they were given by hand", async () => {
  const about = async (client: RawClient) => {
    client.send("GET /simulator HTTP/1.1\r\n\r\n");
    return JSON.parse((await client.answer()).body);
  };
  const ofProfile = { decodeStepMs: undefined, profile: "kimi-k2.5" } as const;
  await withSimulator(ofProfile, async (_, client) => {
    const { provenance, notes } = await about(client);
    assert.deepEqual(provenance.calibratedBy, ["multirun-kimi-k2.5"]);
    assert.match(notes.join("\n"), /0\.14\.1 did not run Kimi-K2\.5/);
  });
  await withSimulator({}, async (_, client) => assert.equal((await about(client)).provenance, undefined));
});

test("images count as prompt tokens, by the model's rule for their size, and cost the encoder's time once", async () => {
  const options: SimulatorOptions = { profile: "qwen3-vl-235b", imagesPerPrompt: 2, timeScale: 100 };
  await withSimulator(options, async (_, client) => {
    const text = { type: "text", text: "what is this" };
    const image = (width: number, height: number) => ({
      type: "image_url",
      image_url: { url: pngUrl(width, height) },
    });
    const promptTokens = async (content: unknown[]) => {
      client.post(CHAT, chat({ messages: [{ role: "user", content }], stream: false }));
      const { status, body } = await client.answer();
      assert.equal(status, 200, body);
      return JSON.parse(body).usage.prompt_tokens;
    };
    const plain = await promptTokens([text]);
    assert.equal(await promptTokens([image(1920, 1080), text]), plain + 2040 + 2);
    assert.equal(await promptTokens([image(224, 224), text, image(3840, 2160)]), plain + 64 + 8160 + 4);
    client.post(CHAT, chat({ messages: [{ role: "user", content: [1, 2, 3].map(() => image(64, 64)) }] }));
    const { error } = JSON.parse((await client.answer()).body);
    assert.deepEqual([error.type, error.code], ["BadRequestError", 400]);
    assert.equal(error.message, "At most 2 image(s) may be provided in one prompt.");
  });
});

test("wrong requests get vLLM's errors, and the connection lives on", async () => {
  const cases: [string, Record<string, unknown>, number, string, RegExp][] = [
    ["unknown model", { model: "x" }, 404, "NotFoundError", /^The model `x` does not exist\.$/],
    ["no messages", { messages: [] }, 400, "Bad Request", /messages/],
    ["too many tokens", { max_tokens: 200 }, 400, "BadRequestError", /^'max_tokens' or/],
    [
      "too long a prompt",
      { messages: [{ role: "user", content: "a ".repeat(200) }] },
      400,
      "BadRequestError",
      /^This model's maximum context length is 100 tokens/,
    ],
    ["no tokens", { max_tokens: 0 }, 400, "Bad Request", /max_tokens/],
    ["a wrong type", { stream: "yes" }, 400, "Bad Request", /stream/],
    ["options without a stream", { stream: false, stream_options: {} }, 400, "Bad Request", /stream=True/],
    ["min over max", { min_tokens: 3 }, 400, "Bad Request", /min_tokens/],
    ["two answers", { n: 2 }, 400, "Bad Request", /one answer/],
    [
      "an image",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:," } }] }] },
      400,
      "BadRequestError",
      /multimodal/,
    ],
  ];
  await withSimulator({ maxModelLen: 100 }, async (simulator, client) => {
    for (const [name, changes, status, type, message] of cases) {
      client.post(CHAT, chat(changes));
      const answer = await client.answer();
      const { error } = JSON.parse(answer.body);
      assert.deepEqual([answer.status, error.type, error.code], [status, type, status], name);
      assert.match(error.message, message, name);
    }
    client.send(`POST ${CHAT} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{`);
    assert.equal((await client.answer()).status, 400);
    client.send(`POST ${CHAT} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}`);
    assert.match((await client.answer()).body, /Unsupported Media Type/);
    const depth = 1_000_000;
    const json = `{"messages":[{"role":"user","x":${"[".repeat(depth)}${"]".repeat(depth)}}]}`;
    const type = "Content-Type: application/json";
    client.send(`POST ${CHAT} HTTP/1.1\r\n${type}\r\nContent-Length: ${json.length}\r\n\r\n${json}`);
    assert.match(String((await client.answer()).status), /^(400|500)$/);
    assert.equal(simulator.stats().open, 0);
    client.send("nonsense\r\n\r\n");
    assert.equal((await client.answer()).status, 400);
    assert.equal(await client.closed, "end");
  });
});

test("an API key guards /v1 and nothing else", async () => {
  await withSimulator({ apiKey: "secret" }, async (_, client) => {
    client.post(CHAT, chat());
    const answer = await client.answer();
    assert.deepEqual([answer.status, answer.body], [401, '{"error":"Unauthorized"}']);
    client.post(CHAT, chat(), { Authorization: "Bearer secret" });
    assert.equal((await client.answer()).status, 200);
    client.send("GET /health HTTP/1.1\r\n\r\n");
    assert.equal((await client.answer()).status, 200);
  });
});
