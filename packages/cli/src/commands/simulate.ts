import { readFile } from "node:fs/promises";
import { LoadError } from "@tokenstorm/core";
import {
  AITER_STATES,
  type AiterState,
  accelerators,
  EMULATED_VERSIONS,
  type EmulatedVersion,
  FAULT_KINDS,
  type FaultKind,
  type HardwareName,
  isFaultSchedule,
  KV_CACHE_TYPES,
  OUTPUT_LENGTH_PROFILES,
  type OutputLengthProfile,
  type ProfileName,
  parseFaultSchedule,
  profiles,
  type Simulator,
  type SimulatorOptions,
  STEP_MODELS,
  type StepModelName,
  startSimulator,
} from "@tokenstorm/simulator";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CommandContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import { tellHealth } from "../health.js";
import { onInterrupt } from "../interrupt.js";
import { count, positiveNumber } from "../parse-arguments.js";

interface SimulateFlags {
  readonly profile?: ProfileName;
  readonly host?: string;
  readonly port?: number;
  readonly model?: string;
  readonly timeScale?: number;
  readonly dataParallelSize?: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly kvBlocks?: number;
  readonly blockSize?: number;
  readonly maxModelLen?: number;
  readonly stepModel?: StepModelName;
  readonly hardware?: HardwareName;
  readonly tensorParallelSize?: number;
  readonly gpuMemoryUtilization?: number;
  readonly kvCacheDtype?: NonNullable<SimulatorOptions["kvCacheDtype"]>;
  readonly prefillRate?: number;
  readonly prefixCache: boolean;
  readonly apiKey?: string;
  readonly apiKeyEnv?: string;
  readonly truthLog?: string;
  readonly limitMmPerPrompt?: number;
  readonly emulate?: EmulatedVersion;
  readonly reasoningTokens?: number;
  readonly enablePromptTokensDetails?: boolean;
  readonly enableForceIncludeUsage?: boolean;
  readonly streamInterval?: number;
  readonly frontEndUs?: number;
  readonly seed?: number;
  readonly multiByte?: boolean;
  readonly aiter?: AiterState;
  readonly outputLengths?: OutputLengthProfile;
  readonly runNoise?: number;
  readonly stepNoise?: number;
  readonly fault: Partial<Record<FaultKind, number>>;
  readonly faultSchedule?: string;
  readonly json?: boolean;
}

export function addSimulate(program: Command, context: CommandContext): void {
  program
    .command("simulate")
    .description("serve the OpenAI API as vLLM does, without a GPU")
    .option("--profile <name>", `model to behave like: ${Object.keys(profiles).join(", ")}`, profileName)
    .option("--host <address>", "address to listen on; 127.0.0.1 by default")
    .option("--port <n>", "port; 0, the default, lets the system choose", count)
    .option("--model <name>", "name to serve the model under")
    .option("--time-scale <x>", "so many times faster than the real thing", positiveNumber)
    .option("--data-parallel-size <n>", "engines behind the one address; 1 by default", count)
    .option("--max-num-seqs <n>", "sequences in one step of an engine", count)
    .option("--max-num-batched-tokens <n>", "token budget of one step", count)
    .option("--kv-blocks <n>", "blocks of an engine's KV cache", count)
    .option("--block-size <n>", "tokens in a block", count)
    .option("--max-model-len <n>", "longest prompt and answer together", count)
    .addOption(
      new Option(
        "--step-model <name>",
        "time of a step: the profile's table, or from hardware and model shape",
      ).choices(STEP_MODELS),
    )
    .addOption(
      new Option("--hardware <name>", "for roofline; mi325x by default").choices(Object.keys(accelerators)),
    )
    .option("--tensor-parallel-size <n>", "GPUs of an engine, for roofline", count)
    .option(
      "--gpu-memory-utilization <x>",
      "share of the memory, for roofline; 0.9 by default",
      positiveNumber,
    )
    .addOption(
      new Option("--kv-cache-dtype <type>", "precision of the KV cache, for roofline").choices(
        KV_CACHE_TYPES,
      ),
    )
    .option("--prefill-rate <x>", "prompt tokens per second, for table", positiveNumber)
    .option("--no-prefix-cache", "without the prefix cache")
    .option("--api-key <key>", "want this key from every client")
    .option("--api-key-env <name>", "environment variable with that key")
    .option(
      "--truth-log <file>",
      "write what was received and when each byte was sent, as JSON lines, at the end",
    )
    .option(
      "--limit-mm-per-prompt <n>",
      'images in one prompt, as vLLM takes it: 2, image=2 or {"image":2}; 999 by default',
      imageLimit,
    )
    .addOption(
      new Option("--emulate <version>", "wire of which vLLM; 0.14 by default").choices(EMULATED_VERSIONS),
    )
    .option("--reasoning-tokens <n>", "thoughts at the start of each chat answer", count)
    .option("--enable-prompt-tokens-details", "tell cached tokens in usage")
    .option("--enable-force-include-usage", "usage on streams that did not ask for it")
    .option("--stream-interval <n>", "tokens per event", count)
    .option(
      "--front-end-us <x>",
      "what handing out a token takes; a front end that is late merges",
      positiveNumber,
    )
    .option("--seed <n>", "of every random choice", count)
    .option("--multi-byte", "words of several bytes per character in the output")
    .addOption(
      new Option("--aiter <state>", "AITER kernels; by default as the profile was measured").choices(
        AITER_STATES,
      ),
    )
    .addOption(
      new Option(
        "--output-lengths <profile>",
        "how answers end without ignore_eos; natural by default",
      ).choices(OUTPUT_LENGTH_PROFILES),
    )
    .option(
      "--run-noise <cov>",
      "coefficient of variation of step times from start to start, such as 0.04",
      share,
    )
    .option("--step-noise <cov>", "the same from step to step", share)
    .addOption(
      new Option("--fault <kind=share>", `share of requests that fail: ${FAULT_KINDS.join(", ")}`)
        .default({}, "none")
        .argParser(faultShare),
    )
    .option(
      "--fault-schedule <file|text>",
      "what fails when, in seconds since the start: 10..20:reset=0.05;after=5,30..32:refuse",
    )
    .option("--json", "one line of JSON with the URL")
    .action((flags: SimulateFlags) => context.finish(simulate(flags, context)));
}

