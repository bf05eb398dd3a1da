import assert from "node:assert/strict";
import { test } from "node:test";
import { uniformAt } from "../random.js";
import { createEngine, type EngineConfig } from "./engine.js";
import { runInVirtualTime, type VirtualEvent } from "./virtual-run.js";

const WORKLOADS = 150;

/** Small pools and budgets, so that queues, chunks, preemptions and evictions all happen. */
function randomWorkload(seed: number): { config: EngineConfig; events: VirtualEvent[] } {
  let n = 0;
  const below = (limit: number): number => Math.floor(uniformAt(seed, n++) * limit);
  const blockSize = 1 + below(16);
  const maxTokensOfOne = 200;
  const kvBlocks = Math.ceil(maxTokensOfOne / blockSize) + below(60);
  const config: EngineConfig = {
    decodeStepMs: [
      [1, 5],
      [8, 11],
      [64, 40],
    ],
    prefillTokensPerS: 5000 + below(20_000),
    timeScale: 1 + below(3),
    maxNumSeqs: 1 + below(12),
    maxNumBatchedTokens: 1 + below(128),
    blockSize,
    kvBlocks,
    prefixCache: below(4) > 0,
    vocabulary: Array.from({ length: 50 }, (_, i) => i),
    eosToken: 99,
  };
  const events: VirtualEvent[] = [];
  const requests = 5 + below(40);
  for (let id = 0; id < requests; id++) {
    const family = below(5);
    const shared = below(80);
    const promptTokens = Array.from(
      { length: 1 + below(120) },
      (_, i) => (i < shared ? family : id) * 1000 + i,
    );
    const maxTokens = 1 + below(80);
    const stopAfter = below(3) === 0 ? 1 + below(90) : undefined;
    const atUs = below(400_000);
    const cacheSalt = below(4) === 0 ? "salt" : undefined;
    events.push({ kind: "arrival", atUs, request: { id, promptTokens, maxTokens, stopAfter, cacheSalt } });
    if (below(6) === 0) events.push({ kind: "abort", atUs: atUs + below(600_000), id });
  }
  return { config, events };
}

test("whatever the load, every request gets exactly its tokens, and neither budget nor blocks are exceeded", () => {
  let preemptions = 0;
  let hits = 0;
  for (let seed = 1; seed <= WORKLOADS; seed++) {
    const { config, events } = randomWorkload(seed);
    const engine = createEngine(config);
    const run = runInVirtualTime(engine, events);
    const stats = engine.stats();
    preemptions += stats.preemptions;
    hits += stats.prefixCacheHits;
    assert.equal(stats.freeBlocks, config.kvBlocks, `seed ${seed}: blocks leaked`);
    assert.equal(stats.running + stats.waiting, 0, `seed ${seed}: requests were left over`);
    const aborted = new Set(events.flatMap((event) => (event.kind === "abort" ? [event.id] : [])));
    for (const event of events) {
      if (event.kind === "abort") continue;
      const { id, maxTokens, stopAfter, promptTokens } = event.request;
      const outputs = run.outputs.get(id) ?? [];
      const wanted = Math.min(maxTokens, stopAfter ?? maxTokens);
      assert.deepEqual(
        outputs.map((output) => output.ordinal),
        Array.from({ length: outputs.length }, (_, i) => i + 1),
        `seed ${seed}, request ${id}: tokens out of order`,
      );
      if (!aborted.has(id)) assert.equal(outputs.length, wanted, `seed ${seed}, request ${id}`);
      assert.ok(outputs.length <= wanted, `seed ${seed}, request ${id}: too many tokens`);
      assert.ok(promptTokens.length > 0);
    }
    for (const { plan, startUs } of run.steps) {
      const where = `seed ${seed}, step at ${startUs}`;
      assert.ok(plan.scheduledTokens <= config.maxNumBatchedTokens, `${where}: over the budget`);
      assert.ok(plan.scheduledTokens > 0 && plan.durationUs > 0, `${where}: empty`);
      assert.ok(plan.sampled <= config.maxNumSeqs, `${where}: over max_num_seqs`);
      for (const { cachedTokens } of plan.admitted) assert.equal(cachedTokens % config.blockSize, 0, where);
    }
  }
  assert.ok(preemptions > 50 && hits > 50, `the workloads are too tame: ${preemptions}, ${hits}`);
});

test("the prefix cache changes when tokens come, never which", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { config, events } = randomWorkload(seed);
    const arrivals = events.filter((event) => event.kind === "arrival");
    const withCache = runInVirtualTime(createEngine({ ...config, prefixCache: true }), arrivals);
    const without = runInVirtualTime(createEngine({ ...config, prefixCache: false }), arrivals);
    for (const { request } of arrivals) {
      assert.deepEqual(withCache.outputs.get(request.id), without.outputs.get(request.id), `seed ${seed}`);
    }
  }
});
