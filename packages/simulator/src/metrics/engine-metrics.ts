import type { EngineStats } from "../engine/engine.js";
import { BucketHistogram, Exposition, labelText } from "./exposition.js";

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
const FINISH_REASONS = ["stop", "length", "abort", "error"] as const;

export interface MetricsOptions {
  readonly model: string;
  readonly maxModelLen: number;
  readonly createdS: number;
  /** Labels of `vllm:cache_config_info`. */
  readonly cacheConfig: Readonly<Record<string, string>>;
}

/** Life of one finished request, monotonic microseconds. */
export interface FinishedRequest {
  readonly finish: "length" | "stop";
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly maxTokens: number;
  readonly arrivalUs: number;
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
  readonly #successes = { stop: 0, length: 0, abort: 0, error: 0 };
  readonly #histograms: ReturnType<typeof createHistograms>;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#labels = labelText({ engine: "0", model_name: options.model });
    this.#histograms = createHistograms(options.maxModelLen);
  }

  get promptTokens(): number {
    return this.#promptTokens;
  }

  get generationTokens(): number {
    return this.#generationTokens;
  }

  /** The whole prompt counts here, its cached part too, and also when the request is aborted later. */
  firstToken(promptTokens: number, ttftUs: number): void {
    this.#promptTokens += promptTokens;
    this.#histograms.ttft.observe(ttftUs / 1e6);
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
    h.queue.observe((request.scheduledUs - request.arrivalUs) / 1e6);
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

  render(stats: EngineStats): string {
    const out = new Exposition();
    this.#renderGauges(out, stats);
    this.#renderCounters(out, stats);
    this.#renderHistograms(out);
    return out.toString();
  }

  #renderGauges(out: Exposition, stats: EngineStats): void {
    const labels = this.#labels;
    out.gauge(
      "vllm:num_requests_running",
      "Number of requests in model execution batches.",
      labels,
      stats.running,
    );
    out.gauge(
      "vllm:num_requests_waiting",
      "Number of requests waiting to be processed.",
      labels,
      stats.waiting,
    );
    out.gauge(
      "vllm:kv_cache_usage_perc",
      "KV-cache usage. 1 means 100 percent usage.",
      labels,
      stats.kvCacheUsage,
    );
    const info = labelText({ engine: "0", ...this.#options.cacheConfig });
    out.gauge("vllm:cache_config_info", "Information of the LLMEngine CacheConfig", info, 1);
    out.family("vllm:engine_sleep_state", "gauge", "Engine sleep state.");
    for (const [state, value] of [
      ["awake", 1],
      ["weights_offloaded", 0],
      ["discard_all", 0],
    ] as const) {
      const sleep = labelText({ engine: "0", model_name: this.#options.model, sleep_state: state });
      out.sample("vllm:engine_sleep_state", sleep, value);
    }
  }

  #renderCounters(out: Exposition, stats: EngineStats): void {
    const { model, createdS } = this.#options;
    const counter = (name: string, help: string, value: number): void =>
      out.counter(`vllm:${name}`, help, [{ labels: this.#labels, value }], createdS);
    counter("num_preemptions", "Cumulative number of preemption from the engine.", stats.preemptions);
    counter("prompt_tokens", "Number of prefill tokens processed.", this.#promptTokens);
    counter("generation_tokens", "Number of generation tokens processed.", this.#generationTokens);
    counter(
      "prefix_cache_queries",
      "Prefix cache queries, in terms of number of queried tokens.",
      stats.prefixCacheQueries,
    );
    counter(
      "prefix_cache_hits",
      "Prefix cache hits, in terms of number of cached tokens.",
      stats.prefixCacheHits,
    );
    out.counter(
      "vllm:request_success",
      "Count of successfully processed requests.",
      FINISH_REASONS.map((reason) => ({
        labels: labelText({ engine: "0", finished_reason: reason, model_name: model }),
        value: this.#successes[reason],
      })),
      createdS,
    );
  }

  #renderHistograms(out: Exposition): void {
    const h = this.#histograms;
    const histogram = (name: string, help: string, value: BucketHistogram): void =>
      out.histogram(`vllm:${name}`, help, this.#labels, value, this.#options.createdS);
    histogram("time_to_first_token_seconds", "Histogram of time to first token in seconds.", h.ttft);
    histogram("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", h.itl);
    histogram(
      "request_time_per_output_token_seconds",
      "Time per output token per request in seconds.",
      h.tpot,
    );
    histogram("e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", h.e2e);
    histogram("request_queue_time_seconds", "Time spent in WAITING phase for request.", h.queue);
    histogram("request_inference_time_seconds", "Time spent in RUNNING phase for request.", h.inference);
    histogram("request_prefill_time_seconds", "Time spent in PREFILL phase for request.", h.prefill);
    histogram("request_decode_time_seconds", "Time spent in DECODE phase for request.", h.decode);
    histogram("request_prompt_tokens", "Number of prefill tokens processed.", h.promptTokens);
    histogram("request_generation_tokens", "Number of generation tokens processed.", h.generationTokens);
    histogram("request_max_num_generation_tokens", "Maximum of generation tokens.", h.maxGenerationTokens);
    histogram("request_params_n", "Histogram of the n request parameter.", h.paramsN);
    histogram(
      "request_params_max_tokens",
      "Histogram of the max_tokens request parameter.",
      h.paramsMaxTokens,
    );
    histogram("iteration_tokens_total", "Histogram of number of tokens per engine_step.", h.iterationTokens);
    histogram(
      "request_prefill_kv_computed_tokens",
      "New KV tokens computed during prefill.",
      h.prefillComputed,
    );
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
