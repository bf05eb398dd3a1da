import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { createEngine } from "../engine/engine.js";
import type { StepLoad } from "../engine/step-model.js";
import { runInVirtualTime } from "../engine/virtual-run.js";
import { type ProfileName, profiles } from "../profiles.js";
import { resolveOptions } from "../resolve-options.js";
import { accelerators } from "./accelerators.js";
import { deriveServer } from "./derived-server.js";
import { kvCapacityTokens, kvTokenBytes } from "./kv-cache.js";
import { modelShapes } from "./model-shapes.js";
import { EFFICIENCY_ESTIMATES, IDEAL, kvBytesRead, type RooflineServer, rooflineStep } from "./roofline.js";
import {
  activeParameters,
  expertShare,
  totalParameters,
  type WeightPart,
  weightBytes,
  weightBytesPerGpu,
  weightParts,
} from "./weights.js";

/** Counted by hand from each model's published configuration, MI325X, the study's tensor parallelism. */
const BY_HAND: Record<
  ProfileName,
  {
    parameters: number;
    active: number;
    weights: number;
    perGpu: number;
    kvBytes: number;
    kvFp8: number;
    kvTokens: number;
    /** Active weights / ranks / bandwidth, and 2 x active / ranks / peak: nothing kept twice. */
    decodeFloorMs: number;
    prefillFloorUs: number;
  }
> = {
  "llama-3.1-405b": {
    parameters: 405.85e9,
    active: 403.75e9,
    weights: 410.05e9,
    perGpu: 51.26e9,
    kvBytes: 64_512,
    kvFp8: 32_256,
    kvTokens: 2.94e6,
    decodeFloorMs: 8.54,
    prefillFloorUs: 38.8,
  },
  "deepseek-v3.2": {
    parameters: 671.9e9,
    active: 37.5e9,
    weights: 674e9,
    perGpu: 84.3e9,
    kvBytes: 78_324,
    kvFp8: 61 * (656 + 132),
    kvTokens: 1.97e6,
    decodeFloorMs: 0.78,
    prefillFloorUs: 3.6,
  },
  "qwen3-vl-235b": {
    parameters: 235.1e9,
    active: 21.6e9,
    weights: 471.3e9,
    perGpu: 58.9e9,
    kvBytes: 48_128,
    kvFp8: 24_064,
    kvTokens: 3.69e6,
    decodeFloorMs: 0.9,
    prefillFloorUs: 4.1,
  },
  "kimi-k2.5": {
    parameters: 1026.4e9,
    active: 31.7e9,
    weights: 595e9,
    perGpu: 148.8e9,
    kvBytes: 70_272,
    kvFp8: 35_136,
    kvTokens: 1.28e6,
    decodeFloorMs: 1.37,
    prefillFloorUs: 12.1,
  },
};

const models = Object.keys(BY_HAND).filter((name): name is ProfileName => Object.hasOwn(profiles, name));

function near(actual: number, expected: number, share: number, what: string): void {
  assert.ok(Math.abs(actual / expected - 1) <= share, `${what}: ${actual}, by hand ${expected}`);
}

function serverOf(name: ProfileName, changes: Partial<RooflineServer> = {}): RooflineServer {
  const shape = modelShapes[name];
  const { tensorParallelSize } = shape;
  return {
    shape,
    accelerator: accelerators.mi325x,
    tensorParallelSize,
    kvCacheType: "auto",
    efficiency: IDEAL,
    ...changes,
  };
}

function decoding(sequences: number, context: number): StepLoad {
  return {
    sequences: Array.from({ length: sequences }, () => ({ computed: context - 1, scheduled: 1 })),
    sampled: sequences,
    prefillTokens: 0,
  };
}

function prefilling(tokens: number, computed = 0): StepLoad {
  return { sequences: [{ computed, scheduled: tokens }], sampled: 0, prefillTokens: tokens };
}

test("parameters and weights of the four models are those counted by hand", () => {
  for (const name of models) {
    const shape = modelShapes[name];
    const hand = BY_HAND[name];
    near(totalParameters(shape), hand.parameters, 0.001, `${name} parameters`);
    near(activeParameters(shape), hand.active, 0.002, `${name} active`);
    near(weightBytes(shape), hand.weights, 0.001, `${name} weights`);
    // Above the plain share by what every rank keeps: MLA's first projections, the indexer, the router.
    const perGpu = weightBytesPerGpu(shape, shape.tensorParallelSize);
    near(perGpu, hand.perGpu, 0.025, `${name} weights of a GPU`);
    assert.ok(perGpu >= weightBytes(shape) / shape.tensorParallelSize - 1, name);
  }
});

test("KV bytes of a token are exact: heads copied where there are few, the latent whole on every rank", () => {
  for (const name of models) {
    const shape = modelShapes[name];
    const bytes = (type: "auto" | "fp8") => {
      const { attention, indexer } = kvTokenBytes(shape, shape.tensorParallelSize, type);
      return attention + indexer;
    };
    assert.deepEqual([bytes("auto"), bytes("fp8")], [BY_HAND[name].kvBytes, BY_HAND[name].kvFp8], name);
  }
  const llama = modelShapes["llama-3.1-405b"];
  assert.equal(kvTokenBytes(llama, 4, "auto").attention, 2 * 64_512);
  assert.equal(kvTokenBytes(llama, 16, "auto").attention, 64_512, "eight heads on sixteen ranks");
});

