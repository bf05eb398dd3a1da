import { AITER_STATES, type AiterState, inOtherState } from "./aiter.js";
import { EMULATED_VERSIONS, type EmulatedVersion, type Emulation, emulations } from "./emulation.js";
import type { EngineConfig } from "./engine/engine.js";
import type { StepTable } from "./engine/step-time.js";
import type { FaultWindow } from "./fault-schedule.js";
import { FAULT_KINDS, type FaultRates } from "./faults.js";
import { accelerators, type HardwareName } from "./hardware/accelerators.js";
import {
  type DerivedServer,
  deriveServer,
  type HardwareFacts,
  isHardwareName,
} from "./hardware/derived-server.js";
import type { KvCacheType } from "./hardware/kv-cache.js";
import { choice, integer, invalid, positive, share } from "./option-checks.js";
import { OUTPUT_LENGTH_PROFILES, type OutputLengthProfile } from "./output-length.js";
import { type Profile, type ProfileName, profiles } from "./profiles.js";
import type { VisionOptions } from "./vision/image-part.js";
import { imageRules } from "./vision/image-rules.js";

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

const MOST_ENGINES = 256;
const MOST_NOISE = 0.5;

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

/** Fills in the defaults. Throws LoadError PLAN_INVALID that names the option. */
export function resolveOptions(options: SimulatorOptions): SimulatorConfig {
  const defaults = SIMULATOR_DEFAULTS;
  const profileName = options.profile ?? defaults.profile;
  const profile = profileOf(profileName);
  const emulation = emulations[choice("emulate", options.emulate ?? defaults.emulate, EMULATED_VERSIONS)];
  const stepModel = resolveStepModel(options);
  const derived = stepModel === "table" ? undefined : resolveHardware(options, profileName);
  const engine = resolveEngine(options, profile, derived);
  return {
    profile: profileName,
    host: options.host ?? defaults.host,
    port: integer("port", options.port ?? defaults.port, { least: 0, most: 65_535 }),
    model: options.model ?? profile.model,
    maxModelLen: resolveModelLength(options, profile, engine.kvBlocks * engine.blockSize),
    vision: resolveVision(options, profileName, profile),
    dataParallelSize: integer("dataParallelSize", options.dataParallelSize ?? defaults.dataParallelSize, {
      least: 1,
      most: MOST_ENGINES,
    }),
    stepModel,
    hardware: derived?.facts,
    gpuMemoryUtilization: options.gpuMemoryUtilization ?? defaults.gpuMemoryUtilization,
    kvCacheDtype: options.kvCacheDtype ?? defaults.kvCacheDtype,
    engine,
    apiKey: options.apiKey,
    truthLogFile: options.truthLogFile,
    keepAliveMs: integer("keepAliveMs", options.keepAliveMs ?? defaults.keepAliveMs, { least: 0 }),
    seed: integer("seed", options.seed ?? defaults.seed, { least: 0 }),
    streamInterval: integer("streamInterval", options.streamInterval ?? defaults.streamInterval, {
      least: 1,
    }),
    frontEndUs: share("frontEndUs", options.frontEndUs ?? defaults.frontEndUs, 1e6),
    naturalStopMedian: positive("naturalStopMedian", options.naturalStopMedian ?? defaults.naturalStopMedian),
    naturalStopSigma: share("naturalStopSigma", options.naturalStopSigma ?? defaults.naturalStopSigma, 10),
    outputLengthProfile: choice(
      "outputLengthProfile",
      options.outputLengthProfile ?? defaults.outputLengthProfile,
      OUTPUT_LENGTH_PROFILES,
    ),
    aiter: aiterOf(options, profile),
    runNoiseCov: share("runNoiseCov", options.runNoiseCov ?? defaults.runNoiseCov, MOST_NOISE),
    stepNoiseCov: share("stepNoiseCov", options.stepNoiseCov ?? defaults.stepNoiseCov, MOST_NOISE),
    multiByteText: options.multiByteText ?? defaults.multiByteText,
    promptTokensDetails: options.promptTokensDetails ?? defaults.promptTokensDetails,
    forceIncludeUsage: options.forceIncludeUsage ?? defaults.forceIncludeUsage,
    faults: checkFaults(options.faults ?? {}),
    faultSchedule: options.faultSchedule ?? [],
    emulation,
    reasoningTokens: integer("reasoningTokens", options.reasoningTokens ?? defaults.reasoningTokens, {
      least: 0,
    }),
    version: options.version ?? emulation.version,
    maxBodyBytes: integer("maxBodyBytes", options.maxBodyBytes ?? defaults.maxBodyBytes, { least: 1 }),
  };
}

function resolveStepModel(options: SimulatorOptions): StepModelName {
  const asked = Object.entries({
    hardware: options.hardware,
    tensorParallelSize: options.tensorParallelSize,
    gpuMemoryUtilization: options.gpuMemoryUtilization,
    kvCacheDtype: options.kvCacheDtype,
  }).find(([, value]) => value !== undefined);
  const stepModel = options.stepModel ?? (asked === undefined ? SIMULATOR_DEFAULTS.stepModel : "roofline");
  choice("stepModel", stepModel, STEP_MODELS);
  if (stepModel === "table") {
    if (asked === undefined) return stepModel;
    throw invalid(asked[0], "the table of measured step times knows no other hardware", "stepModel roofline");
  }
  const ofTable = Object.entries({
    decodeStepMs: options.decodeStepMs,
    prefillTokensPerS: options.prefillTokensPerS,
  }).find(([, value]) => value !== undefined);
  if (ofTable === undefined) return stepModel;
  throw invalid(ofTable[0], "the roofline model has no table and no rate", "stepModel table");
}

