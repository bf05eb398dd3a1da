import type { LatentAttention, ModelShape } from "./model-shapes.js";
import { weightBytesPerGpu } from "./weights.js";

export type KvCacheType = "auto" | "fp8";

/** Bytes that one token occupies on one rank. */
export interface KvTokenBytes {
  /** Keys and values, or the latent vector: what attention reads. */
  readonly attention: number;
  /** The indexer's keys, where there is one. */
  readonly indexer: number;
}

const INDEXER_SCALE_BYTES = 4;
/** vLLM's own FP8 layout for sparse MLA scales each 128 of the latent and leaves the rotary part in BF16. */
const SPARSE_FP8_GROUP = 128;
const SPARSE_FP8_SCALE_BYTES = 4;

/**
 * GQA: heads are spread over the ranks, and copied where there are fewer heads than ranks. MLA: the latent has no
 * heads and is whole on every rank.
 */
export function kvTokenBytes(
  shape: ModelShape,
  tensorParallelSize: number,
  kvCacheType: KvCacheType,
): KvTokenBytes {
  const { attention, layers } = shape;
  const valueBytes = kvCacheType === "fp8" ? 1 : 2;
  if (attention.kind === "gqa") {
    const heads = Math.max(1, attention.kvHeads / tensorParallelSize);
    return { attention: 2 * layers * heads * attention.headDim * valueBytes, indexer: 0 };
  }
  const indexer =
    attention.indexer === undefined ? 0 : layers * (attention.indexer.dim + INDEXER_SCALE_BYTES);
  return { attention: layers * latentBytes(attention, kvCacheType), indexer };
}

/**
 * Tokens whose KV fits: memory x utilisation, less weights and what the rank reserves. Derived, never measured; not positive
 * where the weights alone do not fit.
 */
export function kvCapacityTokens(
  shape: ModelShape,
  server: {
    readonly memoryBytes: number;
    readonly gpuMemoryUtilization: number;
    readonly tensorParallelSize: number;
    readonly kvCacheType: KvCacheType;
  },
): number {
  const { memoryBytes, gpuMemoryUtilization, tensorParallelSize, kvCacheType } = server;
  const free =
    memoryBytes * gpuMemoryUtilization - weightBytesPerGpu(shape, tensorParallelSize) - shape.reservedBytes;
  const token = kvTokenBytes(shape, tensorParallelSize, kvCacheType);
  return Math.floor(free / (token.attention + token.indexer));
}

function latentBytes(attention: LatentAttention, kvCacheType: KvCacheType): number {
  const { latentDim, ropeDim, indexer } = attention;
  if (kvCacheType === "auto") return 2 * (latentDim + ropeDim);
  if (indexer === undefined) return latentDim + ropeDim;
  return latentDim + (latentDim / SPARSE_FP8_GROUP) * SPARSE_FP8_SCALE_BYTES + 2 * ropeDim;
}
