import { LoadError } from "@tokenstorm/core";
import type { StepModel } from "../engine/step-model.js";
import type { ProfileName } from "../profiles.js";
import { type Accelerator, accelerators, type HardwareName } from "./accelerators.js";
import { type KvCacheType, kvCapacityTokens, kvTokenBytes } from "./kv-cache.js";
import { type ModelShape, modelShapes } from "./model-shapes.js";
import { EFFICIENCY_ESTIMATES, type Efficiency, rooflineModel } from "./roofline.js";
import { activeParameters, totalParameters, weightBytesPerGpu } from "./weights.js";

export interface HardwareOptions {
  readonly hardware: HardwareName;
  /** The study's for the model, where absent. */
  readonly tensorParallelSize: number | undefined;
  readonly gpuMemoryUtilization: number;
  readonly kvCacheType: KvCacheType;
}

/** What follows from data sheet and model shape; told in the truth log and at /simulator. */
export interface DerivedServer {
  readonly kvTokens: number;
  readonly stepModel: StepModel;
  readonly facts: HardwareFacts;
}

export interface HardwareFacts {
  readonly hardware: string;
  readonly tensorParallelSize: number;
  readonly gpuMemoryUtilization: number;
  readonly kvCacheType: KvCacheType;
  readonly parameters: number;
  readonly activeParameters: number;
  readonly weightBytesPerGpu: number;
  readonly kvBytesPerTokenPerGpu: number;
  readonly kvTokens: number;
  readonly efficiency: Efficiency;
  readonly note: string;
}

const NOTE =
  "derived from data sheets and model shapes; efficiency factors are engineering estimates; nothing of it was measured";

export function isHardwareName(name: string): name is HardwareName {
  return Object.hasOwn(accelerators, name);
}

/** Throws LoadError PLAN_INVALID where the model cannot be split so, or its weights do not fit. */
export function deriveServer(profile: ProfileName, options: HardwareOptions): DerivedServer {
  const shape = modelShapes[profile];
  const accelerator: Accelerator = accelerators[options.hardware];
  const { gpuMemoryUtilization, kvCacheType } = options;
  const tensorParallelSize = options.tensorParallelSize ?? shape.tensorParallelSize;
  checkSplit(shape, tensorParallelSize);
  const { memoryBytes } = accelerator;
  const server = { memoryBytes, gpuMemoryUtilization, tensorParallelSize, kvCacheType };
  const kvTokens = kvCapacityTokens(shape, server);
  const weights = weightBytesPerGpu(shape, tensorParallelSize);
  if (kvTokens <= 0) throw doesNotFit({ profile, accelerator, options, weights, shape, tensorParallelSize });
  const token = kvTokenBytes(shape, tensorParallelSize, kvCacheType);
  const efficiency = EFFICIENCY_ESTIMATES;
  return {
    kvTokens,
    stepModel: rooflineModel({ shape, accelerator, tensorParallelSize, kvCacheType, efficiency }),
    facts: {
      hardware: accelerator.name,
      tensorParallelSize,
      gpuMemoryUtilization,
      kvCacheType,
      parameters: totalParameters(shape),
      activeParameters: activeParameters(shape),
      weightBytesPerGpu: weights,
      kvBytesPerTokenPerGpu: token.attention + token.indexer,
      kvTokens,
      efficiency,
      note: NOTE,
    },
  };
}

function checkSplit({ attention }: ModelShape, tensorParallelSize: number): void {
  const isWhole = attention.heads % tensorParallelSize === 0;
  const kvHeads = attention.kind === "gqa" ? attention.kvHeads : 1;
  if (isWhole && (kvHeads % tensorParallelSize === 0 || tensorParallelSize % kvHeads === 0)) return;
  throw new LoadError(
    "PLAN_INVALID",
    `simulator option tensorParallelSize: ${attention.heads} heads cannot be split over ${tensorParallelSize} ranks`,
    { hint: "choose a power of two" },
  );
}

function doesNotFit(about: {
  profile: ProfileName;
  accelerator: Accelerator;
  options: HardwareOptions;
  weights: number;
  shape: ModelShape;
  tensorParallelSize: number;
}): LoadError {
  const { profile, accelerator, options, weights, shape, tensorParallelSize } = about;
  const room = accelerator.memoryBytes * options.gpuMemoryUtilization;
  const gb = (bytes: number) => (bytes / 1e9).toFixed(1);
  return new LoadError(
    "PLAN_INVALID",
    `simulator option hardware: ${profile} needs ${gb(weights)} GB of weights and ${gb(shape.reservedBytes)} GB of ` +
      `buffers on each of ${tensorParallelSize} ${accelerator.name}, which have ${gb(room)} GB for vLLM`,
    { hint: "raise tensorParallelSize or gpuMemoryUtilization, or take other hardware" },
  );
}
