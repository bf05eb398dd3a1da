import type { AiterFacts } from "./aiter.js";
import type { StepTable } from "./engine/step-time.js";
import {
  DEEPSEEK_PROVENANCE,
  KIMI_PROVENANCE,
  LLAMA_PROVENANCE,
  type Provenance,
  QWEN_PROVENANCE,
} from "./profile-provenance.js";

/** One model of the study: how fast it steps, and what its server would say about itself. */
export interface Profile {
  readonly model: string;
  readonly maxModelLen: number;
  readonly blockSize: number;
  /** Derived from the GPUs' memory, not measured. */
  readonly kvTokens: number;
  readonly decodeStepMs: StepTable;
  readonly prefillTokensPerS: number;
  /** Where the model sees images: what one costs, whatever its size. */
  readonly tokensPerImage?: number;
  readonly aiter: AiterFacts;
  /** Coefficient of variation from run to run that the study's rows show, in each state of AITER that was repeated. */
  readonly runNoiseCov: { readonly on?: number; readonly off?: number };
  /** Which published rows made the step times, and which they predict. */
  readonly provenance: Provenance;
}

export type ProfileName = "llama-3.1-405b" | "deepseek-v3.2" | "qwen3-vl-235b" | "kimi-k2.5";

/**
 * Step times derived from the study's published tables (8 x MI325X, Kimi 4). Prefill rates are not
 * identifiable from them: Llama's is a reading of its stress rows, the others are estimates.
 */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  "llama-3.1-405b": {
    model: "meta-llama/Llama-3.1-405B-Instruct",
    maxModelLen: 32_768,
    blockSize: 16,
    kvTokens: 2_940_000,
    decodeStepMs: [
      [1, 25.1],
      [5, 30.8],
      [10, 31.4],
      [25, 34.0],
      [50, 38.9],
      [75, 43.8],
      [100, 50.3],
      [150, 59.4],
      [200, 73.0],
      [300, 91.5],
      [450, 120.5],
    ],
    prefillTokensPerS: 10_000,
    aiter: {
      fittedWith: "off",
      // 1 / (1 + the published difference) of each load; that of 100 is the mean of the three rows which are that load.
      otherFactors: [
        [1, 0.909],
        [5, 1.0106],
        [10, 1.0078],
        [50, 1.0092],
        [100, 0.9626],
      ],
    },
    runNoiseCov: { off: 0.002, on: 0.04 },
    provenance: LLAMA_PROVENANCE,
  },
  "deepseek-v3.2": {
    model: "deepseek-ai/DeepSeek-V3.2",
    maxModelLen: 32_768,
    blockSize: 1,
    kvTokens: 1_970_000,
    decodeStepMs: [
      [1, 42.5],
      [10, 44.0],
      [50, 51.0],
      [100, 59.0],
      [450, 122.0],
    ],
    prefillTokensPerS: 20_000,
    aiter: { fittedWith: "on" },
    runNoiseCov: { on: 0 },
    provenance: DEEPSEEK_PROVENANCE,
  },
  "qwen3-vl-235b": {
    model: "Qwen/Qwen3-VL-235B-A22B-Instruct",
    maxModelLen: 32_768,
    blockSize: 16,
    kvTokens: 3_690_000,
    decodeStepMs: [
      [1, 16.5],
      [5, 17.4],
      [10, 18.4],
      [25, 21.6],
      [50, 24.8],
      [75, 29.1],
      [100, 31.0],
      [150, 42.3],
      [200, 44.7],
      [300, 52.7],
      [450, 62.4],
    ],
    prefillTokensPerS: 30_000,
    tokensPerImage: 1060,
    aiter: { fittedWith: "on" },
    runNoiseCov: { on: 0.0025 },
    provenance: QWEN_PROVENANCE,
  },
  "kimi-k2.5": {
    model: "moonshotai/Kimi-K2.5",
    maxModelLen: 32_768,
    blockSize: 1,
    kvTokens: 1_280_000,
    decodeStepMs: [
      [1, 130.0],
      [10, 152.0],
      [50, 291.8],
      [100, 358.3],
      [450, 415.0],
    ],
    prefillTokensPerS: 8_000,
    tokensPerImage: 1060,
    aiter: { fittedWith: "off" },
    runNoiseCov: { off: 0.0035 },
    provenance: KIMI_PROVENANCE,
  },
};
