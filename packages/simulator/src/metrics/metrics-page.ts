import type { EngineView } from "./engine-metrics.js";
import { Exposition, labelText } from "./exposition.js";

const FINISH_REASONS = ["stop", "length", "abort", "error"] as const;
const SLEEP_STATES = [
  ["awake", 1],
  ["weights_offloaded", 0],
  ["discard_all", 0],
] as const;

/** The page of /metrics: each family once, with a line for each data-parallel engine, as vLLM 0.14 writes it. */
export function metricsPage(engines: readonly EngineView[]): string {
  const out = new Exposition();
  renderGauges(out, engines);
  renderCounters(out, engines);
  renderHistograms(out, engines);
  return out.toString();
}

function renderGauges(out: Exposition, engines: readonly EngineView[]): void {
  const gauge = (name: string, help: string, read: (engine: EngineView) => number): void =>
    out.gauge(
      name,
      help,
      engines.map((engine) => ({ labels: engine.labels, value: read(engine) })),
    );
  gauge(
    "vllm:num_requests_running",
    "Number of requests in model execution batches.",
    ({ stats }) => stats.running,
  );
  gauge(
    "vllm:num_requests_waiting",
    "Number of requests waiting to be processed.",
    ({ stats }) => stats.waiting,
  );
  gauge(
    "vllm:kv_cache_usage_perc",
    "KV-cache usage. 1 means 100 percent usage.",
    ({ stats }) => stats.kvCacheUsage,
  );
  out.gauge(
    "vllm:cache_config_info",
    "Information of the LLMEngine CacheConfig",
    engines.map(({ engine, cacheConfig }) => ({ labels: labelText({ engine, ...cacheConfig }), value: 1 })),
  );
  out.gauge(
    "vllm:engine_sleep_state",
    "Engine sleep state.",
    engines.flatMap(({ engine, model }) =>
      SLEEP_STATES.map(([state, value]) => ({
        labels: labelText({ engine, model_name: model, sleep_state: state }),
        value,
      })),
    ),
  );
}

function renderCounters(out: Exposition, engines: readonly EngineView[]): void {
  const createdS = engines[0]?.createdS ?? 0;
  const counter = (name: string, help: string, read: (engine: EngineView) => number): void =>
    out.counter(
      `vllm:${name}`,
      help,
      engines.map((engine) => ({ labels: engine.labels, value: read(engine) })),
      createdS,
    );
  counter(
    "num_preemptions",
    "Cumulative number of preemption from the engine.",
    ({ stats }) => stats.preemptions,
  );
  counter("prompt_tokens", "Number of prefill tokens processed.", (engine) => engine.promptTokens);
  counter("generation_tokens", "Number of generation tokens processed.", (engine) => engine.generationTokens);
  counter(
    "prefix_cache_queries",
    "Prefix cache queries, in terms of number of queried tokens.",
    ({ stats }) => stats.prefixCacheQueries,
  );
  counter(
    "prefix_cache_hits",
    "Prefix cache hits, in terms of number of cached tokens.",
    ({ stats }) => stats.prefixCacheHits,
  );
  out.counter(
    "vllm:request_success",
    "Count of successfully processed requests.",
    engines.flatMap(({ engine, model, successes }) =>
      FINISH_REASONS.map((reason) => ({
        labels: labelText({ engine, finished_reason: reason, model_name: model }),
        value: successes[reason],
      })),
    ),
    createdS,
  );
}

const HISTOGRAMS: readonly (readonly [string, string, keyof EngineView["histograms"]])[] = [
  ["time_to_first_token_seconds", "Histogram of time to first token in seconds.", "ttft"],
  ["inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", "itl"],
  ["request_time_per_output_token_seconds", "Time per output token per request in seconds.", "tpot"],
  ["e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", "e2e"],
  ["request_queue_time_seconds", "Time spent in WAITING phase for request.", "queue"],
  ["request_inference_time_seconds", "Time spent in RUNNING phase for request.", "inference"],
  ["request_prefill_time_seconds", "Time spent in PREFILL phase for request.", "prefill"],
  ["request_decode_time_seconds", "Time spent in DECODE phase for request.", "decode"],
  ["request_prompt_tokens", "Number of prefill tokens processed.", "promptTokens"],
  ["request_generation_tokens", "Number of generation tokens processed.", "generationTokens"],
  ["request_max_num_generation_tokens", "Maximum of generation tokens.", "maxGenerationTokens"],
  ["request_params_n", "Histogram of the n request parameter.", "paramsN"],
  ["request_params_max_tokens", "Histogram of the max_tokens request parameter.", "paramsMaxTokens"],
  ["iteration_tokens_total", "Histogram of number of tokens per engine_step.", "iterationTokens"],
  ["request_prefill_kv_computed_tokens", "New KV tokens computed during prefill.", "prefillComputed"],
];

function renderHistograms(out: Exposition, engines: readonly EngineView[]): void {
  for (const [name, help, key] of HISTOGRAMS) {
    out.histogram(
      `vllm:${name}`,
      help,
      engines.map(({ labels, histograms }) => ({ labels, histogram: histograms[key] })),
      engines[0]?.createdS ?? 0,
    );
  }
}
