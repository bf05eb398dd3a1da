import { decodeStepMs, type StepTable } from "./step-time.js";

/** One sequence's part in a step. */
export interface StepSequence {
  /** Tokens whose KV was there before the step. */
  readonly computed: number;
  /** Tokens given to it in this step. */
  readonly scheduled: number;
}

/** What a step has to do. */
export interface StepLoad {
  readonly sequences: readonly StepSequence[];
  /** Sequences that get a token at the end of the step. */
  readonly sampled: number;
  /** Uncached prompt tokens, recomputed ones included. */
  readonly prefillTokens: number;
}

/** How long a step takes. Pure: the same load takes the same time. */
export interface StepModel {
  /** Microseconds, not rounded. */
  stepUs(load: StepLoad): number;
}

/** The calibrated model: a table by sequences that get a token, and a rate for prompt tokens. */
export function tableModel(table: StepTable, prefillTokensPerS: number): StepModel {
  return {
    stepUs: ({ sampled, prefillTokens }) =>
      decodeStepMs(table, sampled) * 1000 + (prefillTokens * 1e6) / prefillTokensPerS,
  };
}
