import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promptDigest } from "./http/api-request.js";
import { monotonicUs } from "./monotonic.js";
import type { SimulatorOptions } from "./options.js";
import { type Simulator, startSimulator } from "./simulator.js";
import { metric, RawClient } from "./testing/raw-client.js";
import { openRequestIntegralUs, parseTruthLog, type TruthLog, tokensWrittenBetween } from "./truth-log.js";

const CHAT = "/v1/chat/completions";
const FAST: SimulatorOptions = { model: "m", decodeStepMs: [[1, 2]], prefillTokensPerS: 1e6 };

/** Runs a simulator with a truth log and hands back what it wrote. */
async function truthOf(
  options: SimulatorOptions,
  body: (simulator: Simulator) => Promise<void>,
): Promise<TruthLog> {
  const directory = mkdtempSync(join(tmpdir(), "truth-"));
  const truthLogFile = join(directory, "truth.jsonl");
  try {
    const simulator = await startSimulator({ ...FAST, ...options, truthLogFile });
    try {
      await body(simulator);
    } finally {
      await simulator.close();
    }
    return parseTruthLog(readFileSync(truthLogFile, "utf8").split("\n"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function messages(words: string) {
  return [{ role: "user", content: words }];
}

test("the truth log has for each write a stamp between request and receipt, and the metrics agree", async () => {
  const seen = new Map<string, { tokens: number; sentUs: number; doneUs: number; words: string }>();
  let page = "";
  const log = await truthOf({}, async (simulator) => {
    const users = Array.from({ length: 5 }, async (_, user) => {
      const client = await RawClient.open(simulator.port);
      for (let j = 0; j < 4; j++) {
        const id = `u${user}-${j}`;
        const tokens = 3 + 5 * user + j;
        const words = `${"the same front of all prompts ".repeat(9)} then ${id}`;
        const sentUs = monotonicUs();
        const body = { messages: messages(words), max_tokens: tokens, ignore_eos: true, stream: j !== 2 };
        client.post(CHAT, body, { "X-Request-Id": id });
        await client.answer();
        seen.set(id, { tokens, sentUs, doneUs: monotonicUs(), words });
      }
      client.close();
    });
    await Promise.all(users);
    const scraper = await RawClient.open(simulator.port);
    scraper.send("GET /metrics HTTP/1.1\r\n\r\n");
    page = (await scraper.answer()).body;
    scraper.close();
  });
  assert.equal(log.requests.length, 20);
  for (const request of log.requests) {
    const client = seen.get(request.id);
    assert.ok(client !== undefined, request.id);
    const { receivedUs, headersUs, firstTokenUs, writesUs, endUs, closedUs } = request;
    const stamps = request.stream
      ? [client.sentUs, receivedUs, headersUs, firstTokenUs, ...writesUs, endUs, closedUs, client.doneUs]
      : [client.sentUs, receivedUs, firstTokenUs, headersUs, ...writesUs, endUs, closedUs, client.doneUs];
    assert.deepEqual(
      stamps,
      stamps.toSorted((a, b) => (a ?? 0) - (b ?? 0)),
      request.id,
    );
    assert.equal(request.outputTokens, client.tokens);
    assert.equal(
      request.writeTokens.reduce((sum, n) => sum + n, 0),
      client.tokens,
    );
    assert.equal(request.promptDigest, promptDigest(JSON.stringify(messages(client.words))));
    assert.equal(request.finishReason, "length");
  }
  const sum = (of: (request: TruthLog["requests"][number]) => number): number =>
    log.requests.reduce((total, request) => total + of(request), 0);
  const generated = sum((request) => request.outputTokens);
  const prompt = sum((request) => request.promptTokens);
  assert.equal(metric(page, "vllm:generation_tokens_total"), generated);
  assert.ok(sum((request) => request.cachedTokens) > 0, "no prompt found its front in the cache");
  assert.equal(metric(page, "vllm:prompt_tokens_total"), prompt);
  assert.equal(metric(page, "vllm:prefix_cache_queries_total"), prompt);
  assert.equal(
    metric(page, "vllm:prefix_cache_hits_total"),
    sum((request) => request.cachedTokens),
  );
  assert.equal(metric(page, "vllm:request_success_total", 'finished_reason="length"'), 20);
  assert.equal(metric(page, "vllm:time_to_first_token_seconds_count"), 20);
  assert.equal(metric(page, "vllm:inter_token_latency_seconds_count"), generated - 20);
  assert.equal(metric(page, "vllm:request_generation_tokens_sum"), generated);
  assert.equal(metric(page, "vllm:e2e_request_latency_seconds_bucket", 'le="+Inf"'), 20);
  const everUs = Number.MAX_SAFE_INTEGER;
  assert.equal(tokensWrittenBetween(log, 0, everUs), generated);
  assert.equal(
    openRequestIntegralUs(log, 0, everUs),
    sum((request) => request.endUs - request.receivedUs),
  );
  assert.equal(log.open.at(-1)?.integralUs, openRequestIntegralUs(log, 0, everUs));
  assert.equal(log.open.at(-1)?.open, 0);
});

test("the truth log names refusals and those who left", async () => {
  const log = await truthOf({ decodeStepMs: [[1, 20]] }, async (simulator) => {
    const client = await RawClient.open(simulator.port);
    client.post(CHAT, { messages: messages("a"), model: "x" }, { "X-Request-Id": "refused" });
    await client.answer();
    client.post(CHAT, { messages: messages("a"), stream: true }, { "X-Request-Id": "left" });
    await client.until('"content":" ');
    client.close();
    const other = await RawClient.open(simulator.port);
    const body = { prompt: "a b", stream: true, max_tokens: 2, ignore_eos: true, request_id: "of-the-body" };
    other.post("/v1/completions", body);
    await other.answer();
    other.post(CHAT, { messages: messages("b"), stream: true }, { "X-Request-Id": "cut" });
    await other.until('"content":" ');
  });
  const [rejection] = log.rejections;
  assert.deepEqual([rejection?.id, rejection?.status, rejection?.reason], ["refused", 404, "NotFoundError"]);
  assert.deepEqual(
    log.requests.map((request) => [request.id, request.finishReason, request.endpoint]),
    [
      ["left", "abort", "chat"],
      ["of-the-body", "length", "completions"],
      ["cut", "abort", "chat"],
    ],
  );
  const left = log.requests[0];
  assert.ok(left !== undefined && left.writesUs.length >= 2 && left.outputTokens >= left.writesUs.length);
  assert.equal(log.open.at(-1)?.integralUs, openRequestIntegralUs(log, 0, Number.MAX_SAFE_INTEGER));
});

test("every fault does on the wire what its name says, and is named in the truth log", async () => {
  const cases: [string, number, string | RegExp, string][] = [
    ["http-500", 500, /"type":"InternalServerError"/, "done"],
    ["http-429", 429, /"code":429/, "done"],
    ["not-sse", 200, /^\{"error":/, "done"],
    ["error-event:2", 200, /data: \{"error":\{.*"code":500\}\}\n\ndata: \[DONE\]\n\n$/, "done"],
    ["no-finish:2", 200, /"finish_reason":null,"token_ids":null\}\]\}\n\ndata: \[DONE\]\n\n$/, "done"],
    ["garbage:2", 200, /\n\ndata: \{"id":"chatcmpl-broken","choices":\[\{\n\n.*"length"/s, "done"],
    ["slow-headers:30", 200, /"length"/, "done"],
    ["reset:2", 200, "", "reset"],
    ["close:2", 200, "", "end"],
  ];
  const log = await truthOf({}, async (simulator) => {
    for (const [fault, status, pattern, ending] of cases) {
      const client = await RawClient.open(simulator.port);
      const body = { messages: messages("a"), stream: true, max_tokens: 5, ignore_eos: true };
      client.post(CHAT, body, { "X-Sim-Fault": fault, "X-Request-Id": fault });
      if (ending === "done") {
        const answer = await client.answer();
        assert.equal(answer.status, status, fault);
        assert.match(answer.body, pattern as RegExp, fault);
      } else {
        const seen = await client.closed;
        // libuv tells a reset that comes together with bytes as an end.
        if (ending === "end") assert.equal(seen, ending, fault);
        // A reset may overtake bytes that the test has not read; the truth log says what was written.
        if (ending === "end") assert.equal(client.received.match(/"content":"[^"]/g)?.length, 2, fault);
        assert.ok(!client.received.includes("[DONE]"), fault);
      }
      client.close();
    }
    const stalled = await RawClient.open(simulator.port);
    const body = { messages: messages("a"), stream: true, max_tokens: 5, ignore_eos: true };
    stalled.post(CHAT, body, { "X-Sim-Fault": "stall:3" });
    const wanted = simulator.stats().generationTokens + 5;
    while (simulator.stats().generationTokens < wanted) await new Promise(setImmediate);
    assert.equal(simulator.stats().open, 1, "all tokens are generated, yet the answer is not over");
    stalled.close();
    while (simulator.stats().open > 0) await new Promise(setImmediate);
  });
  const named = [...log.rejections, ...log.requests].map((line) => line.fault);
  const wanted = [...cases.map(([fault]) => fault.split(":")[0]), "stall"];
  assert.deepEqual(new Set(named), new Set(wanted));
  assert.equal(log.requests.find((request) => request.fault === "stall")?.writesUs.length, 3);
  assert.equal(log.requests.find((request) => request.fault === "garbage")?.finishReason, "length");
  const reset = log.requests.find((request) => request.fault === "reset");
  assert.deepEqual([reset?.finishReason, reset?.writesUs.length], ["error", 2]);
});

test("images of a prompt are told with their tokens, and a prompt without any says nothing of them", async () => {
  const log = await truthOf({ profile: "kimi-k2.5", prefillTokensPerS: 1e6 }, async (simulator) => {
    const client = await RawClient.open(simulator.port);
    const image = { type: "image_url", image_url: { url: "https://h/x.png" } };
    for (const content of [[image, image], "text"]) {
      client.post(CHAT, { messages: [{ role: "user", content }], max_tokens: 1, ignore_eos: true });
      await client.answer();
    }
    client.close();
  });
  assert.deepEqual(
    log.requests.map(({ images, imageTokens }) => [images, imageTokens]),
    [
      [2, 2120],
      [undefined, undefined],
    ],
  );
});

test("faults by rate hit about their share of requests", async () => {
  const log = await truthOf(
    { seed: 7, faults: { "http-500": 0.25, "no-finish": 0.25 } },
    async (simulator) => {
      const client = await RawClient.open(simulator.port);
      for (let i = 0; i < 200; i++) {
        client.post(CHAT, { messages: messages("a"), stream: true, max_tokens: 1, ignore_eos: true });
        await client.answer();
      }
      client.close();
    },
  );
  const faulty = log.requests.filter((request) => request.fault === "no-finish").length;
  for (const count of [log.rejections.length, faulty])
    assert.ok(count > 30 && count < 70, `seed 7: ${count}`);
});

test("a truth log that does not fit is refused by line", () => {
  const header = '{"version":1,"monotonicUs":1,"epochUs":2,"config":{}}';
  const cases: [string[], RegExp][] = [
    [[], /empty/],
    [['{"version":2}'], /line 1: expected version 1/],
    [[header, '{"kind":"open","tUs":1'], /line 2: not JSON/],
    [[header, '{"kind":"open","tUs":1.5,"open":0,"integralUs":0}'], /line 2: expected an integer tUs/],
  ];
  for (const [lines, message] of cases) assert.throws(() => parseTruthLog(lines), message);
  assert.equal(parseTruthLog([header, '{"kind":"later"}', ""]).requests.length, 0);
});
