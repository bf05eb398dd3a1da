import type { RuleCondition } from "./conditions.js";
import type { Attention, KnownModelId, Modality } from "./known-models.js";
import type { Platform } from "./stated-deployment.js";

/** `error`: it does not start, breaks, or answers wrongly. `warning`: it may. `info`: worth knowing. */
export type Severity = "error" | "warning" | "info";

/** For which vLLM a rule is known to hold. */
export type EngineRange =
  | { readonly kind: "any" }
  /** Found on the studied stack (vLLM 0.14); elsewhere it is not known, but for what is known to have changed since. */
  | {
      readonly kind: "studied";
      readonly goneFrom?: { readonly version: string; readonly note: string };
    };

export interface DoctorRule {
  readonly id: string;
  readonly severity: Severity;
  /** All that are given must be so. */
  readonly appliesTo: {
    readonly attention?: Attention;
    readonly models?: readonly KnownModelId[];
    readonly modality?: Modality;
  };
  /** Undefined for all. */
  readonly platform?: Platform;
  readonly engine: EngineRange;
  readonly condition: RuleCondition;
  /** What is needed, as the end of a sentence about the deployment: `MLA needs block size 1`. */
  readonly needs: string;
  readonly reason: string;
  /** What a person sees where it is broken; null where the study names none. */
  readonly symptom: string | null;
  /** Title and section. */
  readonly source: string;
}

export const STUDIED_ENGINE = "0.14";

const COOKBOOK = "Inference cookbook (ROCm)";
const studied: EngineRange = { kind: "studied" };
const anyEngine: EngineRange = { kind: "any" };
const KIMI_CHANGE =
  "vLLM pull request 35850 (merged March 2026) made AITER's MLA usable with eight GPUs; current recipes run it so on MI300X and MI325X";

