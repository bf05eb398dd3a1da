import type { Emulation } from "../emulation.js";
import type { EngineView } from "./engine-metrics.js";
import { Exposition, type LabelledValue, labelText } from "./exposition.js";

type Versioned = Emulation["metrics"];

/** One value of each engine, or several with a label more. */
type Read = (engine: EngineView) => number | Readonly<Record<string, number>>;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly read: Read;
  /** The label more. */
  readonly label?: string;
  /** Absent: in every version. */
  readonly isIn?: (metrics: Versioned) => boolean;
}

const GAUGES: readonly Family[] = [
  {
    name: "num_requests_running",
    help: "Number of requests in model execution batches.",
    read: ({ stats }) => stats.running,
  },
  {
    name: "num_requests_waiting",
    help: "Number of requests waiting to be processed.",
    read: ({ stats }) => stats.waiting,
  },
  {
    name: "num_requests_waiting_by_reason",
    help: "Number of waiting requests by reason.",
    label: "reason",
    read: ({ stats }) => ({ capacity: stats.waiting, deferred: 0 }),
    isIn: (metrics) => metrics.waitingByReason,
  },
  {
    name: "engine_sleep_state",
    help: "Engine sleep state.",
    label: "sleep_state",
    read: () => ({ awake: 1, weights_offloaded: 0, discard_all: 0 }),
    isIn: (metrics) => metrics.sleepState,
  },
  {
    name: "kv_cache_usage_perc",
    help: "KV-cache usage. 1 means 100 percent usage.",
    read: ({ stats }) => stats.kvCacheUsage,
  },
];

const COUNTERS: readonly Family[] = [
  {
    name: "prefix_cache_queries",
    help: "Prefix cache queries, in terms of number of queried tokens.",
    read: ({ stats }) => stats.prefixCacheQueries,
  },
  {
    name: "prefix_cache_hits",
    help: "Prefix cache hits, in terms of number of cached tokens.",
    read: ({ stats }) => stats.prefixCacheHits,
  },
  {
    name: "external_prefix_cache_queries",
    help: "Prefix cache queries to a KV connector, in tokens.",
    read: () => 0,
  },
  {
    name: "external_prefix_cache_hits",
    help: "Prefix cache hits in a KV connector, in tokens.",
    read: () => 0,
  },
  {
    name: "mm_cache_queries",
    help: "Multi-modal cache queries, in terms of number of queried items.",
    read: ({ images }) => images.queries,
  },
  {
    name: "mm_cache_hits",
    help: "Multi-modal cache hits, in terms of number of cached items.",
    read: ({ images }) => images.hits,
  },
  {
    name: "num_preemptions",
    help: "Cumulative number of preemption from the engine.",
    read: ({ stats }) => stats.preemptions,
  },
  {
    name: "prompt_tokens",
    help: "Number of prefill tokens processed.",
    read: (engine) => engine.promptTokens,
  },
  {
    name: "prompt_tokens_by_source",
    help: "Number of prompt tokens by source.",
    label: "source",
    read: ({ promptTokens, cachedPromptTokens }) => ({
      local_compute: promptTokens - cachedPromptTokens,
      local_cache_hit: cachedPromptTokens,
      external_kv_transfer: 0,
    }),
    isIn: (metrics) => metrics.promptTokensBySource,
  },
  {
    name: "prompt_tokens_cached",
    help: "Number of cached prompt tokens (local + external).",
    read: (engine) => engine.cachedPromptTokens,
    isIn: (metrics) => metrics.promptTokensBySource,
  },
  {
    name: "generation_tokens",
    help: "Number of generation tokens processed.",
    read: (engine) => engine.generationTokens,
  },
];

interface HistogramFamily extends Omit<Family, "read" | "label"> {
  readonly key: keyof EngineView["histograms"];
}

