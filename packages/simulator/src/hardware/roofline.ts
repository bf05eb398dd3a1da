import type { StepLoad, StepModel, StepSequence } from "../engine/step-model.js";
import type { Accelerator } from "./accelerators.js";
import { type KvCacheType, kvTokenBytes } from "./kv-cache.js";
import type { ModelShape } from "./model-shapes.js";
import { expertShare, weightBytesRead, weightParts } from "./weights.js";

/**
 * What separates a kernel from the data sheet. ENGINEERING ESTIMATES, chosen as round numbers and measured nowhere: with
 * all of them at their ideal the model is a floor.
 */
export interface Efficiency {
  /** Share of the memory bandwidth that streaming weights and KV reaches. */
  readonly memory: number;
  /** Share of the dense peak that large matrix products reach. */
  readonly compute: number;
  /** Share of the link bandwidth that an all-reduce reaches. */
  readonly link: number;
  /** Start of one all-reduce, whatever its size. */
  readonly allReduceUs: number;
  /** Scheduling, launches and sampling of a step, whatever is in it. */
  readonly stepUs: number;
  /** More of that for each sequence in the step. */
  readonly sequenceUs: number;
}

export const EFFICIENCY_ESTIMATES: Efficiency = {
  memory: 0.7,
  compute: 0.5,
  link: 0.6,
  allReduceUs: 15,
  stepUs: 2000,
  sequenceUs: 5,
};

/** The roofline itself: no losses, no launches. */
export const IDEAL: Efficiency = {
  memory: 1,
  compute: 1,
  link: 1,
  allReduceUs: 0,
  stepUs: 0,
  sequenceUs: 0,
};

export interface RooflineServer {
  readonly shape: ModelShape;
  readonly accelerator: Accelerator;
  readonly tensorParallelSize: number;
  readonly kvCacheType: KvCacheType;
  readonly efficiency: Efficiency;
}

/** Where a step's time goes, in microseconds on one rank; `totalUs` is what it takes. */
export interface RooflineStep {
  readonly weightsUs: number;
  readonly kvUs: number;
  readonly matrixUs: number;
  readonly attentionUs: number;
  readonly communicationUs: number;
  readonly overheadUs: number;
  readonly totalUs: number;
}

/** Attention and feed-forward network of each layer end in an all-reduce. */
const ALL_REDUCES_PER_LAYER = 2;
const ACTIVATION_BYTES = 2;

/** A step-time model from data sheet and model shape alone; see docs/simulator.md for what it leaves out. */
export function rooflineModel(server: RooflineServer): StepModel {
  return { stepUs: (load) => rooflineStep(server, load).totalUs };
}

/**
 * max(memory time, compute time) + communication + overhead (S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4),
 * 2009): reading and calculating overlap, collectives do not.
 */
export function rooflineStep(server: RooflineServer, load: StepLoad): RooflineStep {
  const { shape, accelerator, tensorParallelSize, efficiency } = server;
  const tokens = load.sequences.reduce((sum, { scheduled }) => sum + scheduled, 0);
  const perByteUs = 1e6 / (accelerator.memoryBytesPerS * efficiency.memory);
  const read = { tokens, sampled: load.sampled };
  const weightsUs = tokens === 0 ? 0 : weightBytesRead(shape, read, tensorParallelSize) * perByteUs;
  const kvUs = kvBytesRead(server, load.sequences) * perByteUs;
  const peak = accelerator.peakFlops[shape.computeType] * efficiency.compute;
  const matrixUs = (matrixFlops(server, tokens, load.sampled) * 1e6) / peak;
  const attentionUs = attentionTimeUs(server, load.sequences);
  const communicationUs = communicationTimeUs(server, tokens);
  const overheadUs = efficiency.stepUs + efficiency.sequenceUs * load.sequences.length;
  const totalUs = Math.max(weightsUs + kvUs, matrixUs + attentionUs) + communicationUs + overheadUs;
  return { weightsUs, kvUs, matrixUs, attentionUs, communicationUs, overheadUs, totalUs };
}

