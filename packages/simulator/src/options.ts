import type { AiterState } from "./aiter.js";
import type { EmulatedVersion, Emulation } from "./emulation.js";
import type { EngineConfig } from "./engine/engine.js";
import type { StepTable } from "./engine/step-time.js";
import type { FaultWindow } from "./fault-schedule.js";
import type { FaultRates } from "./faults.js";
import type { HardwareName } from "./hardware/accelerators.js";
import type { HardwareFacts } from "./hardware/derived-server.js";
import type { KvCacheType } from "./hardware/kv-cache.js";
import type { OutputLengthProfile } from "./output-length.js";
import type { ProfileName } from "./profiles.js";
import type { VisionOptions } from "./vision/image-part.js";

export type StepModelName = "table" | "roofline";
export const STEP_MODELS: readonly StepModelName[] = ["table", "roofline"];
export const KV_CACHE_TYPES: readonly KvCacheType[] = ["auto", "fp8"];

/** Everything that can be set; what is absent or undefined is taken from `SIMULATOR_DEFAULTS` or the profile. */
export interface SimulatorOptions {
  readonly profile?: ProfileName | undefined;
  readonly host?: string | undefined;
  /** 0 lets the system choose. */
  readonly port?: number | undefined;
  /** Name served in /v1/models and asked for in requests; the profile's by default. */
  readonly model?: string | undefined;
  /** 10 makes everything ten times faster. */
  readonly timeScale?: number | undefined;
  /** Engines behind the one address, each with sequences and KV blocks of its own, as vLLM's --data-parallel-size. */
  readonly dataParallelSize?: number | undefined;
  readonly maxNumSeqs?: number | undefined;
  readonly maxNumBatchedTokens?: number | undefined;
  readonly kvBlocks?: number | undefined;
  readonly blockSize?: number | undefined;
  readonly maxModelLen?: number | undefined;
  /**
   * How long a step takes: by the profile's table, read from published measurements; or derived from data sheet and model
   * shape (docs/simulator.md), which any of the four options below asks for too.
   */
  readonly stepModel?: StepModelName | undefined;
  readonly hardware?: HardwareName | undefined;
  readonly tensorParallelSize?: number | undefined;
  readonly gpuMemoryUtilization?: number | undefined;
  readonly kvCacheDtype?: KvCacheType | undefined;
  /** Of the table. */
  readonly prefillTokensPerS?: number | undefined;
  /** Of the table. */
  readonly decodeStepMs?: StepTable | undefined;
  readonly prefixCache?: boolean | undefined;
  /** When set, /v1 wants `Authorization: Bearer <key>`. */
  readonly apiKey?: string | undefined;
  readonly truthLogFile?: string | undefined;
  readonly keepAliveMs?: number | undefined;
  readonly seed?: number | undefined;
  /** Tokens per event, as vLLM's --stream-interval: the first and the last token do not wait. */
  readonly streamInterval?: number | undefined;
  /**
   * What the front end takes to hand one token to its answer, us: where it cannot keep up it merges tokens, as vLLM's does. 0 is a
   * front end that costs nothing.
   */
  readonly frontEndUs?: number | undefined;
  /** Without `ignore_eos` an answer ends after a log-normal number of tokens, EOS included. */
  readonly naturalStopMedian?: number | undefined;
  readonly naturalStopSigma?: number | undefined;
  /** By which rule answers end without `ignore_eos`. */
  readonly outputLengthProfile?: OutputLengthProfile | undefined;
  /** AITER kernels; by default as in the rows to which the profile was fitted. */
  readonly aiter?: AiterState | undefined;
  /** Coefficient of variation of one factor on all step times, drawn at the start: servers that were started anew differ. */
  readonly runNoiseCov?: number | undefined;
  /** The same of each step's own factor. */
  readonly stepNoiseCov?: number | undefined;
  /** Puts words of two to four bytes per character into the output. */
  readonly multiByteText?: boolean | undefined;
  /** Images in one prompt, as vLLM's --limit-mm-per-prompt. */
  readonly imagesPerPrompt?: number | undefined;
  /** Tells cached tokens in `usage.prompt_tokens_details`. */
  readonly promptTokensDetails?: boolean | undefined;
  /** Usage on streams that did not ask for it, as vLLM's --enable-force-include-usage. */
  readonly forceIncludeUsage?: boolean | undefined;
  /** Share of requests that get each fault. */
  readonly faults?: FaultRates | undefined;
  /** What goes wrong when; goes before the rates. */
  readonly faultSchedule?: readonly FaultWindow[] | undefined;
  /** Which vLLM's wire: names of metrics and fields, errors. */
  readonly emulate?: EmulatedVersion | undefined;
  /** The first so many tokens of each chat answer are thoughts, told in the version's reasoning fields. */
  readonly reasoningTokens?: number | undefined;
  /** Version answered by /version; by default as emulated. */
  readonly version?: string | undefined;
  readonly maxBodyBytes?: number | undefined;
}

/** All defaults; `null` means: as the profile says. */
export const SIMULATOR_DEFAULTS = {
  profile: "llama-3.1-405b",
  host: "127.0.0.1",
  port: 0,
  model: null,
  timeScale: 1,
  dataParallelSize: 1,
  maxNumSeqs: 1024,
  maxNumBatchedTokens: 8192,
  kvBlocks: null,
  blockSize: null,
  maxModelLen: null,
  stepModel: "table",
  hardware: "mi325x",
  tensorParallelSize: null,
  gpuMemoryUtilization: 0.9,
  kvCacheDtype: "auto",
  prefillTokensPerS: null,
  prefixCache: true,
  keepAliveMs: 5000,
  seed: 1,
  streamInterval: 1,
  frontEndUs: 0,
  naturalStopMedian: 128,
  naturalStopSigma: 0.4,
  outputLengthProfile: "natural",
  aiter: null,
  runNoiseCov: 0,
  stepNoiseCov: 0,
  multiByteText: false,
  imagesPerPrompt: 999,
  promptTokensDetails: false,
  forceIncludeUsage: false,
  emulate: "0.14",
  reasoningTokens: 0,
  version: null,
  maxBodyBytes: 64 * 1024 * 1024,
} as const;

/** Options past their checks. */
export interface SimulatorConfig {
  readonly profile: ProfileName;
  readonly host: string;
  readonly port: number;
  readonly model: string;
  readonly maxModelLen: number;
  /** Undefined where the model does not see images. */
  readonly vision: VisionOptions | undefined;
  readonly dataParallelSize: number;
  readonly stepModel: StepModelName;
  /** What the roofline model rests on; undefined for the table. */
  readonly hardware: HardwareFacts | undefined;
  readonly gpuMemoryUtilization: number;
  readonly kvCacheDtype: KvCacheType;
  readonly engine: Omit<EngineConfig, "vocabulary" | "eosToken">;
  readonly apiKey: string | undefined;
  readonly truthLogFile: string | undefined;
  readonly keepAliveMs: number;
  readonly seed: number;
  readonly streamInterval: number;
  readonly frontEndUs: number;
  readonly naturalStopMedian: number;
  readonly naturalStopSigma: number;
  readonly outputLengthProfile: OutputLengthProfile;
  readonly aiter: AiterState;
  readonly runNoiseCov: number;
  readonly stepNoiseCov: number;
  readonly multiByteText: boolean;
  readonly promptTokensDetails: boolean;
  readonly forceIncludeUsage: boolean;
  readonly faults: FaultRates;
  readonly faultSchedule: readonly FaultWindow[];
  readonly emulation: Emulation;
  readonly reasoningTokens: number;
  readonly version: string;
  readonly maxBodyBytes: number;
}