const HISTOGRAMS: readonly HistogramFamily[] = [
  { name: "request_prompt_tokens", help: "Number of prefill tokens processed.", key: "promptTokens" },
  {
    name: "request_generation_tokens",
    help: "Number of generation tokens processed.",
    key: "generationTokens",
  },
  {
    name: "iteration_tokens_total",
    help: "Histogram of number of tokens per engine_step.",
    key: "iterationTokens",
  },
  {
    name: "request_max_num_generation_tokens",
    help: "Maximum of generation tokens.",
    key: "maxGenerationTokens",
  },
  { name: "request_params_n", help: "Histogram of the n request parameter.", key: "paramsN" },
  {
    name: "request_params_max_tokens",
    help: "Histogram of the max_tokens request parameter.",
    key: "paramsMaxTokens",
  },
  { name: "time_to_first_token_seconds", help: "Histogram of time to first token in seconds.", key: "ttft" },
  {
    name: "time_per_output_token_seconds",
    help: "Histogram of time per output token in seconds. Deprecated.",
    key: "itl",
    isIn: (metrics) => metrics.timePerOutputToken,
  },
  { name: "inter_token_latency_seconds", help: "Histogram of inter-token latency in seconds.", key: "itl" },
  {
    name: "request_time_per_output_token_seconds",
    help: "Time per output token per request in seconds.",
    key: "tpot",
  },
  { name: "e2e_request_latency_seconds", help: "Histogram of e2e request latency in seconds.", key: "e2e" },
  { name: "request_queue_time_seconds", help: "Time spent in WAITING phase for request.", key: "queue" },
  {
    name: "request_inference_time_seconds",
    help: "Time spent in RUNNING phase for request.",
    key: "inference",
  },
  { name: "request_prefill_time_seconds", help: "Time spent in PREFILL phase for request.", key: "prefill" },
  { name: "request_decode_time_seconds", help: "Time spent in DECODE phase for request.", key: "decode" },
  {
    name: "request_prefill_kv_computed_tokens",
    help: "New KV tokens computed during prefill.",
    key: "prefillComputed",
    isIn: (metrics) => metrics.prefillComputed,
  },
];

/** The page of /metrics: each family once, with a line for each data-parallel engine, by the names of the version. */
export function metricsPage(engines: readonly EngineView[], metrics: Versioned): string {
  const out = new Exposition();
  const createdS = engines[0]?.createdS ?? 0;
  const inVersion = <F extends { readonly isIn?: Family["isIn"] }>(families: readonly F[]): readonly F[] =>
    families.filter(({ isIn }) => isIn?.(metrics) ?? true);
  for (const family of inVersion(GAUGES))
    out.gauge(`vllm:${family.name}`, family.help, samples(engines, family));
  for (const family of [...inVersion(COUNTERS), successes(metrics.finishReasons)]) {
    out.counter(`vllm:${family.name}`, family.help, samples(engines, family), createdS);
  }
  for (const { name, help, key } of inVersion(HISTOGRAMS)) {
    const lines = engines.map(({ labels, histograms }) => ({ labels, histogram: histograms[key] }));
    out.histogram(`vllm:${name}`, help, lines, createdS);
  }
  out.gauge(
    "vllm:cache_config_info",
    "Information of the LLMEngine CacheConfig",
    engines.map(({ engine, cacheConfig }) => ({ labels: labelText({ engine, ...cacheConfig }), value: 1 })),
  );
  return out.toString();
}

/** Why requests ended: each reason that the version knows, those that never happen here included. */
function successes(reasons: readonly string[]): Family {
  return {
    name: "request_success",
    help: "Count of successfully processed requests.",
    label: "finished_reason",
    read: ({ successes: { stop, length } }) =>
      Object.fromEntries(
        reasons.map((reason) => [reason, reason === "stop" ? stop : reason === "length" ? length : 0]),
      ),
  };
}

function samples(engines: readonly EngineView[], { read, label }: Family): LabelledValue[] {
  return engines.flatMap((view) => {
    const value = read(view);
    if (typeof value === "number") return [{ labels: view.labels, value }];
    return Object.entries(value).map(([key, one]) => ({
      labels: labelText({ engine: view.engine, model_name: view.model, [label ?? ""]: key }),
      value: one,
    }));
  });
}
