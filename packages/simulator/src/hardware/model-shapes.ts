import type { ProfileName } from "../profiles.js";

/** Keys and values of each head, shared by groups of query heads. */
export interface GroupedAttention {
  readonly kind: "gqa";
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Multi-head latent attention: one compressed vector per token in place of keys and values. */
export interface LatentAttention {
  readonly kind: "mla";
  readonly heads: number;
  readonly queryRank: number;
  readonly latentDim: number;
  readonly ropeDim: number;
  /** Without the rotary part. */
  readonly headDim: number;
  /** DeepSeek V3.2's indexer: it reads a small key of every token and picks those that attention reads. */
  readonly indexer?: { readonly heads: number; readonly dim: number; readonly topTokens: number };
}

export interface Experts {
  readonly layers: number;
  readonly routed: number;
  readonly perToken: number;
  readonly shared: number;
  readonly width: number;
}

/** How a model is built, by its published configuration, and what it weighs by precision. */
export interface ModelShape {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly attention: GroupedAttention | LatentAttention;
  /** Layers with one gated feed-forward network. */
  readonly dense: { readonly layers: number; readonly width: number };
  readonly experts?: Experts;
  readonly visionParameters: number;
  /** Bytes of a parameter: linear layers, and routed experts where they differ (INT4 with a BF16 scale per 32). */
  readonly linearBytes: number;
  readonly routedExpertBytes: number;
  /** What the matrix units calculate in; INT4 weights are widened first. */
  readonly computeType: "fp8" | "bf16";
  /** Of the study's deployment. */
  readonly tensorParallelSize: number;
  /** Activations, graphs and buffers of a rank: an estimate. */
  readonly reservedBytes: number;
}

const GIB = 2 ** 30;

/** The four models of the study. */
export const modelShapes: Readonly<Record<ProfileName, ModelShape>> = {
  "llama-3.1-405b": {
    layers: 126,
    hidden: 16_384,
    vocabulary: 128_256,
    attention: { kind: "gqa", heads: 128, kvHeads: 8, headDim: 128 },
    dense: { layers: 126, width: 53_248 },
    visionParameters: 0,
    linearBytes: 1,
    routedExpertBytes: 1,
    computeType: "fp8",
    tensorParallelSize: 8,
    reservedBytes: 6 * GIB,
  },
  "deepseek-v3.2": {
    layers: 61,
    hidden: 7168,
    vocabulary: 129_280,
    attention: {
      kind: "mla",
      heads: 128,
      queryRank: 1536,
      latentDim: 512,
      ropeDim: 64,
      headDim: 128,
      indexer: { heads: 64, dim: 128, topTokens: 2048 },
    },
    dense: { layers: 3, width: 18_432 },
    experts: { layers: 58, routed: 256, perToken: 8, shared: 1, width: 2048 },
    visionParameters: 0,
    linearBytes: 1,
    routedExpertBytes: 1,
    computeType: "fp8",
    tensorParallelSize: 8,
    reservedBytes: 8 * GIB,
  },
  "qwen3-vl-235b": {
    layers: 94,
    hidden: 4096,
    vocabulary: 151_936,
    attention: { kind: "gqa", heads: 64, kvHeads: 4, headDim: 128 },
    dense: { layers: 0, width: 0 },
    experts: { layers: 94, routed: 128, perToken: 8, shared: 0, width: 1536 },
    visionParameters: 0.57e9,
    linearBytes: 2,
    routedExpertBytes: 2,
    computeType: "bf16",
    tensorParallelSize: 8,
    reservedBytes: 10 * GIB,
  },
  "kimi-k2.5": {
    layers: 61,
    hidden: 7168,
    vocabulary: 163_840,
    attention: { kind: "mla", heads: 64, queryRank: 1536, latentDim: 512, ropeDim: 64, headDim: 128 },
    dense: { layers: 1, width: 18_432 },
    experts: { layers: 60, routed: 384, perToken: 8, shared: 1, width: 2048 },
    visionParameters: 0.4e9,
    linearBytes: 2,
    routedExpertBytes: 0.5625,
    computeType: "bf16",
    tensorParallelSize: 4,
    reservedBytes: 8 * GIB,
  },
};