/** What a rank reads of the KV cache: each sequence's context once, of sparse attention the part that is looked at. */
export function kvBytesRead(server: RooflineServer, sequences: readonly StepSequence[]): number {
  const token = kvTokenBytes(server.shape, server.tensorParallelSize, server.kvCacheType);
  const topTokens = topTokensOf(server.shape);
  let bytes = 0;
  for (const { computed, scheduled } of sequences) {
    const context = computed + scheduled;
    // The queries of a chunk pick different tokens: together they read up to the whole context.
    const looked = scheduled === 1 ? Math.min(context, topTokens) : context;
    bytes += looked * token.attention + context * token.indexer;
  }
  return bytes;
}

/** Floating-point operations of the matrix products on one rank: two per parameter and token. */
function matrixFlops(server: RooflineServer, tokens: number, sampled: number): number {
  const { shape, tensorParallelSize } = server;
  let flops = 0;
  for (const part of weightParts(shape)) {
    if (part.use === "lookup") continue;
    const share = part.use === "experts" ? expertShare(shape, 1) : 1;
    const ranks = part.isReplicated ? 1 : tensorParallelSize;
    flops += (2 * part.parameters * share * (part.use === "logits" ? sampled : tokens)) / ranks;
  }
  return flops;
}

/**
 * Scores and weighted sums in BF16; the indexer's scores, whole on every rank, in FP8. MLA decodes in the latent space and
 * fills prompts with the heads unfolded; sparse attention is always in the latent space.
 */
function attentionTimeUs(server: RooflineServer, sequences: readonly StepSequence[]): number {
  const { shape, accelerator, tensorParallelSize, efficiency } = server;
  const { attention, layers } = shape;
  const topTokens = topTokensOf(shape);
  let headFlops = 0;
  let indexerFlops = 0;
  for (const { computed, scheduled } of sequences) {
    const pairs = scheduled * computed + (scheduled * (scheduled + 1)) / 2;
    const looked = Math.min(pairs, scheduled * topTokens);
    headFlops += looked * flopsPerPair(shape, scheduled > 1);
    if (attention.kind === "mla" && attention.indexer !== undefined) {
      indexerFlops += pairs * 2 * attention.indexer.heads * attention.indexer.dim;
    }
  }
  const perRank = (layers * attention.heads * headFlops) / tensorParallelSize;
  const bf16Us = perRank / accelerator.peakFlops.bf16;
  const fp8Us = (layers * indexerFlops) / accelerator.peakFlops.fp8;
  return ((bf16Us + fp8Us) * 1e6) / efficiency.compute;
}

/** Of one query with one key in one head of one layer. */
function flopsPerPair({ attention }: ModelShape, isPrompt: boolean): number {
  if (attention.kind === "gqa") return 2 * (2 * attention.headDim);
  const { latentDim, ropeDim, headDim, indexer } = attention;
  if (isPrompt && indexer === undefined) return 2 * (headDim + ropeDim + headDim);
  return 2 * (latentDim + ropeDim + latentDim);
}

/** Two ring all-reduces a layer: each moves 2 (n - 1) / n of the activations through a rank's links. */
function communicationTimeUs(server: RooflineServer, tokens: number): number {
  const { shape, accelerator, tensorParallelSize: ranks, efficiency } = server;
  if (ranks === 1 || tokens === 0) return 0;
  const bytes = ((2 * (ranks - 1)) / ranks) * tokens * shape.hidden * ACTIVATION_BYTES;
  const moveUs = (bytes * 1e6) / (accelerator.linkBytesPerS * efficiency.link);
  return ALL_REDUCES_PER_LAYER * shape.layers * (efficiency.allReduceUs + moveUs);
}

function topTokensOf({ attention }: ModelShape): number {
  return attention.kind === "mla" && attention.indexer !== undefined
    ? attention.indexer.topTokens
    : Number.POSITIVE_INFINITY;
}
