import { AITER_STATES, type AiterState, inOtherState } from "./aiter.js";
import { EMULATED_VERSIONS, emulations } from "./emulation.js";
import type { StepTable } from "./engine/step-time.js";
import { FAULT_KINDS, type FaultRates } from "./faults.js";
import { accelerators } from "./hardware/accelerators.js";
import { type DerivedServer, deriveServer, isHardwareName } from "./hardware/derived-server.js";
import { choice, integer, invalid, positive, share } from "./option-checks.js";
import {
  KV_CACHE_TYPES,
  SIMULATOR_DEFAULTS,
  type SimulatorConfig,
  type SimulatorOptions,
  STEP_MODELS,
  type StepModelName,
} from "./options.js";
import { OUTPUT_LENGTH_PROFILES } from "./output-length.js";
import { type Profile, type ProfileName, profiles } from "./profiles.js";
import type { VisionOptions } from "./vision/image-part.js";
import { imageRules } from "./vision/image-rules.js";

const MOST_ENGINES = 256;
const MOST_NOISE = 0.5;

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
    throw invalid(
      asked[0],
      "the table was fitted to published rows of one machine and knows no other",
      "stepModel roofline",
    );
  }
  const ofTable = Object.entries({
    decodeStepMs: options.decodeStepMs,
    prefillTokensPerS: options.prefillTokensPerS,
    aiter: options.aiter,
  }).find(([, value]) => value !== undefined);
  if (ofTable === undefined) return stepModel;
  throw invalid(ofTable[0], "the roofline model has no table, no rate and no kernels", "stepModel table");
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
