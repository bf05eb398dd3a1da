import assert from "node:assert/strict";
import { test } from "node:test";
import { createEngine } from "./engine/engine.js";
import { runInVirtualTime } from "./engine/virtual-run.js";
import { type ProfileName, profiles } from "./profiles.js";

/** The study's multi-run suite: 100 requests of one prompt, 512 tokens out; mean of p99 seconds per level. */
const PUBLISHED: Partial<Record<ProfileName, readonly (readonly [inFlight: number, p99S: number])[]>> = {
  "llama-3.1-405b": [
    [10, 16.17],
    [50, 20.14],
    [100, 25.84],
  ],
  "qwen3-vl-235b": [
    [10, 9.24],
    [50, 12.5],
    [100, 15.46],
  ],
  "kimi-k2.5": [
    [10, 77.83],
    [50, 149.39],
    [100, 183.35],
  ],
};

test("the profiles meet the study's published latencies within five percent", () => {
  for (const [name, levels] of Object.entries(PUBLISHED)) {
    const profile = Object.entries(profiles).find(([known]) => known === name)?.[1];
    assert.ok(profile !== undefined, name);
    for (const [inFlight, p99S] of levels) {
      const engine = createEngine({
        ...profile,
        timeScale: 1,
        maxNumSeqs: inFlight,
        maxNumBatchedTokens: 8192,
        kvBlocks: Math.floor(profile.kvTokens / profile.blockSize),
        prefixCache: true,
        vocabulary: [1],
        eosToken: 0,
      });
      const promptTokens = Array.from({ length: 1500 }, (_, i) => i);
      const run = runInVirtualTime(
        engine,
        Array.from({ length: 100 }, (_, id) => ({
          kind: "arrival" as const,
          atUs: 0,
          request: { id, promptTokens, maxTokens: 512 },
        })),
      );
      // Equal lengths run in waves of `inFlight`, so the mean wave is the latency of one request.
      const waveS = run.endUs / 1e6 / (100 / inFlight);
      assert.ok(Math.abs(waveS / p99S - 1) < 0.05, `${name} at ${inFlight}: ${waveS} s, published ${p99S} s`);
    }
  }
});