/** From the study's deployments; the order is that of reports. What they were found on stands in `engine`. */
export const DOCTOR_RULES: readonly DoctorRule[] = [
  {
    id: "mla-block-size",
    severity: "error",
    appliesTo: { attention: "MLA" },
    platform: "rocm",
    engine: studied,
    condition: {
      kind: "arg-is",
      flag: "--block-size",
      value: "1",
      unset: {
        countsAs: "16",
        because: "the server's default is 16",
        notKnownFor: {
          models: ["deepseek-v3.2"],
          because:
            "the ROCm backend for sparse MLA is said to choose 1 by itself in vLLM 0.14; the study set it",
        },
      },
    },
    needs: "MLA needs block size 1",
    reason: "MLA keeps one latent per token, and its ROCm kernels take blocks of one token",
    symptom:
      "the server refuses to start with a value error that says the block size must be 1 for MLA models",
    source: `${COOKBOOK}: DeepSeek V3.2 (685B); Kimi-K2.5 (1T)`,
  },
  {
    id: "mla-no-kv-offload",
    severity: "error",
    appliesTo: { attention: "MLA" },
    engine: studied,
    condition: { kind: "args-not-given", flags: ["--kv-offloading-backend", "--kv-offloading-size"] },
    needs: "MLA models take no KV offload",
    reason: "the offloading connector cannot describe the indexer-based cache",
    symptom:
      "a KeyError that names the k_cache of layer 0's self_attn indexer, raised by the offloading connector",
    source: `${COOKBOOK}: KV Cache Offloading (published for DeepSeek V3.2, listed as unsupported for Kimi-K2.5)`,
  },
  {
    id: "deepseek-aiter-required",
    severity: "error",
    appliesTo: { models: ["deepseek-v3.2"] },
    platform: "rocm",
    engine: studied,
    condition: {
      kind: "env-is",
      name: "VLLM_ROCM_USE_AITER",
      value: "1",
      unset: { countsAs: "0", because: "its default is 0" },
    },
    needs: "DeepSeek V3.2 needs AITER (VLLM_ROCM_USE_AITER=1)",
    reason:
      "its sparse-attention indexer depends on AITER; the paper's abstract speaks of a much slower Triton fallback for MLA in general, so the two sources differ in wording",
    symptom: null,
    source: `${COOKBOOK}: DeepSeek V3.2 (685B); AITER Configuration`,
  },
  {
    id: "deepseek-vskip",
    severity: "error",
    appliesTo: { models: ["deepseek-v3.2"] },
    platform: "rocm",
    engine: studied,
    condition: {
      kind: "env-is",
      name: "AITER_ENABLE_VSKIP",
      value: "0",
      unset: { countsAs: "1", because: "unset means on" },
    },
    needs: "DeepSeek V3.2 needs VSKIP off (AITER_ENABLE_VSKIP=0)",
    reason: "with VSKIP on the server crashed on the studied stack",
    symptom: "a crash at startup or during inference, without a clear message",
    source: `${COOKBOOK}: DeepSeek V3.2 (685B); AITER Configuration`,
  },
  {
    id: "deepseek-no-fp8-kv-flag",
    severity: "error",
    appliesTo: { models: ["deepseek-v3.2"] },
    platform: "rocm",
    engine: studied,
    condition: { kind: "arg-not-like", flag: "--kv-cache-dtype", prefix: "fp8", except: ["fp8_ds_mla"] },
    needs: "DeepSeek V3.2 takes no FP8 KV type by option",
    reason:
      "the ROCm AITER sparse MLA backend does not take it; an FP8 layout of its own (fp8_ds_mla) is chosen by itself",
    symptom: null,
    source: `${COOKBOOK}: DeepSeek V3.2 (685B); FP8 Quantization`,
  },
  {
    id: "deepseek-chat-tokenizer-mode",
    severity: "info",
    appliesTo: { models: ["deepseek-v3.2"] },
    engine: studied,
    condition: {
      kind: "arg-is",
      flag: "--tokenizer-mode",
      value: "deepseek_v32",
      unset: { countsAs: "auto", because: "its default is auto" },
    },
    needs: "chat completions of DeepSeek V3.2 need --tokenizer-mode deepseek_v32",
    reason: "without it, load /v1/completions (target.api: openai-completions), as the study did",
    symptom: null,
    source: `${COOKBOOK}: DeepSeek V3.2 (685B)`,
  },
  {
    id: "kimi-tp4",
    severity: "error",
    appliesTo: { models: ["kimi-k2.5"] },
    platform: "rocm",
    engine: { kind: "studied", goneFrom: { version: "0.18.0", note: KIMI_CHANGE } },
    condition: {
      kind: "arg-is",
      flag: "--tensor-parallel-size",
      value: "4",
      unset: { countsAs: "1", because: "its default is 1" },
    },
    needs: "Kimi-K2.5 needs four GPUs (--tensor-parallel-size 4)",
    reason:
      "AITER's MLA kernels took 16 or 128 heads per GPU: 64 heads over 8 GPUs are 8, which they did not take, over 4 they are 16",
    symptom: null,
    source: `${COOKBOOK}: Kimi-K2.5 (1T)`,
  },
  {
    id: "kimi-aiter-off",
    severity: "error",
    appliesTo: { models: ["kimi-k2.5"] },
    platform: "rocm",
    engine: { kind: "studied", goneFrom: { version: "0.18.0", note: KIMI_CHANGE } },
    condition: {
      kind: "env-is",
      name: "VLLM_ROCM_USE_AITER",
      value: "0",
      unset: { countsAs: "0", because: "its default is 0" },
    },
    needs: "Kimi-K2.5 needs AITER off (VLLM_ROCM_USE_AITER=0)",
    reason: "AITER did not work with this implementation of MLA, even at 16 heads per GPU",
    symptom: null,
    source: `${COOKBOOK}: Kimi-K2.5 (1T); AITER Configuration`,
  },
  {
    id: "kimi-nightly",
    severity: "error",
    appliesTo: { models: ["kimi-k2.5"] },
    engine: {
      kind: "studied",
      goneFrom: { version: "0.15.0", note: "vLLM runs Kimi-K2.5 from release 0.15.0 on" },
    },
    condition: { kind: "image-or-build-is", word: "nightly" },
    needs: "Kimi-K2.5 needs a nightly build (the study: rocm/vllm-dev:nightly)",
    reason: "the stable release of the time did not support the model",
    symptom: null,
    source: `${COOKBOOK}: Kimi-K2.5 (1T)`,
  },
  {
    id: "vision-triton-fa-off",
    severity: "error",
    appliesTo: { modality: "image" },
    platform: "rocm",
    engine: studied,
    condition: {
      kind: "env-is",
      name: "VLLM_USE_TRITON_FLASH_ATTN",
      value: "0",
      unset: { countsAs: "1", because: "unset means on" },
    },
    needs: "vision models need Triton flash attention off (VLLM_USE_TRITON_FLASH_ATTN=0)",
    reason: "the vision encoder needs it on ROCm",
    symptom: null,
    source: `${COOKBOOK}: Qwen3-VL (235B); Kimi-K2.5 (1T)`,
  },
  {
    id: "qwen-no-fp8",
    severity: "error",
    appliesTo: { models: ["qwen3-vl-235b"] },
    platform: "rocm",
    engine: studied,
    condition: {
      kind: "all",
      of: [
        { kind: "arg-not-like", flag: "--quantization", prefix: "fp8" },
        { kind: "arg-not-like", flag: "--kv-cache-dtype", prefix: "fp8" },
        { kind: "model-name-lacks", word: "fp8" },
      ],
    },
    needs: "Qwen3-VL-235B stays in BF16, weights and KV cache",
    reason: "dimensions of its vision encoder do not fit FP8 on ROCm",
    symptom: null,
    source: `${COOKBOOK}: Qwen3-VL (235B); FP8 Quantization`,
  },
  {
    id: "tp-divides-heads",
    severity: "error",
    appliesTo: {},
    engine: anyEngine,
    condition: { kind: "heads-divide" },
    needs: "the attention heads must split evenly over the GPUs",
    reason: "each rank computes whole heads; KV heads fewer than ranks are kept by several of them",
    symptom: "the server refuses to start, and names the number of heads and the tensor parallel size",
    source: "the models' configurations: numbers of heads",
  },
  {
    id: "gpus-suffice",
    severity: "error",
    appliesTo: {},
    engine: anyEngine,
    condition: { kind: "gpus-suffice" },
    needs: "tensor x pipeline x data parallel size is at most the number of GPUs",
    reason: "each rank needs a GPU of its own",
    symptom: null,
    source: "vLLM: Parallelism and Scaling",
  },
  {
    id: "context-fits",
    severity: "error",
    appliesTo: {},
    engine: anyEngine,
    condition: { kind: "context-fits" },
    needs: "--max-model-len is at most what the model was made for",
    reason: "positions beyond the model's own context give garbage, so the server refuses them",
    symptom: "the server refuses to start unless VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 is set",
    source: "vLLM: Engine Arguments, --max-model-len; the models' configurations",
  },
  {
    id: "kv-offload-hybrid-manager",
    severity: "warning",
    appliesTo: { attention: "GQA" },
    engine: studied,
    condition: {
      kind: "given-with",
      flag: "--kv-offloading-size",
      needs: "--disable-hybrid-kv-cache-manager",
    },
    needs: "KV offload was only ever run with --disable-hybrid-kv-cache-manager",
    reason: "the study's offload always turned the hybrid KV cache manager off",
    symptom: null,
    source: `${COOKBOOK}: KV Cache Offloading; Qwen3-VL (235B)`,
  },
  {
    id: "gqa-kv-offload-optional",
    severity: "info",
    appliesTo: { attention: "GQA" },
    engine: studied,
    condition: { kind: "arg-between", flag: "--kv-offloading-size", least: 32, most: 128 },
    needs: "KV offload is of 32 to 128 GiB: 32-64 for a context of 32K, 64-96 for 64K, 96-128 for 128K",
    reason: "with 256 GB per GPU it is usually not needed at all",
    symptom: null,
    source: `${COOKBOOK}: KV Cache Offloading`,
  },
  {
    id: "numa-balancing-off",
    severity: "warning",
    appliesTo: {},
    engine: anyEngine,
    condition: { kind: "host-setting-is", name: "kernel.numa_balancing", value: "0" },
    needs: "the server's host needs kernel.numa_balancing=0",
    reason: "pages that the kernel moves between NUMA nodes stop GPUs that wait for each other",
    symptom: "several GPUs hang together",
    source: `${COOKBOOK}: Troubleshooting`,
  },
];

/** What is worth knowing of a model and no rule can check. */
export interface DoctorNote {
  readonly id: string;
  readonly models: readonly KnownModelId[];
  readonly text: string;
  readonly source: string;
}

export const DOCTOR_NOTES: readonly DoctorNote[] = [
  {
    id: "gqa-aiter-optional",
    models: ["llama-3.1-405b"],
    text: "AITER is free to choose: by the study 3 to 5 % more throughput at high concurrency, about 10 % at one request, slightly less at 5 to 50, and more spread between runs",
    source: `${COOKBOOK}: AITER Configuration; AITER Ablation Study`,
  },
];
