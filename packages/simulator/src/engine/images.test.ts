import assert from "node:assert/strict";
import { test } from "node:test";
import { uniformAt } from "../random.js";
import { EncoderCache } from "./encoder-cache.js";
import { createEngine, type EngineConfig } from "./engine.js";
import { runInVirtualTime, type VirtualEvent } from "./virtual-run.js";

const CONFIG: EngineConfig = {
  decodeStepMs: [[1, 10]],
  prefillTokensPerS: 100_000,
  encoderTokensPerS: 50_000,
  timeScale: 1,
  maxNumSeqs: 64,
  maxNumBatchedTokens: 8192,
  blockSize: 16,
  kvBlocks: 100_000,
  prefixCache: true,
  vocabulary: [5000],
  eosToken: 10,
};

/** A prompt of text, then one image, then text; the image's tokens follow from its hash. */
function request(id: number, image: { hash: number; tokens: number }, text = id) {
  const words = Array.from({ length: 32 }, (_, i) => text * 1000 + i);
  const promptTokens = [
    ...words,
    ...Array.from({ length: image.tokens }, (_, i) => image.hash * 1e6 + i),
    1,
    2,
  ];
  return { id, promptTokens, images: [{ ...image, start: 32 }], maxTokens: 2 };
}

function arrival(atUs: number, one: ReturnType<typeof request>): VirtualEvent {
  return { kind: "arrival", atUs, request: one };
}

function encoded(config: Partial<EngineConfig>, events: readonly VirtualEvent[]) {
  const run = runInVirtualTime(createEngine({ ...CONFIG, ...config }), events);
  return { run, perStep: run.steps.map(({ plan }) => plan.encoderTokens) };
}

test("an image passes through the vision tower in the step that computes its tokens, and takes its time there", () => {
  const { run, perStep } = encoded({}, [arrival(0, request(1, { hash: 7, tokens: 1000 }))]);
  assert.deepEqual(perStep, [1000, 0]);
  // By hand: 1,034 prompt tokens at 100,000/s, 1,000 image tokens at 50,000/s, one step of 10 ms.
  assert.deepEqual(run.tokenTimesUs.get(1), [10_340 + 20_000 + 10_000, 50_340]);
});

test("an image that was encoded is not encoded again, whether the prefix cache has its tokens or not", () => {
  const same = { hash: 7, tokens: 1000 };
  const otherText = encoded({}, [arrival(0, request(1, same)), arrival(100_000, request(2, same))]);
  assert.deepEqual(otherText.perStep, [1000, 0, 0, 0]);
  assert.equal(
    otherText.run.steps[2]?.plan.prefillTokens,
    1034,
    "text before it differs, so its KV is computed",
  );
  const samePrompt = encoded({}, [arrival(0, request(1, same)), arrival(100_000, request(2, same, 1))]);
  assert.deepEqual(samePrompt.perStep, [1000, 0, 0, 0]);
  assert.ok((samePrompt.run.steps[2]?.plan.prefillTokens ?? 0) < 16);
  const other = encoded({}, [
    arrival(0, request(1, same)),
    arrival(100_000, request(2, { hash: 8, tokens: 1000 })),
  ]);
  assert.deepEqual(other.perStep, [1000, 0, 1000, 0]);
});

test("an image that was encoded once, twice in one prompt, is encoded once", () => {
  const image = { hash: 7, tokens: 100 };
  const twice = {
    ...request(1, image),
    images: [image, image].map((one, i) => ({ ...one, start: 10 + 100 * i })),
  };
  assert.equal(encoded({}, [arrival(0, twice)]).perStep[0], 100);
});

test("a long image is chunked to the budget of tokens, and encoded with its first chunk", () => {
  const { run, perStep } = encoded({ maxNumBatchedTokens: 512 }, [
    arrival(0, request(1, { hash: 7, tokens: 1000 })),
  ]);
  assert.deepEqual(perStep, [1000, 0, 0, 0]);
  assert.deepEqual(
    run.steps.map(({ plan }) => plan.prefillTokens),
    [512, 512, 10, 0],
  );
});

