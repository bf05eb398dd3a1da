import { createEngine, type EngineStats, type StepOutput, type StepPlan } from "./engine/engine.js";
import type { GenerationRequest } from "./http/api-request.js";
import type { Generation } from "./http/generation.js";
import { EngineMetrics, type EngineView } from "./metrics/engine-metrics.js";
import { monotonicUs } from "./monotonic.js";
import { createStepNoise } from "./noise.js";
import type { SimulatorConfig } from "./options.js";
import { OutputLengths } from "./output-length.js";
import type { OutputQueue } from "./output-release.js";
import { hashIntegers, hashText } from "./random.js";
import { StepLoop } from "./step-loop.js";

const EOS_TOKEN = 10;

export interface EngineCoreOptions {
  /** Rank among the data-parallel engines, from 0. */
  readonly rank: number;
  readonly config: SimulatorConfig;
  /** Token id of each word that can come out. */
  readonly vocabulary: ArrayLike<number>;
  /** The front end's, shared by all engines. */
  readonly release: OutputQueue;
}

interface Active {
  readonly generation: Generation;
  readonly request: GenerationRequest;
  readonly arrivalUs: number;
  readonly queuedUs: number;
  scheduledUs: number;
  firstTokenUs: number;
  lastTokenUs: number;
}

/** One of vLLM's engine cores: a scheduler with a step clock, KV blocks and metrics of its own. */
export class EngineCore {
  readonly #config: SimulatorConfig;
  readonly #release: OutputQueue;
  readonly #lengths: OutputLengths;
  readonly #active = new Map<number, Active>();
  readonly #engine;
  readonly #metrics: EngineMetrics;
  readonly #loop: StepLoop;

  constructor({ rank, config, vocabulary, release }: EngineCoreOptions) {
    this.#config = config;
    this.#release = release;
    this.#lengths = new OutputLengths(config);
    const stepNoise = createStepNoise({ ...config, rank });
    this.#engine = createEngine({ ...config.engine, vocabulary, eosToken: EOS_TOKEN, stepNoise });
    this.#metrics = createMetrics(rank, config);
    this.#loop = new StepLoop({
      engine: this.#engine,
      nowUs: monotonicUs,
      onBegin: (plan, nowUs) => this.#onBegin(plan, nowUs),
      onEnd: (outputs, { nowUs }) => this.#onEnd(outputs, nowUs),
    });
  }

  stats(): EngineStats {
    return this.#engine.stats();
  }

  view(): EngineView {
    return this.#metrics.view(this.#engine.stats());
  }

  get slippedUs(): number {
    return this.#loop.slippedUs;
  }

  /** By which a new request is placed: vLLM's balancer weighs one that waits as four that run. */
  get load(): number {
    const { running, waiting } = this.#engine.stats();
    return running + 4 * waiting;
  }

  /** Images of a request that the front end prepared, and found prepared. */
  countImages(queries: number, hits: number): void {
    this.#metrics.images(queries, hits);
  }

  add(id: string, ordinal: number, request: GenerationRequest, generation: Generation): void {
    const outputSeed = hashText(id, hashIntegers(request.promptTokens, this.#config.seed));
    const queuedUs = monotonicUs();
    const arrivalUs = this.#config.emulation.arrival === "received" ? generation.receivedUs : queuedUs;
    this.#active.set(ordinal, {
      generation,
      request,
      arrivalUs,
      queuedUs,
      scheduledUs: queuedUs,
      firstTokenUs: 0,
      lastTokenUs: 0,
    });
    this.#engine.add({
      id: ordinal,
      promptTokens: request.promptTokens,
      images: request.images,
      maxTokens: request.maxTokens,
      stopAfter: this.#lengths.begin({ ...request, outputSeed, nowUs: arrivalUs }),
      cacheSalt: request.cacheSalt,
      outputSeed,
    });
    this.#loop.wake();
  }

  abort(ordinal: number): void {
    this.#engine.abort(ordinal);
    if (this.#active.delete(ordinal)) this.#lengths.end(monotonicUs());
  }

  close(): void {
    this.#loop.close();
  }

  #onBegin(plan: StepPlan, nowUs: number): void {
    for (const { id, cachedTokens } of plan.admitted) {
      const active = this.#active.get(id);
      if (active === undefined) continue;
      active.scheduledUs = nowUs;
      active.generation.admitted(cachedTokens);
    }
  }

  #onEnd(outputs: readonly StepOutput[], nowUs: number): void {
    let firstPromptTokens = 0;
    for (const output of outputs) {
      const active = this.#active.get(output.id);
      if (active === undefined) continue;
      active.generation.generated();
      if (output.ordinal === 1) {
        const tokens = active.request.promptTokens.length;
        firstPromptTokens += tokens;
        active.firstTokenUs = nowUs;
        const { cachedTokens } = active.generation;
        this.#metrics.firstToken({ tokens, cachedTokens }, nowUs - active.arrivalUs);
      } else {
        this.#metrics.laterToken(nowUs - active.lastTokenUs);
      }
      active.lastTokenUs = nowUs;
      this.#release.push(active.generation, output);
      if (output.finish !== null) this.#finish(active, output, output.finish);
    }
    this.#metrics.iteration(outputs.length, firstPromptTokens);
    this.#release.run();
  }

  #finish(active: Active, output: StepOutput, finish: "length" | "stop"): void {
    this.#active.delete(output.id);
    this.#lengths.end(active.lastTokenUs);
    this.#metrics.finished({
      finish,
      promptTokens: active.request.promptTokens.length,
      cachedTokens: active.generation.cachedTokens,
      outputTokens: output.ordinal,
      maxTokens: active.request.maxTokens,
      arrivalUs: active.arrivalUs,
      queuedUs: active.queuedUs,
      scheduledUs: active.scheduledUs,
      firstTokenUs: active.firstTokenUs,
      endUs: active.lastTokenUs,
    });
  }
}

/** Labels of vllm:cache_config_info for what the simulator has not, with their defaults. */
const UNUSED_CACHE_CONFIG = {
  calculate_kv_scales: "False",
  cpu_kvcache_space_bytes: "None",
  cpu_offload_gb: "0",
  is_attention_free: "False",
  kv_cache_memory_bytes: "None",
  kv_sharing_fast_prefill: "False",
  mamba_block_size: "None",
  mamba_cache_dtype: "auto",
  mamba_page_size_padded: "None",
  mamba_ssm_cache_dtype: "auto",
  num_cpu_blocks: "None",
  num_gpu_blocks_override: "None",
  prefix_caching_hash_algo: "sha256",
  sliding_window: "None",
  swap_space: "4",
} as const;

function createMetrics(engine: number, config: SimulatorConfig): EngineMetrics {
  const { blockSize, kvBlocks, prefixCache } = config.engine;
  return new EngineMetrics({
    engine,
    model: config.model,
    maxModelLen: config.maxModelLen,
    createdS: Date.now() / 1000,
    cacheConfig: {
      ...UNUSED_CACHE_CONFIG,
      block_size: String(blockSize),
      cache_dtype: config.kvCacheDtype,
      enable_prefix_caching: prefixCache ? "True" : "False",
      gpu_memory_utilization: String(config.gpuMemoryUtilization),
      num_gpu_blocks: String(kvBlocks),
    },
  });
}
