import { LoadError } from "@tokenstorm/core";
import { AITER_STATES, type AiterState, inOtherState } from "./aiter.js";
import type { EngineConfig } from "./engine/engine.js";
import type { StepTable } from "./engine/step-time.js";
import { FAULT_KINDS, type FaultRates } from "./faults.js";
import { OUTPUT_LENGTH_PROFILES, type OutputLengthProfile } from "./output-length.js";
import { type Profile, type ProfileName, profiles } from "./profiles.js";

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
  readonly prefillTokensPerS?: number | undefined;
  readonly decodeStepMs?: StepTable | undefined;
  readonly prefixCache?: boolean | undefined;
  /** When set, /v1 wants `Authorization: Bearer <key>`. */
  readonly apiKey?: string | undefined;
  readonly truthLogFile?: string | undefined;
  readonly keepAliveMs?: number | undefined;
  readonly seed?: number | undefined;
  /** Tokens per event, as vLLM's --stream-interval: the first and the last token do not wait. */
  readonly streamInterval?: number | undefined;
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
  /** Tells cached tokens in `usage.prompt_tokens_details`. */
  readonly promptTokensDetails?: boolean | undefined;
  /** Share of requests that get each fault. */
  readonly faults?: FaultRates | undefined;
  /** Version answered by /version. */
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
  prefillTokensPerS: null,
  prefixCache: true,
  keepAliveMs: 5000,
  seed: 1,
  streamInterval: 1,
  naturalStopMedian: 128,
  naturalStopSigma: 0.4,
  outputLengthProfile: "natural",
  aiter: null,
  runNoiseCov: 0,
  stepNoiseCov: 0,
  multiByteText: false,
  promptTokensDetails: false,
  version: "0.14.1",
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
  readonly tokensPerImage: number;
  readonly dataParallelSize: number;
  readonly engine: Omit<EngineConfig, "vocabulary" | "eosToken">;
  readonly apiKey: string | undefined;
  readonly truthLogFile: string | undefined;
  readonly keepAliveMs: number;
  readonly seed: number;
  readonly streamInterval: number;
  readonly naturalStopMedian: number;
  readonly naturalStopSigma: number;
  readonly outputLengthProfile: OutputLengthProfile;
  readonly aiter: AiterState;
  readonly runNoiseCov: number;
  readonly stepNoiseCov: number;
  readonly multiByteText: boolean;
  readonly promptTokensDetails: boolean;
  readonly faults: FaultRates;
  readonly version: string;
  readonly maxBodyBytes: number;
}

/** Fills in the defaults. Throws LoadError PLAN_INVALID that names the option. */
export function resolveOptions(options: SimulatorOptions): SimulatorConfig {
  const defaults = SIMULATOR_DEFAULTS;
  const profileName = options.profile ?? defaults.profile;
  const profile = profileOf(profileName);
  const engine = resolveEngine(options, profile);
  return {
    profile: profileName,
    host: options.host ?? defaults.host,
    port: integer("port", options.port ?? defaults.port, { least: 0, most: 65_535 }),
    model: options.model ?? profile.model,
    maxModelLen: resolveModelLength(options, profile, engine.kvBlocks * engine.blockSize),
    tokensPerImage: profile.tokensPerImage ?? 0,
    dataParallelSize: integer("dataParallelSize", options.dataParallelSize ?? defaults.dataParallelSize, {
      least: 1,
      most: MOST_ENGINES,
    }),
    engine,
    apiKey: options.apiKey,
    truthLogFile: options.truthLogFile,
    keepAliveMs: integer("keepAliveMs", options.keepAliveMs ?? defaults.keepAliveMs, { least: 0 }),
    seed: integer("seed", options.seed ?? defaults.seed, { least: 0 }),
    streamInterval: integer("streamInterval", options.streamInterval ?? defaults.streamInterval, {
      least: 1,
    }),
    naturalStopMedian: positive("naturalStopMedian", options.naturalStopMedian ?? defaults.naturalStopMedian),
    naturalStopSigma: share("naturalStopSigma", options.naturalStopSigma ?? defaults.naturalStopSigma, 10),
    outputLengthProfile: oneOf(
      "outputLengthProfile",
      OUTPUT_LENGTH_PROFILES,
      options.outputLengthProfile ?? defaults.outputLengthProfile,
    ),
    aiter: aiterOf(options, profile),
    runNoiseCov: share("runNoiseCov", options.runNoiseCov ?? defaults.runNoiseCov, MOST_NOISE),
    stepNoiseCov: share("stepNoiseCov", options.stepNoiseCov ?? defaults.stepNoiseCov, MOST_NOISE),
    multiByteText: options.multiByteText ?? defaults.multiByteText,
    promptTokensDetails: options.promptTokensDetails ?? defaults.promptTokensDetails,
    faults: checkFaults(options.faults ?? {}),
    version: options.version ?? defaults.version,
    maxBodyBytes: integer("maxBodyBytes", options.maxBodyBytes ?? defaults.maxBodyBytes, { least: 1 }),
  };
}

function resolveEngine(options: SimulatorOptions, profile: Profile): SimulatorConfig["engine"] {
  const defaults = SIMULATOR_DEFAULTS;
  const blockSize = integer("blockSize", options.blockSize ?? profile.blockSize, { least: 1, most: 4096 });
  const kvBlocks = options.kvBlocks ?? Math.floor(profile.kvTokens / blockSize);
  const budget = options.maxNumBatchedTokens ?? defaults.maxNumBatchedTokens;
  return {
    decodeStepMs: checkTable(options.decodeStepMs ?? stepTable(profile, aiterOf(options, profile))),
    prefillTokensPerS: positive("prefillTokensPerS", options.prefillTokensPerS ?? profile.prefillTokensPerS),
    timeScale: positive("timeScale", options.timeScale ?? defaults.timeScale),
    maxNumSeqs: integer("maxNumSeqs", options.maxNumSeqs ?? defaults.maxNumSeqs, { least: 1 }),
    maxNumBatchedTokens: integer("maxNumBatchedTokens", budget, { least: 1 }),
    blockSize,
    kvBlocks: integer("kvBlocks", kvBlocks, { least: 1, most: 10_000_000 }),
    prefixCache: options.prefixCache ?? defaults.prefixCache,
  };
}

function aiterOf(options: SimulatorOptions, profile: Profile): AiterState {
  const state = oneOf("aiter", AITER_STATES, options.aiter ?? profile.aiter.fittedWith);
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

function integer(name: string, value: number, range: { least: number; most?: number }): number {
  const most = range.most ?? Number.MAX_SAFE_INTEGER;
  if (Number.isSafeInteger(value) && value >= range.least && value <= most) return value;
  const upper = range.most === undefined ? "" : ` and at most ${most}`;
  throw invalid(name, `${value} is not a whole number of at least ${range.least}${upper}`);
}

function oneOf<Word extends string>(name: string, words: readonly Word[], given: string): Word {
  const found = words.find((word) => word === given);
  if (found === undefined) throw invalid(name, `there is no ${given}`, `one of ${words.join(", ")}`);
  return found;
}

function positive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw invalid(name, `${value} is not a positive number`);
}

function share(name: string, value: number, most: number): number {
  if (Number.isFinite(value) && value >= 0 && value <= most) return value;
  throw invalid(name, `${value} is not between 0 and ${most}`);
}

function invalid(option: string, problem: string, hint?: string): LoadError {
  return new LoadError("PLAN_INVALID", `simulator option ${option}: ${problem}`, { hint });
}