test("images beyond what the encoder may do in a step wait, and the tokens before them go first", () => {
  // The budget and the cache hold 16,384 tokens: two of the three images.
  const events = [1, 2, 3].map((id) => arrival(0, request(id, { hash: id, tokens: 8000 })));
  const { run, perStep } = encoded({ maxNumBatchedTokens: 100_000 }, events);
  assert.equal(
    perStep.reduce((sum, tokens) => sum + tokens, 0),
    24_000,
  );
  for (const tokens of perStep) assert.ok(tokens <= 100_000);
  const small = encoded({ maxNumBatchedTokens: 8192 }, events);
  for (const tokens of small.perStep) assert.ok(tokens <= 16_384, String(tokens));
  assert.equal(run.outputs.size, 3);
  assert.equal(small.run.outputs.size, 3);
});

test("a preempted or aborted request lets go of its images", () => {
  const engine = createEngine({ ...CONFIG, maxNumBatchedTokens: 512 });
  const run = runInVirtualTime(engine, [
    arrival(0, request(1, { hash: 1, tokens: 16_000 })),
    { kind: "abort", atUs: 1000, id: 1 },
    arrival(2000, request(2, { hash: 2, tokens: 16_000 })),
  ]);
  assert.equal(run.outputs.get(2)?.length, 2, "the second found room in the encoder cache");
});

test("any mix of images, sizes and aborts comes to its end, with no more held than fits", () => {
  const seed = 20_260_807;
  const events: VirtualEvent[] = [];
  for (let id = 1; id <= 200; id++) {
    const hash = 1 + Math.floor(uniformAt(seed, 3 * id) * 40);
    const tokens = 64 + ((hash * 977) % 6000);
    const atUs = Math.round(uniformAt(seed, 3 * id + 1) * 2e6);
    events.push(arrival(atUs, { ...request(id, { hash, tokens }), maxTokens: 500 }));
    if (uniformAt(seed, 3 * id + 2) < 0.2) events.push({ kind: "abort", atUs: atUs + 50_000, id });
  }
  const engine = createEngine({ ...CONFIG, maxNumBatchedTokens: 2048, kvBlocks: 1500 });
  const run = runInVirtualTime(engine, events);
  assert.deepEqual([engine.stats().running, engine.stats().waiting], [0, 0], `seed ${seed}`);
  assert.equal(engine.stats().freeBlocks, 1500);
  for (const { plan } of run.steps) assert.ok(plan.encoderTokens <= 16_384);
  assert.ok(engine.stats().preemptions > 0, "the mix was meant to preempt");
});

test("what two hold is held until both have let go", () => {
  const cache = new EncoderCache(100);
  const image = { hash: 1, start: 0, tokens: 80 };
  cache.hold(image);
  cache.hold(image);
  cache.letGo(1);
  assert.deepEqual([cache.isHeld(1), cache.hasRoom(80, 0)], [true, false]);
  cache.letGo(1);
  assert.deepEqual([cache.isHeld(1), cache.has(1), cache.hasRoom(80, 0)], [false, true, true]);
});

test("the cache evicts what nobody holds, the oldest first, and never what is held", () => {
  const cache = new EncoderCache(100);
  const image = (hash: number) => ({ hash, start: 0, tokens: 40 });
  for (const hash of [1, 2]) cache.hold(image(hash));
  assert.equal(cache.hasRoom(40, 0), false);
  cache.letGo(1);
  cache.letGo(2);
  cache.hold(image(1));
  assert.equal(cache.hasRoom(40, 0), true);
  cache.hold(image(3));
  assert.deepEqual(
    [1, 2, 3].map((hash) => cache.has(hash)),
    [true, false, true],
  );
});
