import type { StepTable } from "./engine/step-time.js";

/** Where a profile's step times come from. Ids are those of `series` in plans/study/data/published-results.json. */
export interface Provenance {
  /** Published rows to which the step times were fitted: a run that meets them shows arithmetic, not foresight. */
  readonly calibratedBy: readonly string[];
  /** Published rows of the same model that had no part in the fit. */
  readonly predicts: readonly string[];
  /** Greatest error of throughput or p99 over the rows of the fit, %: as simulator-calibration.json states it, or as test/study computes it. */
  readonly fitErrorPct: number;
  /** What no published row supports, or supports weakly; sentences for a person. */
  readonly unsupported: readonly string[];
}

/** The AITER ablation has no id of its own among the series. */
export const AITER_ABLATION = "aiter_ablation";

const NOBODY_MEASURED =
  "in flight above 450, KV exhaustion, preemption, image encoding and TTFT were never measured by the study";

export const LLAMA_PROVENANCE: Provenance = {
  calibratedBy: [
    "multirun-llama-3.1-405b",
    "stress-llama-scaling",
    "stress-llama-saturation",
    "validation-llama-scaling",
    "validation-llama-saturation",
    AITER_ABLATION,
  ],
  predicts: [],
  fitErrorPct: 4.6,
  unsupported: [
    "the prefill rate is a reading of the one-off cost of 0.7 to 0.9 s in the long-context stress rows",
    NOBODY_MEASURED,
  ],
};

export const QWEN_PROVENANCE: Provenance = {
  calibratedBy: [
    "multirun-qwen3-vl-235b",
    "stress-qwen-scaling",
    "stress-qwen-saturation",
    "validation-qwen-scaling",
    "validation-qwen-saturation",
  ],
  predicts: [],
  fitErrorPct: 3.8,
  unsupported: [
    "the step time of one sequence is weakly supported, the prefill rate is an estimate",
    "an image is 1,060 tokens by the difference of prompt lengths; 1,020 to 1,110 would fit as well",
    NOBODY_MEASURED,
  ],
};

export const DEEPSEEK_PROVENANCE: Provenance = {
  calibratedBy: ["multirun-deepseek-v3.2"],
  predicts: [],
  fitErrorPct: 4.7,
  unsupported: [
    "all of it rests on the output lengths, which are our explanation of the rows and not published (2 of 100 answers reach 512 tokens, the others end at 96)",
    "step times at 1, 50 and 450 sequences are weakly supported; the one at 450 is from the headline peak with about 100 output tokens",
    "the prefill rate is an estimate",
    "no scaling or saturation table was published, only the headline peak of 15,343 tokens/s",
    NOBODY_MEASURED,
  ],
};

export const KIMI_PROVENANCE: Provenance = {
  calibratedBy: ["multirun-kimi-k2.5"],
  predicts: [],
  fitErrorPct: 0.6,
  unsupported: [
    "step times at 1 and 450 sequences are extrapolated; the one at 450 is from the headline peak, assuming 1,165 prompt and 200 output tokens",
    "the prefill rate is an estimate",
    "no scaling or saturation table was published, only the headline peak of 7,327 tokens/s",
    "the study ran a nightly build: vLLM 0.14.1, whose wire this simulator speaks, did not run this model",
    NOBODY_MEASURED,
  ],
};

/** A second table for the same model, fitted to less, so that the rest is foretold. */
export interface MultiRunFit {
  readonly decodeStepMs: StepTable;
  readonly provenance: Provenance;
}

/**
 * Step times by the multi-run rows alone: p99 / 512 output tokens at the three loads that these rows really are (10, 50 and
 * 100 in flight; the five levels from 100 up are one, by their mean), to four digits. Beyond 100 the last slope goes on.
 * Only for the two models that have scaling and saturation tables to foretell.
 */
export const MULTI_RUN_FITS: {
  readonly "llama-3.1-405b": MultiRunFit;
  readonly "qwen3-vl-235b": MultiRunFit;
} = {
  "llama-3.1-405b": {
    decodeStepMs: [
      [10, 31.58],
      [50, 39.34],
      [100, 50.66],
    ],
    provenance: foretelling(LLAMA_PROVENANCE, { id: "multirun-llama-3.1-405b", errorPct: 1.4 }),
  },
  "qwen3-vl-235b": {
    decodeStepMs: [
      [10, 18.05],
      [50, 24.41],
      [100, 30.17],
    ],
    provenance: foretelling(QWEN_PROVENANCE, { id: "multirun-qwen3-vl-235b", errorPct: 1.1 }),
  },
};

function foretelling(
  full: Provenance,
  fittedTo: { readonly id: string; readonly errorPct: number },
): Provenance {
  return {
    calibratedBy: [fittedTo.id],
    predicts: full.calibratedBy.filter((id) => id !== fittedTo.id),
    fitErrorPct: fittedTo.errorPct,
    unsupported: ["step times below 10 and above 100 sequences are extrapolated", ...full.unsupported],
  };
}
