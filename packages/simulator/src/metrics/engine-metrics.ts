import type { EngineStats } from "../engine/engine.js";
import { BucketHistogram, labelText } from "./exposition.js";

const TTFT_BOUNDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
  2560,
];
const TOKEN_TIME_BOUNDS = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
const LATENCY_BOUNDS = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];
const ITERATION_BOUNDS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];
const N_BOUNDS = [1, 2, 5, 10, 20];

export interface MetricsOptions {
  /** Index of the data-parallel engine, the label `engine`. */
  readonly engine: number;
  readonly model: string;
  readonly maxModelLen: number;
  readonly createdS: number;
  /** Labels of `vllm:cache_config_info`. */
  readonly cacheConfig: Readonly<Record<string, string>>;
}

/** One engine at the moment of a scrape. */
export interface EngineView {
  readonly engine: string;
  readonly model: string;
  readonly createdS: number;
  readonly cacheConfig: Readonly<Record<string, string>>;
  readonly labels: string;
  readonly stats: EngineStats;
  readonly promptTokens: number;
  /** Of those the ones that the prefix cache spared. */
  readonly cachedPromptTokens: number;
  readonly generationTokens: number;
  readonly images: { readonly queries: number; readonly hits: number };
  readonly successes: Readonly<Record<"stop" | "length", number>>;
  readonly histograms: ReturnType<typeof createHistograms>;
}

/** Life of one finished request, monotonic microseconds. */
export interface FinishedRequest {
  readonly finish: "length" | "stop";
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly maxTokens: number;
  /** From where TTFT and e2e count. */
  readonly arrivalUs: number;
  /** When it came to the engine. */
  readonly queuedUs: number;
  readonly scheduledUs: number;
  readonly firstTokenUs: number;
  readonly endUs: number;
}

/** Counts as vLLM 0.14 does, at the moment a step's tokens are generated, before anything is written. */
export class EngineMetrics {
  readonly #options: MetricsOptions;
  readonly #labels: string;
  #promptTokens = 0;
  #generationTokens = 0;
  #cachedPromptTokens = 0;
  readonly #images = { queries: 0, hits: 0 };
  /** Requests that a client left are no success of any kind, and nothing else ends one here. */
  readonly #successes = { stop: 0, length: 0 };
  readonly #histograms: ReturnType<typeof createHistograms>;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#labels = labelText({ engine: String(options.engine), model_name: options.model });
    this.#histograms = createHistograms(options.maxModelLen);
  }

  get promptTokens(): number {
    return this.#promptTokens;
  }

  get generationTokens(): number {
    return this.#generationTokens;
  }

  /** The whole prompt counts here, its cached part too, and also when the request is aborted later. */
  firstToken(prompt: { readonly tokens: number; readonly cachedTokens: number }, ttftUs: number): void {
    this.#promptTokens += prompt.tokens;
    this.#cachedPromptTokens += prompt.cachedTokens;
    this.#histograms.ttft.observe(ttftUs / 1e6);
  }

  /** Images of a request, and those of them that the front end had prepared before. */
  images(queries: number, hits: number): void {
    this.#images.queries += queries;
    this.#images.hits += hits;
  }

  laterToken(gapUs: number): void {
    this.#histograms.itl.observe(gapUs / 1e6);
  }

  /** One step with `outputs` tokens, of which some were the first of prompts of `firstPromptTokens`. */
  iteration(outputs: number, firstPromptTokens: number): void {
    this.#generationTokens += outputs;
    this.#histograms.iterationTokens.observe(outputs + firstPromptTokens);
  }

  /** Never called for a request whose client went away. */
  finished(request: FinishedRequest): void {
    const h = this.#histograms;
    const decodeS = (request.endUs - request.firstTokenUs) / 1e6;
    const gaps = request.outputTokens - 1;
    this.#successes[request.finish]++;
    h.e2e.observe((request.endUs - request.arrivalUs) / 1e6);
    h.queue.observe((request.scheduledUs - request.queuedUs) / 1e6);
    h.prefill.observe((request.firstTokenUs - request.scheduledUs) / 1e6);
    h.inference.observe((request.endUs - request.scheduledUs) / 1e6);
    h.decode.observe(decodeS);
    h.tpot.observe(gaps > 0 ? decodeS / gaps : 0);
    h.promptTokens.observe(request.promptTokens);
    h.generationTokens.observe(request.outputTokens);
    h.maxGenerationTokens.observe(request.outputTokens);
    h.paramsN.observe(1);
    h.paramsMaxTokens.observe(request.maxTokens);
    h.prefillComputed.observe(request.promptTokens - request.cachedTokens);
  }

  /** What this engine shows in a scrape. */
  view(stats: EngineStats): EngineView {
    const { createdS, engine, model, cacheConfig } = this.#options;
    return {
      engine: String(engine),
      model,
      createdS,
      cacheConfig,
      labels: this.#labels,
      stats,
      promptTokens: this.#promptTokens,
      cachedPromptTokens: this.#cachedPromptTokens,
      images: this.#images,
      generationTokens: this.#generationTokens,
      successes: this.#successes,
      histograms: this.#histograms,
    };
  }
}

function createHistograms(maxModelLen: number) {
  const tokens = oneTwoFive(maxModelLen);
  return {
    ttft: new BucketHistogram(TTFT_BOUNDS),
    itl: new BucketHistogram(TOKEN_TIME_BOUNDS),
    tpot: new BucketHistogram(TOKEN_TIME_BOUNDS),
    e2e: new BucketHistogram(LATENCY_BOUNDS),
    queue: new BucketHistogram(LATENCY_BOUNDS),
    inference: new BucketHistogram(LATENCY_BOUNDS),
    prefill: new BucketHistogram(LATENCY_BOUNDS),
    decode: new BucketHistogram(LATENCY_BOUNDS),
    promptTokens: new BucketHistogram(tokens),
    generationTokens: new BucketHistogram(tokens),
    maxGenerationTokens: new BucketHistogram(tokens),
    paramsN: new BucketHistogram(N_BOUNDS),
    paramsMaxTokens: new BucketHistogram(tokens),
    iterationTokens: new BucketHistogram(ITERATION_BOUNDS),
    prefillComputed: new BucketHistogram(tokens),
  };
}

/** 1, 2, 5, 10, 20, 50, ... up to and with `max`. */
function oneTwoFive(max: number): number[] {
  const bounds: number[] = [];
  for (let scale = 1; scale <= max; scale *= 10) {
    for (const mantissa of [1, 2, 5]) if (mantissa * scale <= max) bounds.push(mantissa * scale);
  }
  return bounds;
}