function resolveHardware(options: SimulatorOptions, profile: ProfileName): DerivedServer {
  const defaults = SIMULATOR_DEFAULTS;
  const hardware: string = options.hardware ?? defaults.hardware;
  if (!isHardwareName(hardware)) {
    const known = Object.keys(accelerators).join(", ");
    throw invalid("hardware", `there is no accelerator ${hardware}`, `one of ${known}`);
  }
  const { tensorParallelSize: ranks } = options;
  const utilization = options.gpuMemoryUtilization ?? defaults.gpuMemoryUtilization;
  return deriveServer(profile, {
    hardware,
    tensorParallelSize:
      ranks === undefined ? undefined : integer("tensorParallelSize", ranks, { least: 1, most: 64 }),
    gpuMemoryUtilization: positive("gpuMemoryUtilization", share("gpuMemoryUtilization", utilization, 1)),
    kvCacheType: choice("kvCacheDtype", options.kvCacheDtype ?? defaults.kvCacheDtype, KV_CACHE_TYPES),
  });
}

function resolveVision(
  options: SimulatorOptions,
  name: ProfileName,
  profile: Profile,
): VisionOptions | undefined {
  const asked = options.imagesPerPrompt ?? SIMULATOR_DEFAULTS.imagesPerPrompt;
  const mostPerPrompt = integer("imagesPerPrompt", asked, { least: 0 });
  const rules = imageRules[name];
  return rules === undefined
    ? undefined
    : { rules, tokensOfUnseen: profile.tokensPerImage ?? 0, mostPerPrompt };
}

function resolveEngine(
  options: SimulatorOptions,
  profile: Profile,
  derived: DerivedServer | undefined,
): SimulatorConfig["engine"] {
  const defaults = SIMULATOR_DEFAULTS;
  const blockSize = integer("blockSize", options.blockSize ?? profile.blockSize, { least: 1, most: 4096 });
  const kvBlocks =
    options.kvBlocks ?? Math.max(1, Math.floor((derived?.kvTokens ?? profile.kvTokens) / blockSize));
  const budget = options.maxNumBatchedTokens ?? defaults.maxNumBatchedTokens;
  return {
    decodeStepMs: checkTable(options.decodeStepMs ?? stepTable(profile, aiterOf(options, profile))),
    prefillTokensPerS: positive("prefillTokensPerS", options.prefillTokensPerS ?? profile.prefillTokensPerS),
    stepModel: derived?.stepModel,
    encoderTokensPerS: imageRules[options.profile ?? defaults.profile]?.encoderTokensPerS,
    timeScale: positive("timeScale", options.timeScale ?? defaults.timeScale),
    maxNumSeqs: integer("maxNumSeqs", options.maxNumSeqs ?? defaults.maxNumSeqs, { least: 1 }),
    maxNumBatchedTokens: integer("maxNumBatchedTokens", budget, { least: 1 }),
    blockSize,
    kvBlocks: integer("kvBlocks", kvBlocks, { least: 1, most: 10_000_000 }),
    prefixCache: options.prefixCache ?? defaults.prefixCache,
  };
}

function aiterOf(options: SimulatorOptions, profile: Profile): AiterState {
  const state = choice("aiter", options.aiter ?? profile.aiter.fittedWith, AITER_STATES);
  if (state === profile.aiter.fittedWith || profile.aiter.otherFactors !== undefined) return state;
  throw invalid(
    "aiter",
    `nothing is published of ${profile.model} with AITER ${state}`,
    `its step times were fitted to rows with AITER ${profile.aiter.fittedWith}; only llama-3.1-405b was measured with both`,
  );
}

function stepTable({ decodeStepMs, aiter }: Profile, state: AiterState): StepTable {
  if (state === aiter.fittedWith || aiter.otherFactors === undefined) return decodeStepMs;
  return inOtherState(decodeStepMs, aiter.otherFactors);
}

/** As vLLM does at its start, a context that cannot fit into the KV blocks is refused. */
function resolveModelLength(options: SimulatorOptions, profile: Profile, kvTokens: number): number {
  if (options.maxModelLen === undefined) return Math.min(profile.maxModelLen, kvTokens);
  const length = integer("maxModelLen", options.maxModelLen, { least: 2 });
  if (length <= kvTokens) return length;
  throw invalid(
    "maxModelLen",
    `${length} tokens do not fit into the KV cache of ${kvTokens} tokens`,
    "raise kvBlocks or lower maxModelLen",
  );
}

function profileOf(name: string): Profile {
  const found = Object.entries(profiles).find(([known]) => known === name);
  if (found === undefined) {
    throw invalid("profile", `there is no profile ${name}`, `one of ${Object.keys(profiles).join(", ")}`);
  }
  return found[1];
}

function checkTable(table: StepTable): StepTable {
  let before = 0;
  for (const [sequences, ms] of table) {
    if (!(sequences > before) || !(ms > 0)) {
      throw invalid("decodeStepMs", `the point [${sequences}, ${ms}] is not ascending and positive`);
    }
    before = sequences;
  }
  if (table.length === 0) throw invalid("decodeStepMs", "the table has no point");
  return table;
}

function checkFaults(faults: FaultRates): FaultRates {
  let sum = 0;
  for (const [name, rate] of Object.entries(faults)) {
    if (!FAULT_KINDS.some((kind) => kind === name)) {
      throw invalid("faults", `there is no fault ${name}`, `one of ${FAULT_KINDS.join(", ")}`);
    }
    sum += share(`faults.${name}`, rate ?? 0, 1);
  }
  if (sum > 1) throw invalid("faults", `the rates add up to ${sum}, more than 1`);
  return faults;
}
