import assert from "node:assert/strict";
import { test } from "node:test";
import { createEngine, type EngineConfig } from "./engine.js";
import type { EngineRequest } from "./sequence.js";
import { runInVirtualTime, type VirtualEvent } from "./virtual-run.js";

const CONFIG: EngineConfig = {
  decodeStepMs: [
    [1, 10],
    [2, 12],
    [4, 20],
  ],
  prefillTokensPerS: 10_000,
  timeScale: 1,
  maxNumSeqs: 1024,
  maxNumBatchedTokens: 8192,
  blockSize: 16,
  kvBlocks: 10_000,
  prefixCache: true,
  vocabulary: Array.from({ length: 1000 }, (_, i) => 5000 + i),
  eosToken: 10,
};

function engineWith(changes: Partial<EngineConfig> = {}) {
  return createEngine({ ...CONFIG, ...changes });
}

/** A prompt that shares no block with that of another `start`. */
function prompt(length: number, start = 0): number[] {
  return Array.from({ length }, (_, i) => start * 1_000_003 + i);
}

function arrival(
  atUs: number,
  request: Partial<EngineRequest> & { id: number; promptTokens: number[] },
): VirtualEvent {
  return { kind: "arrival", atUs, request: { maxTokens: 3, ...request } };
}

test("a lone request gets its tokens after prefill plus one step each, at exact times", () => {
  const run = runInVirtualTime(engineWith(), [arrival(500, { id: 1, promptTokens: prompt(100) })]);
  assert.deepEqual(run.tokenTimesUs.get(1), [20_500, 30_500, 40_500]);
  assert.deepEqual(
    run.outputs.get(1)?.map((output) => output.finish),
    [null, null, "length"],
  );
});

test("a step is as long as the table says for the sequences that get a token in it", () => {
  const events = [1, 2, 3].map((id) => arrival(0, { id, promptTokens: prompt(10, id) }));
  const run = runInVirtualTime(engineWith(), events);
  // Three sequences: half way between 12 ms for two and 20 ms for four; and 30 prompt tokens in the first step.
  assert.deepEqual(run.tokenTimesUs.get(3), [19_000, 35_000, 51_000]);
});

test("a time scale of ten makes every time a tenth", () => {
  const run = runInVirtualTime(engineWith({ timeScale: 10 }), [
    arrival(0, { id: 1, promptTokens: prompt(100) }),
  ]);
  assert.deepEqual(run.tokenTimesUs.get(1), [2000, 3000, 4000]);
});

test("a long prompt is chunked to the budget, and unfinished chunks yield no token", () => {
  const run = runInVirtualTime(engineWith({ maxNumBatchedTokens: 64 }), [
    arrival(0, { id: 1, promptTokens: prompt(160), maxTokens: 1 }),
  ]);
  assert.deepEqual(
    run.steps.map((step) => step.plan.prefillTokens),
    [64, 64, 32],
  );
  assert.deepEqual(run.tokenTimesUs.get(1), [6400 + 6400 + 3200 + 10_000]);
});

test("running requests come before prompts in the budget", () => {
  const run = runInVirtualTime(engineWith({ maxNumBatchedTokens: 64 }), [
    arrival(0, { id: 1, promptTokens: prompt(10), maxTokens: 4 }),
    arrival(1, { id: 2, promptTokens: prompt(100, 2), maxTokens: 1 }),
  ]);
  assert.deepEqual(
    run.steps.map((step) => [step.plan.sampled, step.plan.prefillTokens, step.plan.scheduledTokens]),
    [
      [1, 10, 10],
      [1, 63, 64],
      [2, 37, 38],
      [1, 0, 1],
    ],
  );
});

test("requests beyond max_num_seqs wait for a place, in the order they came", () => {
  const events = [1, 2, 3].map((id) => arrival(0, { id, promptTokens: prompt(16, id), maxTokens: 2 }));
  const run = runInVirtualTime(engineWith({ maxNumSeqs: 1 }), events);
  const firsts = [1, 2, 3].map((id) => run.tokenTimesUs.get(id)?.[0]);
  assert.deepEqual(firsts, [11_600, 11_600 + 21_600, 11_600 + 43_200]);
});

