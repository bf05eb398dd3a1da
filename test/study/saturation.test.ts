import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type SaturationEstimate, type SaturationLevel, saturationEstimate } from "@tokenstorm/core";
import { type ProfileName, profiles } from "@tokenstorm/simulator";
import { seededRandom } from "@tokenstorm/testkit";
import { type HeldLoopResult, runHeldLoop } from "./held-loop.js";

// On the engine alone: the whole client would spend minutes on these tokens.

interface Shape {
  readonly profile: ProfileName;
  /** Prompt and output. */
  readonly tokens: readonly [number, number];
  readonly users: readonly number[];
  /** Left out: all requests are alike. */
  readonly spread?: number;
  readonly kvTokens?: number;
  readonly maxNumSeqs?: number;
}

const FIRST_SEED = Number(process.env["TOKENSTORM_SEED"] ?? 1);

function ladder(shape: Shape, seed: number): HeldLoopResult[] {
  const { profile, users, spread = 0 } = shape;
  const [promptTokens, outputTokens] = shape.tokens;
  const { decodeStepMs, prefillTokensPerS, kvTokens } = profiles[profile];
  return users.map((count) => {
    return runHeldLoop({
      engine: {
        ...{
          decodeStepMs,
          prefillTokensPerS,
          timeScale: 1,
          prefixCache: false,
          vocabulary: [1],
          eosToken: 0,
        },
        ...{ maxNumSeqs: shape.maxNumSeqs ?? 1024, maxNumBatchedTokens: 8192, blockSize: 16 },
        kvBlocks: Math.floor((shape.kvTokens ?? kvTokens) / 16),
      },
      ...{ users: count, promptTokens, outputTokens, spread },
      random: seededRandom(seed * 1000 + count).next,
    });
  });
}

/** What it lets run where more than that are there. */
const limitOf = (levels: readonly HeldLoopResult[]): number => levels.at(-1)?.runningMean ?? 0;

/** The same with the server's gauge scraped. */
const gauged = (levels: readonly HeldLoopResult[]): SaturationLevel[] =>
  levels.map((level) => ({ ...level, serverRunning: [level.runningMean] }));

function checkFound(
  estimate: SaturationEstimate,
  { limit, where, t }: { readonly limit: number; readonly where: string; readonly t: TestContext },
): void {
  assert.ok(estimate.kind === "found" && estimate.by === "service", `${where}: ${JSON.stringify(estimate)}`);
  const text = `${where}: it lets ${limit.toFixed(0)} run. ${estimate.sentence}`;
  assert.ok(Math.abs(estimate.inFlight / limit - 1) < 0.1, text);
  assert.ok(estimate.low <= limit * 1.02 && estimate.high >= limit * 0.98, text);
  t.diagnostic(text);
}

const HARD: Readonly<Record<string, Shape>> = {
  "Kimi's KV cache, long prompts: throughput hardly grows on the way there": {
    ...{ profile: "kimi-k2.5", tokens: [2428, 200], users: [200, 400, 600, 800, 1000] },
  },
  "Kimi's KV cache, long prompts of many lengths": {
    ...{ profile: "kimi-k2.5", tokens: [2428, 200], users: [100, 200, 400, 500, 750, 1000] },
    spread: 0.5,
  },
  "Kimi's KV cache, long answers: one level alone is past it": {
    ...{ profile: "kimi-k2.5", tokens: [1230, 512], users: [200, 400, 600, 800, 1000] },
  },
  "Kimi's KV cache, very long prompts": {
    ...{ profile: "kimi-k2.5", tokens: [4870, 200], users: [50, 100, 200, 400, 600, 1000] },
    spread: 0.3,
  },
  "a small KV cache on Llama: throughput falls behind it, where preempted requests are computed again": {
    ...{ profile: "llama-3.1-405b", tokens: [500, 500], users: [100, 200, 400, 600, 1000] },
    ...{ spread: 0.5, kvTokens: 200_000 },
  },
  "a small KV cache on Qwen": {
    ...{ profile: "qwen3-vl-235b", tokens: [1140, 200], users: [100, 200, 400, 600, 1000] },
    ...{ spread: 0.3, kvTokens: 400_000 },
  },
  "max_num_seqs 256 on Qwen": {
    ...{ profile: "qwen3-vl-235b", tokens: [1140, 200], users: [50, 100, 200, 300, 400, 600] },
    ...{ spread: 0.3, maxNumSeqs: 256 },
  },
  "max_num_seqs 256 on Llama": {
    ...{ profile: "llama-3.1-405b", tokens: [329, 200], users: [50, 100, 200, 300, 400, 600] },
    ...{ spread: 0.3, maxNumSeqs: 256 },
  },
};

for (const [name, shape] of Object.entries(HARD)) {
  test(`the limit is found within ten percent, by the server's gauge and by the client's times: ${name}`, (t) => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + (shape.spread === undefined ? 1 : 2); seed += 1) {
      const levels = ladder(shape, seed);
      const limit = limitOf(levels);
      const told = { limit, t };
      checkFound(saturationEstimate(gauged(levels)), { ...told, where: `seed ${seed}, gauge` });
      checkFound(saturationEstimate(levels), { ...told, where: `seed ${seed}, times` });
    }
  });
}

test("where requests are preempted again and again the gauge finds the limit, and times alone do not say that they do", (t) => {
  const shape: Shape = {
    ...{ profile: "llama-3.1-405b", tokens: [100, 1000], kvTokens: 150_000 },
    users: [100, 200, 300, 400, 600, 1000],
  };
  const levels = ladder(shape, FIRST_SEED);
  checkFound(saturationEstimate(gauged(levels)), { limit: limitOf(levels), where: "gauge", t });
  const timed = saturationEstimate(levels);
  assert.ok(timed.kind !== "found" || timed.by === "crossing", JSON.stringify(timed));
});

test("on the calibration tables none is found up to 1,000, with the server's gauge as without", () => {
  for (const profile of Object.keys(profiles) as ProfileName[]) {
    const users = [10, 50, 100, 200, 500, 1000];
    const levels = ladder({ profile, tokens: [32, 128], users, spread: 0.3 }, FIRST_SEED);
    for (const told of [gauged(levels), levels]) {
      const estimate = saturationEstimate(told);
      assert.ok(
        estimate.kind === "none" && estimate.upTo === 1000,
        `${profile}: ${JSON.stringify(estimate)}`,
      );
    }
  }
});