async function simulate(flags: SimulateFlags, context: CommandContext): Promise<number> {
  const { terminal, env } = context;
  const simulator = await started({
    profile: flags.profile,
    host: flags.host,
    port: flags.port,
    model: flags.model,
    timeScale: flags.timeScale,
    dataParallelSize: flags.dataParallelSize,
    maxNumSeqs: flags.maxNumSeqs,
    maxNumBatchedTokens: flags.maxNumBatchedTokens,
    kvBlocks: flags.kvBlocks,
    blockSize: flags.blockSize,
    maxModelLen: flags.maxModelLen,
    stepModel: flags.stepModel,
    hardware: flags.hardware,
    tensorParallelSize: flags.tensorParallelSize,
    gpuMemoryUtilization: flags.gpuMemoryUtilization,
    kvCacheDtype: flags.kvCacheDtype,
    prefillTokensPerS: flags.prefillRate,
    prefixCache: flags.prefixCache,
    apiKey: flags.apiKey ?? keyFrom(flags.apiKeyEnv, env),
    truthLogFile: flags.truthLog,
    imagesPerPrompt: flags.limitMmPerPrompt,
    emulate: flags.emulate,
    reasoningTokens: flags.reasoningTokens,
    promptTokensDetails: flags.enablePromptTokensDetails,
    forceIncludeUsage: flags.enableForceIncludeUsage,
    streamInterval: flags.streamInterval,
    frontEndUs: flags.frontEndUs,
    seed: flags.seed,
    multiByteText: flags.multiByte,
    outputLengthProfile: flags.outputLengths,
    aiter: flags.aiter,
    runNoiseCov: flags.runNoise,
    stepNoiseCov: flags.stepNoise,
    faults: flags.fault,
    faultSchedule: await readSchedule(flags.faultSchedule),
  });
  const { url, model, cautions } = simulator;
  const ended = new Promise<string>((resolve) => {
    onInterrupt((_, cause) => resolve(cause));
  });
  const health = await tellHealth({ ...context, isFit: () => true });
  await terminal.print(
    flags.json === true
      ? JSON.stringify({ url, model, cautions })
      : `simulating ${model} at ${url}\n${cautions.map((note) => `note: ${note}\n`).join("")}try it: tokenstorm run --target ${url} --users 1,10,100 --duration 10s\nCtrl-C ends it`,
  );
  await ended;
  await simulator.close();
  await health.close();
  return EXIT.ok;
}

/** There is no plan here: what the simulator refuses is not exit code 104. */
async function started(options: SimulatorOptions): Promise<Simulator> {
  try {
    return await startSimulator(options);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new LoadError("TARGET_UNREACHABLE", error.message, { hint: error.hint, cause: error });
  }
}

/** A schedule itself, or a file with one entry a line. */
async function readSchedule(text: string | undefined): Promise<SimulatorOptions["faultSchedule"]> {
  if (text === undefined) return undefined;
  try {
    return parseFaultSchedule(isFaultSchedule(text) ? text : await readFile(text, "utf8"));
  } catch (error) {
    if (error instanceof LoadError)
      throw new LoadError("TARGET_UNREACHABLE", error.message, { hint: error.hint });
    throw new LoadError("TARGET_UNREACHABLE", `the fault schedule ${text} cannot be read`, {
      cause: error,
      hint: "write FROM..TO:KIND=RATE, or a file with one such entry a line",
    });
  }
}

function keyFrom(name: string | undefined, env: CommandContext["env"]): string | undefined {
  if (name === undefined) return undefined;
  const value = env[name];
  if (value === undefined)
    throw new LoadError("SECRET_MISSING", `the environment variable ${name} is not set`);
  return value;
}

function profileName(text: string): ProfileName {
  const names: readonly string[] = Object.keys(profiles);
  const isName = (name: string): name is ProfileName => names.includes(name);
  if (isName(text)) return text;
  throw new InvalidArgumentError(`there is no such profile; one of ${names.join(", ")}.`);
}

function imageLimit(text: string): number {
  const match =
    /^(?:image=)?(\d{1,6})$/.exec(text.trim()) ?? /^\{\s*"image"\s*:\s*(\d{1,6})\s*\}$/.exec(text.trim());
  if (match !== null) return Number(match[1]);
  throw new InvalidArgumentError('write 2, image=2 or {"image":2}.');
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("write a share between 0 and 1.");
}

function faultShare(text: string, before: SimulateFlags["fault"]): SimulateFlags["fault"] {
  const [name, share] = text.split("=");
  const kind = FAULT_KINDS.find((one) => one === name);
  const value = Number(share);
  if (kind === undefined || share === undefined || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError(`write kind=share, such as ${FAULT_KINDS[0]}=0.01.`);
  }
  return { ...before, [kind]: value };
}