test("without a free block the last request is preempted, recomputed, and still gives each token once", () => {
  const engine = engineWith({ kvBlocks: 4, prefixCache: false });
  const run = runInVirtualTime(engine, [
    arrival(0, { id: 1, promptTokens: prompt(30), maxTokens: 20 }),
    arrival(0, { id: 2, promptTokens: prompt(30, 2), maxTokens: 20 }),
  ]);
  assert.equal(engine.stats().preemptions, 1);
  for (const id of [1, 2]) {
    assert.deepEqual(
      run.outputs.get(id)?.map((output) => output.ordinal),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  }
  // 30 prompt tokens and the three tokens it had when the third block was wanted are computed again.
  const recomputed = run.steps.slice(1).filter((step) => step.plan.prefillTokens > 0);
  assert.deepEqual(
    recomputed.map((step) => step.plan.prefillTokens),
    [33],
  );
  assert.equal(engine.stats().freeBlocks, 4);
});

test("a step with a preemption lets nobody in, not even a chunk that would fit", () => {
  const engine = engineWith({ kvBlocks: 4, prefixCache: false, maxNumBatchedTokens: 16 });
  const run = runInVirtualTime(engine, [
    arrival(0, { id: 1, promptTokens: prompt(30), maxTokens: 20 }),
    arrival(0, { id: 2, promptTokens: prompt(30, 2), maxTokens: 20 }),
  ]);
  const preempting = run.steps.find((step) => step.plan.preempted > 0);
  assert.deepEqual([preempting?.plan.scheduledTokens, preempting?.plan.prefillTokens], [1, 0]);
});

test("a preempted request goes on before those who waited already", () => {
  const engine = engineWith({ kvBlocks: 4, prefixCache: false });
  const run = runInVirtualTime(engine, [
    arrival(0, { id: 1, promptTokens: prompt(30), maxTokens: 20 }),
    arrival(0, { id: 2, promptTokens: prompt(30, 2), maxTokens: 20 }),
    arrival(1, { id: 3, promptTokens: prompt(30, 3), maxTokens: 20 }),
  ]);
  assert.equal(engine.stats().preemptions, 1);
  const lastOfPreempted = run.tokenTimesUs.get(2)?.at(-1) ?? 0;
  assert.ok((run.tokenTimesUs.get(3)?.[0] ?? 0) > lastOfPreempted);
});

test("an equal prompt finds all full blocks but never its last token", () => {
  const cases = [
    { length: 100, cached: 96 },
    { length: 97, cached: 96 },
    { length: 96, cached: 80 },
    { length: 16, cached: 0 },
  ];
  for (const { length, cached } of cases) {
    const engine = engineWith();
    const run = runInVirtualTime(engine, [
      arrival(0, { id: 1, promptTokens: prompt(length) }),
      arrival(1, { id: 2, promptTokens: prompt(length) }),
    ]);
    const admitted = run.steps.flatMap((step) => step.plan.admitted);
    assert.deepEqual(
      admitted,
      [
        { id: 1, cachedTokens: 0 },
        { id: 2, cachedTokens: cached },
      ],
      `prompt of ${length}`,
    );
    assert.equal(engine.stats().prefixCacheQueries, 2 * length);
    assert.equal(engine.stats().prefixCacheHits, cached);
  }
});

test("a prefix is shared up to the first block that differs, and only under the same salt", () => {
  const changed = prompt(100).map((token, i) => (i === 40 ? -1 : token));
  const run = runInVirtualTime(engineWith(), [
    arrival(0, { id: 1, promptTokens: prompt(100), cacheSalt: "a" }),
    arrival(1, { id: 2, promptTokens: changed, cacheSalt: "a" }),
    arrival(2, { id: 3, promptTokens: prompt(100), cacheSalt: "b" }),
    arrival(3, { id: 4, promptTokens: prompt(100) }),
  ]);
  const cached = run.steps.flatMap((step) => step.plan.admitted).map((admitted) => admitted.cachedTokens);
  assert.deepEqual(cached, [0, 32, 0, 0]);
});

test("a conversation finds its own answer in the cache", () => {
  const engine = engineWith();
  const first = runInVirtualTime(engine, [arrival(0, { id: 1, promptTokens: prompt(32), maxTokens: 33 })]);
  const answer = first.outputs.get(1)?.map((output) => output.token) ?? [];
  const second = runInVirtualTime(engine, [
    arrival(0, { id: 2, promptTokens: [...prompt(32), ...answer, ...prompt(8, 9)] }),
  ]);
  assert.equal(second.steps[0]?.plan.admitted[0]?.cachedTokens, 64);
});

test("of the free blocks those unused for longest are evicted, the end of a prefix before its start", () => {
  const engine = engineWith({ kvBlocks: 8 });
  const cachedOf = (id: number, start: number, length: number): number => {
    const run = runInVirtualTime(engine, [
      arrival(0, { id, promptTokens: prompt(length, start), maxTokens: 1 }),
    ]);
    return run.steps[0]?.plan.admitted[0]?.cachedTokens ?? -1;
  };
  assert.equal(cachedOf(1, 1, 65), 0);
  // Takes the three blocks that were never used, then the unnamed and the last named block of the first.
  assert.equal(cachedOf(2, 2, 80), 0);
  assert.equal(cachedOf(3, 1, 65), 48);
  assert.equal(cachedOf(4, 3, 127), 0);
  assert.equal(cachedOf(5, 1, 65), 0);
});

test("an abort frees blocks at once and takes the token of the step under way with it", () => {
  const engine = engineWith();
  const run = runInVirtualTime(engine, [
    arrival(0, { id: 1, promptTokens: prompt(100), maxTokens: 100 }),
    arrival(0, { id: 2, promptTokens: prompt(100, 2), maxTokens: 2 }),
    { kind: "abort", atUs: 40_000, id: 1 },
    { kind: "abort", atUs: 41_000, id: 1 },
  ]);
  // Steps end at 32 and 44 ms: the second token never comes out.
  assert.deepEqual(run.tokenTimesUs.get(1), [32_000]);
  assert.deepEqual(run.tokenTimesUs.get(2), [32_000, 44_000]);
  assert.equal(engine.stats().freeBlocks, CONFIG.kvBlocks);
  assert.equal(engine.abort(1), false);
});

test("an answer stops at its natural length with the end-of-sequence token", () => {
  const run = runInVirtualTime(engineWith(), [
    arrival(0, { id: 1, promptTokens: prompt(5), maxTokens: 10, stopAfter: 4 }),
    arrival(0, { id: 2, promptTokens: prompt(5, 2), maxTokens: 3, stopAfter: 4 }),
  ]);
  assert.equal(run.outputs.get(1)?.length, 4);
  assert.deepEqual(run.outputs.get(1)?.at(-1), { id: 1, token: 10, word: -1, ordinal: 4, finish: "stop" });
  assert.equal(run.outputs.get(2)?.at(-1)?.finish, "length");
});

test("what comes out depends on the seed of the request alone", () => {
  const wordsAt = (atUs: number, id: number) =>
    runInVirtualTime(engineWith(), [
      arrival(0, { id: 99, promptTokens: prompt(7), outputSeed: 5 }),
      arrival(atUs, { id, promptTokens: prompt(50, id), maxTokens: 20, outputSeed: 42 }),
    ])
      .outputs.get(id)
      ?.map((output) => output.token);
  assert.deepEqual(wordsAt(0, 1), wordsAt(77_000, 2));
});

test("a request that can never fit is refused at once", () => {
  const engine = engineWith({ kvBlocks: 4 });
  assert.throws(() => engine.add({ id: 1, promptTokens: prompt(60), maxTokens: 5 }), /can never fit/);
});