test("the KV cache holds what memory leaves, and the profiles say the same", () => {
  for (const name of models) {
    const shape = modelShapes[name];
    const tokens = kvCapacityTokens(shape, {
      memoryBytes: accelerators.mi325x.memoryBytes,
      gpuMemoryUtilization: 0.9,
      tensorParallelSize: shape.tensorParallelSize,
      kvCacheType: "auto",
    });
    near(tokens, BY_HAND[name].kvTokens, 0.02, `${name} KV tokens`);
    near(tokens, profiles[name].kvTokens, 0.02, `${name} against its profile`);
  }
});

test("the KV limit that follows from the memory is met by the engine: about as many long requests run as fit", () => {
  // By hand, 8,192 + 1,024 tokens each (vllm/wire-facts.md, section 11).
  const fitting = {
    "llama-3.1-405b": 319,
    "deepseek-v3.2": 214,
    "qwen3-vl-235b": 401,
    "kimi-k2.5": 139,
  } as const;
  for (const name of models) {
    const { kvBlocks, blockSize } = resolveOptions({ profile: name, hardware: "mi325x" }).engine;
    near((kvBlocks * blockSize) / 9216, fitting[name], 0.025, `${name} requests that fit`);
  }
  const { engine: config } = resolveOptions({ profile: "kimi-k2.5", hardware: "mi325x", prefixCache: false });
  const engine = createEngine({ ...config, vocabulary: [1], eosToken: 0 });
  const promptTokens = new Uint8Array(8192);
  const run = runInVirtualTime(
    engine,
    Array.from({ length: 170 }, (_, id) => ({
      kind: "arrival" as const,
      atUs: 0,
      request: { id, promptTokens, maxTokens: 1024 },
    })),
  );
  assert.equal(run.outputs.size, 170);
  assert.ok(engine.stats().preemptions > 0, "prompts that fit grow into answers that do not");
  const most = Math.max(...run.steps.map(({ plan }) => plan.sampled));
  // Between those that fit whole, and those whose prompts alone do.
  assert.ok(most >= 136 && most <= 154, `${most} at once`);
});

test("a batch touches 1 - (1 - k/E)^B of the experts", () => {
  const deepseek = modelShapes["deepseek-v3.2"];
  // By hand: 8 of 256; (31/32)^2 = 0.9385, (31/32)^32 = 0.3621, (31/32)^100 = 0.04179.
  for (const [batch, share] of [
    [1, 0.03125],
    [2, 0.06152],
    [32, 0.63792],
    [100, 0.95821],
  ] as const) {
    near(expertShare(deepseek, batch), share, 1e-4, `batch of ${batch}`);
  }
  assert.equal(expertShare(modelShapes["llama-3.1-405b"], 10), 0);
});

test("without losses a step takes the floor: weights read once, two operations per parameter", () => {
  for (const name of models) {
    const hand = BY_HAND[name];
    const shape = modelShapes[name];
    const ranks = shape.tensorParallelSize;
    const decode = rooflineStep(serverOf(name), decoding(1, 1));
    // The floors by hand divide everything by the ranks; what each rank keeps whole costs it the rest.
    const divided = weightBytes(shape) / ranks;
    const wholeMs = ((weightBytesPerGpu(shape, ranks) - divided) / 6e12) * 1e3;
    near(decode.weightsUs / 1000 - wholeMs, hand.decodeFloorMs, 0.05, `${name} decode floor`);
    const prompt = rooflineStep(serverOf(name), prefilling(4096));
    const peak = accelerators.mi325x.peakFlops[shape.computeType];
    const usOf = (share: number, of: (part: WeightPart) => boolean) =>
      weightParts(shape).reduce(
        (us, part) => us + (of(part) ? (2e6 * share * part.parameters) / peak : 0),
        0,
      );
    const wholeUs = usOf(1 - 1 / ranks, ({ isReplicated }) => isReplicated);
    const logitsUs = usOf(1 / ranks, ({ use }) => use === "logits");
    const promptUs = prompt.matrixUs / 4096 - wholeUs + logitsUs;
    near(promptUs, hand.prefillFloorUs, 0.02, `${name} prefill floor`);
    assert.equal(prompt.communicationUs > 0, true);
    assert.equal(prompt.overheadUs, 0);
  }
});

