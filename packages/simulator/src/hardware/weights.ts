import type { ModelShape } from "./model-shapes.js";

/** One group of parameters that is stored and read alike. */
export interface WeightPart {
  readonly name: string;
  readonly parameters: number;
  readonly bytesPerParameter: number;
  /**
   * `always`: read in every step. `experts`: as many as the batch touches. `logits`: read in a step that samples, calculated
   * for sampled tokens alone. `lookup`: stored, never read as a whole.
   */
  readonly use: "always" | "experts" | "logits" | "lookup";
  /** Whole on every tensor-parallel rank, as vLLM keeps MLA's first projections, the indexer and the router. */
  readonly isReplicated: boolean;
}

const BF16_BYTES = 2;
/** A gated feed-forward network has three matrices: gate, up and down. */
const GATED_MATRICES = 3;

export function weightParts(shape: ModelShape): readonly WeightPart[] {
  const { layers, hidden, vocabulary, dense, experts, linearBytes } = shape;
  const { shared, replicated } = attentionParameters(shape);
  const parts: WeightPart[] = [
    part("attention", layers * shared, linearBytes, "always"),
    part("attention, on every rank", layers * replicated, linearBytes, "always", true),
    part("dense layers", dense.layers * GATED_MATRICES * hidden * dense.width, linearBytes, "always"),
    part("embedding", vocabulary * hidden, BF16_BYTES, "lookup"),
    part("logits", vocabulary * hidden, BF16_BYTES, "logits"),
    part("vision", shape.visionParameters, BF16_BYTES, "lookup"),
  ];
  if (experts !== undefined) {
    const one = GATED_MATRICES * hidden * experts.width;
    parts.push(
      part("routed experts", experts.layers * experts.routed * one, shape.routedExpertBytes, "experts"),
      part("shared experts", experts.layers * experts.shared * one, linearBytes, "always"),
      part("router", experts.layers * experts.routed * hidden, BF16_BYTES, "always", true),
    );
  }
  return parts.filter(({ parameters }) => parameters > 0);
}

/** Of the language model: the vision tower is told apart. */
export function totalParameters(shape: ModelShape): number {
  return sum(weightParts(shape), (part) => (part.name === "vision" ? 0 : part.parameters));
}

/** Parameters that one token is multiplied with. */
export function activeParameters(shape: ModelShape): number {
  return sum(weightParts(shape), (part) => {
    if (part.use === "lookup") return 0;
    return part.parameters * (part.use === "experts" ? expertShare(shape, 1) : 1);
  });
}

/** Of the file set, scales of block quantisation aside. */
export function weightBytes(shape: ModelShape): number {
  return sum(weightParts(shape), ({ parameters, bytesPerParameter }) => parameters * bytesPerParameter);
}

/** What a tensor-parallel rank holds. */
export function weightBytesPerGpu(shape: ModelShape, tensorParallelSize: number): number {
  return sum(weightParts(shape), (part) => bytesOnRank(part, tensorParallelSize));
}

/** What a rank reads of its weights in a step of `tokens` tokens. */
export function weightBytesRead(
  shape: ModelShape,
  step: { readonly tokens: number; readonly sampled: number },
  tensorParallelSize: number,
): number {
  return sum(weightParts(shape), (part) => {
    if (part.use === "lookup" || (part.use === "logits" && step.sampled === 0)) return 0;
    const share = part.use === "experts" ? expertShare(shape, step.tokens) : 1;
    return bytesOnRank(part, tensorParallelSize) * share;
  });
}

/**
 * Expected share of the routed experts that `tokens` tokens touch, each choosing k of E anew and alike:
 * 1 - (1 - k/E)^tokens. Real routers are skewed and touch fewer.
 */
export function expertShare(shape: ModelShape, tokens: number): number {
  if (shape.experts === undefined) return 0;
  const { perToken, routed } = shape.experts;
  return 1 - (1 - perToken / routed) ** tokens;
}

function attentionParameters(shape: ModelShape): { shared: number; replicated: number } {
  const { hidden, attention } = shape;
  if (attention.kind === "gqa") {
    const { heads, kvHeads, headDim } = attention;
    return { shared: hidden * headDim * (2 * heads + 2 * kvHeads), replicated: 0 };
  }
  const { heads, queryRank, latentDim, ropeDim, headDim, indexer } = attention;
  const queryUp = queryRank * heads * (headDim + ropeDim);
  const keyValueUp = latentDim * heads * 2 * headDim;
  const output = heads * headDim * hidden;
  const down = hidden * (queryRank + latentDim + ropeDim);
  const index =
    indexer === undefined
      ? 0
      : queryRank * indexer.heads * indexer.dim + hidden * (indexer.dim + indexer.heads);
  return { shared: queryUp + keyValueUp + output, replicated: down + index };
}

function bytesOnRank(part: WeightPart, tensorParallelSize: number): number {
  const bytes = part.parameters * part.bytesPerParameter;
  return part.isReplicated ? bytes : bytes / tensorParallelSize;
}

function part(
  name: string,
  parameters: number,
  bytesPerParameter: number,
  use: WeightPart["use"],
  isReplicated = false,
): WeightPart {
  return { name, parameters, bytesPerParameter, use, isReplicated };
}

function sum(parts: readonly WeightPart[], of: (part: WeightPart) => number): number {
  return parts.reduce((total, one) => total + of(one), 0);
}
