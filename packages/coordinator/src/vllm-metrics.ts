import type { ServerCounters, ServerDurations, ServerSample, ServerTimes } from "@tokenstorm/core";
import { type PrometheusSample, parsePrometheus } from "./prometheus.js";

/** Gauges and counters of one moment, summed over engines and servers; kvUsage is the fullest one's. */
export type ServerMetrics = Omit<ServerSample, "tUs">;

/** vLLM's names; the second is that of releases before 0.12. */
const NAMES = {
  running: ["vllm:num_requests_running"],
  waiting: ["vllm:num_requests_waiting"],
  kvUsage: ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
  promptTokens: ["vllm:prompt_tokens_total"],
  generationTokens: ["vllm:generation_tokens_total"],
  successes: ["vllm:request_success_total"],
  preemptions: ["vllm:num_preemptions_total"],
  prefixHits: ["vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"],
  prefixQueries: ["vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"],
} as const satisfies Record<Exclude<keyof ServerMetrics, "times" | "blockTokens">, readonly string[]>;
const CACHE_CONFIG = "vllm:cache_config_info";

/** Histograms, in seconds; the second name is that of releases before 0.12. */
const TIMES = {
  ttft: ["vllm:time_to_first_token_seconds"],
  itl: ["vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"],
  e2e: ["vllm:e2e_request_latency_seconds"],
} as const satisfies Record<keyof ServerTimes, readonly string[]>;

/** Without these a page says nothing of load. A counter that has not been touched yet may be absent: it is 0. */
const NEEDED = ["running", "waiting"] as const;
/** Requests that vLLM counts by how they ended, though not well. */
const UNSUCCESSFUL = new Set(["abort", "error"]);
const LOAD_NAMES: ReadonlySet<string> = new Set(Object.values(NAMES).flat());
const WANTED: ReadonlySet<string> = new Set([
  ...LOAD_NAMES,
  CACHE_CONFIG,
  ...Object.values(TIMES).flatMap((names) => names.flatMap((name) => [`${name}_sum`, `${name}_count`])),
]);

/** Reads a page of vLLM's metrics. Throws an Error that says what is wrong with it. */
export function readServerMetrics(page: string): ServerMetrics {
  const samples = parsePrometheus(page, WANTED);
  for (const sample of samples) {
    // The target's times are an extra: a page without good ones still says how it is loaded.
    if (!LOAD_NAMES.has(sample.name)) continue;
    if (!Number.isFinite(sample.value) || sample.value < 0)
      throw new Error(`${sample.name} is ${sample.value}`);
  }
  for (const key of NEEDED) {
    if (valuesOf(samples, NAMES[key]).length === 0) throw new Error(`it has no ${NAMES[key][0]}`);
  }
  const successes = samples.filter((sample) => !UNSUCCESSFUL.has(sample.labels["finished_reason"] ?? ""));
  return {
    running: sum(valuesOf(samples, NAMES.running)),
    waiting: sum(valuesOf(samples, NAMES.waiting)),
    kvUsage: Math.max(0, ...valuesOf(samples, NAMES.kvUsage)),
    promptTokens: sum(valuesOf(samples, NAMES.promptTokens)),
    generationTokens: sum(valuesOf(samples, NAMES.generationTokens)),
    successes: sum(valuesOf(successes, NAMES.successes)),
    preemptions: sum(valuesOf(samples, NAMES.preemptions)),
    prefixHits: sum(valuesOf(samples, NAMES.prefixHits)),
    prefixQueries: sum(valuesOf(samples, NAMES.prefixQueries)),
    ...smallestBlock(
      samples.map(({ name, labels }) => (name === CACHE_CONFIG ? labels["block_size"] : undefined)),
    ),
    ...timesOrNothing((name) => durationsOf(samples, TIMES[name])),
  };
}

/** Of several servers together. */
export function addServerMetrics(all: readonly ServerMetrics[]): ServerMetrics {
  const total = (read: (metrics: ServerMetrics) => number) => sum(all.map(read));
  return {
    running: total((metrics) => metrics.running),
    waiting: total((metrics) => metrics.waiting),
    kvUsage: Math.max(0, ...all.map((metrics) => metrics.kvUsage)),
    promptTokens: total((metrics) => metrics.promptTokens),
    generationTokens: total((metrics) => metrics.generationTokens),
    successes: total((metrics) => metrics.successes),
    preemptions: total((metrics) => metrics.preemptions),
    prefixHits: total((metrics) => metrics.prefixHits),
    prefixQueries: total((metrics) => metrics.prefixQueries),
    ...smallestBlock(all.map((metrics) => metrics.blockTokens)),
    ...timesOrNothing((name) => addDurations(all.map(({ times }) => times?.[name] ?? null))),
  };
}

/** Without a good one, the key is absent. */
function smallestBlock(sizes: readonly (string | number | undefined)[]): { readonly blockTokens?: number } {
  const known = sizes.map(Number).filter((tokens) => Number.isSafeInteger(tokens) && tokens > 0);
  return known.length === 0 ? {} : { blockTokens: Math.min(...known) };
}

/** Without any of them, the key is absent. */
function timesOrNothing(of: (name: keyof ServerTimes) => ServerDurations | null): {
  readonly times?: ServerTimes;
} {
  const times = { ttft: of("ttft"), itl: of("itl"), e2e: of("e2e") };
  return Object.values(times).every((one) => one === null) ? {} : { times };
}

function durationsOf(samples: readonly PrometheusSample[], names: readonly string[]): ServerDurations | null {
  for (const name of names) {
    const sums = valuesOf(samples, [`${name}_sum`]);
    const counts = valuesOf(samples, [`${name}_count`]);
    if (sums.length === 0 || sums.length !== counts.length) continue;
    const isGood = [...sums, ...counts].every((value) => Number.isFinite(value) && value >= 0);
    return isGood ? { sumUs: Math.round(sum(sums) * 1e6), count: sum(counts) } : null;
  }
  return null;
}

/** The mean of some servers would pass for that of all: one without them leaves none. */
function addDurations(all: readonly (ServerDurations | null)[]): ServerDurations | null {
  const known = all.filter((one) => one !== null);
  if (known.length === 0 || known.length < all.length) return null;
  return { sumUs: sum(known.map(({ sumUs }) => sumUs)), count: sum(known.map(({ count }) => count)) };
}

export function countersOf(metrics: ServerMetrics): ServerCounters {
  const { running: _running, waiting: _waiting, kvUsage: _kvUsage, ...counters } = metrics;
  return counters;
}

/** The first name of the list that is there: a release that shows both means the same by them. */
function valuesOf(samples: readonly PrometheusSample[], names: readonly string[]): number[] {
  for (const name of names) {
    const values = samples.filter((sample) => sample.name === name).map((sample) => sample.value);
    if (values.length > 0) return values;
  }
  return [];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