test("a step of many reads each one's context, of sparse attention the tokens that are looked at", () => {
  const llama = serverOf("llama-3.1-405b");
  assert.equal(kvBytesRead(llama, decoding(10, 1000).sequences), 10 * 1000 * 64_512);
  const sparse = serverOf("deepseek-v3.2");
  assert.equal(kvBytesRead(sparse, decoding(1, 1000).sequences), 1000 * 78_324);
  assert.equal(kvBytesRead(sparse, decoding(1, 10_000).sequences), 61 * (2048 * 1152 + 10_000 * 132));
  // 6e12 bytes a second: 100 x 8,192 tokens of 64,512 bytes take 8.8 ms beside the weights' 8.5 ms.
  const step = rooflineStep(llama, decoding(100, 8192));
  near(step.kvUs, 8808, 0.001, "KV read");
  near(step.totalUs, step.weightsUs + step.kvUs + step.communicationUs, 1e-9, "the memory is the limit");
});

test("attention over a long prompt grows with its square, and a chunk pays for what lies before it", () => {
  const llama = serverOf("llama-3.1-405b");
  // By hand: 126 layers x 128 heads / 8 ranks x 4 x 128 x (8192 x 8193 / 2 pairs) / 1307.4 TFLOPS.
  const whole = rooflineStep(llama, prefilling(8192)).attentionUs;
  near(whole, ((126 * 16 * 512 * (8192 * 8193)) / 2 / 1307.4e12) * 1e6, 1e-9, "whole prompt");
  const halves =
    rooflineStep(llama, prefilling(4096)).attentionUs +
    rooflineStep(llama, prefilling(4096, 4096)).attentionUs;
  near(halves, whole, 1e-9, "two chunks");
});

test("tensor parallelism divides reading and calculating, and pays two all-reduces a layer", () => {
  const shape = modelShapes["llama-3.1-405b"];
  const at = (tensorParallelSize: number, efficiency = IDEAL) =>
    rooflineStep(serverOf("llama-3.1-405b", { tensorParallelSize, efficiency }), decoding(64, 1));
  near(at(4).weightsUs, 2 * at(8).weightsUs, 1e-9, "weights");
  assert.equal(at(1).communicationUs, 0);
  // By hand: 252 x (2 x 7/8 x 64 x 16384 x 2 bytes / 448 GB/s).
  near(at(8).communicationUs, 252 * ((1.75 * 64 * 16_384 * 2) / 448e3), 1e-9, "ring");
  const latencyUs = at(8, { ...IDEAL, allReduceUs: 15 }).communicationUs - at(8).communicationUs;
  near(latencyUs, 2 * shape.layers * 15, 1e-9, "starts");
});

test("the estimates only add to the floor, and each is a share or a time", () => {
  for (const name of models) {
    for (const load of [decoding(1, 500), decoding(256, 2000), prefilling(8192)]) {
      const floor = rooflineStep(serverOf(name), load).totalUs;
      const estimate = rooflineStep(serverOf(name, { efficiency: EFFICIENCY_ESTIMATES }), load).totalUs;
      assert.ok(estimate > floor, name);
    }
  }
});

test("the floors and estimates that docs/simulator.md quotes are those of the code", () => {
  const quoted = [
    ["llama-3.1-405b", [8.5, 17.9], [8.9, 18.7], [13.3, 26.0], [32.4, 68.0]],
    ["deepseek-v3.2", [1.1, 5.4], [4.6, 10.5], [16.4, 27.9], [26.2, 44.2]],
    ["qwen3-vl-235b", [0.9, 6.2], [5.0, 12.0], [11.6, 22.0], [17.9, 33.3]],
    ["kimi-k2.5", [1.7, 6.2], [5.9, 12.3], [24.4, 39.3], [35.5, 57.4]],
  ] as const;
  for (const [name, ...rows] of quoted) {
    [1, 10, 100, 450].forEach((sequences, i) => {
      const load = decoding(sequences, 1501);
      const seen = [IDEAL, EFFICIENCY_ESTIMATES].map((efficiency) =>
        Number((rooflineStep(serverOf(name, { efficiency }), load).totalUs / 1000).toFixed(1)),
      );
      assert.deepEqual(seen, rows[i], `${name} at ${sequences}`);
    });
  }
});

test("an idle step costs nothing but its overhead", () => {
  const step = rooflineStep(serverOf("kimi-k2.5"), { sequences: [], sampled: 0, prefillTokens: 0 });
  assert.equal(step.totalUs, 0);
});

test("weights that do not fit, and heads that cannot be split, are refused with the figures", () => {
  const options = {
    hardware: "h100-sxm",
    tensorParallelSize: undefined,
    gpuMemoryUtilization: 0.9,
    kvCacheType: "auto",
  } as const;
  const isInvalid = (message: RegExp) => (error: unknown) =>
    error instanceof LoadError && error.code === "PLAN_INVALID" && message.test(error.message);
  assert.throws(
    () => deriveServer("kimi-k2.5", options),
    isInvalid(/needs 150\.\d GB of weights .* on each of 4 NVIDIA H100 SXM, which have 77\.0 GB/),
  );
  assert.throws(
    () => deriveServer("llama-3.1-405b", { ...options, hardware: "mi325x", tensorParallelSize: 6 }),
    isInvalid(/128 heads cannot be split over 6 ranks/),
  );
  assert.ok(deriveServer("llama-3.1-405b", options).kvTokens > 100_000, "but Llama fits on eight H100");
});
