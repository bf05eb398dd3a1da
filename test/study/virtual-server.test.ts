import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualServer, type SimulatorOptions } from "@tokenstorm/simulator";
import { VirtualClock } from "@tokenstorm/testkit";

const encoder = new TextEncoder();
const bodyOf = (more: object): Uint8Array =>
  encoder.encode(JSON.stringify({ prompt: [1, 2, 3, 4], stream: true, ...more }));

/** One server, and when each token of each request came. */
function play(options: SimulatorOptions) {
  const clock = new VirtualClock({ nowUs: 1_000_000 });
  const server = createVirtualServer(options, clock);
  const stamps = new Map<string, number[]>();
  const send = (id: string, more: object, onEnd: () => void = () => undefined) => {
    const own: number[] = [];
    stamps.set(id, own);
    return server.send(id, "completions", bodyOf(more), {
      onToken: (nowUs, _isContent, finish) => {
        own.push(nowUs);
        if (finish !== null) onEnd();
      },
    });
  };
  return { clock, server, stamps, send };
}

test("a lone request gets its tokens after its prompt and one step each", () => {
  const { clock, send, stamps } = play({ decodeStepMs: [[1, 20]], prefillTokensPerS: 1000 });
  const request = send("a", { max_tokens: 3, ignore_eos: true });
  clock.advanceBy(1_000_000);
  assert.deepEqual(stamps.get("a"), [1_024_000, 1_044_000, 1_064_000]);
  assert.deepEqual(request.usage(), { prompt: 4, cachedPrompt: 0, output: 3 });
  assert.equal(clock.pending, 0, "an idle server waits for nothing");
});

test("steps that are no whole microseconds add up exactly", () => {
  const { clock, send, stamps } = play({ decodeStepMs: [[1, 10.0004]], prefillTokensPerS: 1e12 });
  send("a", { max_tokens: 1000, ignore_eos: true });
  clock.advanceBy(20_000_000);
  assert.equal(stamps.get("a")?.at(-1), 1_000_000 + 10_000_400);
});

test("requests of one moment share a step, and an answer that calls for another is in time for the next", () => {
  const { clock, send, stamps } = play({
    decodeStepMs: [
      [1, 10],
      [2, 30],
    ],
    prefillTokensPerS: 1e12,
  });
  send("a", { max_tokens: 1, ignore_eos: true }, () => send("c", { max_tokens: 1, ignore_eos: true }));
  send("b", { max_tokens: 2, ignore_eos: true });
  clock.advanceBy(1_000_000);
  assert.deepEqual(stamps.get("a"), [1_030_000]);
  assert.deepEqual(stamps.get("b"), [1_030_000, 1_060_000]);
  assert.deepEqual(stamps.get("c"), [1_060_000]);
});

test("who leaves hears nothing more, and takes its request out of the engine", () => {
  const { clock, send, stamps, server } = play({ decodeStepMs: [[1, 10]], prefillTokensPerS: 1e12 });
  const request = send("a", { max_tokens: 50, ignore_eos: true });
  clock.advanceBy(25_000);
  request.abort();
  request.abort();
  clock.advanceBy(1_000_000);
  assert.equal(stamps.get("a")?.length, 2);
  assert.equal(server.stats().running, 0);
});

test("/metrics counts what came out, and a wrong body is refused as over HTTP", () => {
  const { clock, send, server } = play({ decodeStepMs: [[1, 10]], outputLengthProfile: "to-limit" });
  send("a", { max_tokens: 7 });
  clock.advanceBy(1_000_000);
  assert.match(server.metricsPage(), /^vllm:generation_tokens_total\{.*\} 7(\.0)?$/m);
  assert.match(server.metricsPage(), /^vllm:num_requests_running\{.*\} 0(\.0)?$/m);
  assert.throws(() => send("b", { max_tokens: -1 }), /max_tokens/);
});
