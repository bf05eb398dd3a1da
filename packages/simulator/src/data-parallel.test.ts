import assert from "node:assert/strict";
import { test } from "node:test";
import { startSimulator } from "./simulator.js";
import { metric, RawClient } from "./testing/raw-client.js";

const RUNNING = "vllm:num_requests_running";

function chat(content: string, maxTokens: number) {
  return {
    model: "m",
    messages: [{ role: "user", content }],
    stream: true,
    max_tokens: maxTokens,
    ignore_eos: true,
  };
}

test("requests go to the least loaded of several engines, and /metrics has a line for each", async () => {
  const simulator = await startSimulator({
    model: "m",
    decodeStepMs: [[1, 5]],
    maxNumSeqs: 2,
    dataParallelSize: 3,
  });
  const clients: RawClient[] = [];
  try {
    for (let i = 0; i < 7; i += 1) {
      const client = await RawClient.open(simulator.port);
      clients.push(client);
      client.post("/v1/chat/completions", chat(`prompt ${i}`, 20_000));
      // One after the other, so that each is placed with the one before it in mind; two fit into each engine.
      const isPlaced = () => (i < 6 ? simulator.stats().running > i : simulator.stats().waiting === 1);
      while (!isPlaced()) await new Promise(setImmediate);
    }
    await clients[0]?.until('"content":" ');
    assert.deepEqual(
      [simulator.stats().running, simulator.stats().waiting],
      [6, 1],
      "two fit into each engine",
    );
    const scraper = await RawClient.open(simulator.port);
    clients.push(scraper);
    scraper.send("GET /metrics HTTP/1.1\r\n\r\n");
    const { body } = await scraper.answer();
    const running = ["0", "1", "2"].map((engine) => metric(body, RUNNING, `engine="${engine}"`));
    assert.deepEqual(running, [2, 2, 2]);
    assert.equal(body.split(`# TYPE ${RUNNING} gauge`).length, 2, "a family is announced once");
    const blocks = body.match(/^vllm:cache_config_info\{.*engine="\d"/gm);
    assert.equal(blocks?.length, 3);
  } finally {
    for (const client of clients) client.close();
    await simulator.close();
  }
});

test("engines cache prefixes apart, as processes that share nothing do", async () => {
  const simulator = await startSimulator({
    model: "m",
    decodeStepMs: [[1, 1]],
    blockSize: 1,
    dataParallelSize: 2,
  });
  const client = await RawClient.open(simulator.port);
  const other = await RawClient.open(simulator.port);
  try {
    const ask = async (asker: RawClient, maxTokens: number) => {
      asker.post("/v1/chat/completions", chat("the same words again and again", maxTokens));
      await asker.until('"content":" ');
    };
    await ask(client, 20_000);
    await ask(other, 2);
    assert.equal(simulator.stats().prefixCacheHits, 0, "the second went to the engine that was free");
  } finally {
    client.close();
    other.close();
    await simulator.close();
  }
});
