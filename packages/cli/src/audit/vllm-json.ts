import { type ClaimedRow, exact, type Figure, numberFigure, scaled } from "@tokenstorm/core";
import { z } from "zod";
import { mostAtOnce } from "./most-at-once.js";
import { type ClaimedResults, ResultsProblem } from "./results-problem.js";
import { schemaProblems } from "./schema-problems.js";

const amount = z.number().nonnegative();
const count = z.number().int().nonnegative();

/**
 * What `vllm bench serve --save-result` writes, as far as the audit uses it. Latency from end to end is there only where
 * `--percentile-metrics` named e2el; the lists only with `--save-detailed`.
 */
const VllmResult = z.looseObject({
  label: z.string().nullish(),
  model_id: z.string().nullish(),
  max_concurrency: count.nullish(),
  request_rate: z.union([z.string(), z.number()]).nullish(),
  num_prompts: count.nullish(),
  duration: amount,
  completed: count,
  failed: count.nullish(),
  total_input_tokens: count.nullish(),
  total_output_tokens: count.nullish(),
  request_throughput: amount,
  output_throughput: amount.nullish(),
  total_token_throughput: amount.nullish(),
  max_concurrent_requests: amount.nullish(),
  mean_e2el_ms: amount.nullish(),
  median_e2el_ms: amount.nullish(),
  start_times: z.array(z.number()).nullish(),
  latencies: z.array(amount).nullish(),
  errors: z.array(z.string().nullable()).nullish(),
});
type VllmResult = z.infer<typeof VllmResult>;

const TELLING = ["duration", "completed", "request_throughput"];

/** True where a JSON object says that it is one of these. */
export function looksLikeVllm(value: unknown): boolean {
  return typeof value === "object" && value !== null && TELLING.every((key) => key in value);
}

export function claimsFromVllm(values: readonly unknown[]): ClaimedResults {
  const problems: string[] = [];
  const rows = values.flatMap((value, at) => {
    const parsed = VllmResult.safeParse(value);
    if (parsed.success) return [rowOf(parsed.data, at)];
    problems.push(...schemaProblems(parsed.error, values.length === 1 ? "" : `result ${at + 1}: `));
    return [];
  });
  if (problems.length > 0) throw new ResultsProblem(problems);
  return {
    form: "vllm bench serve JSON",
    rows,
    mapping:
      "concurrency = max_concurrency (none claimed at a finite request_rate), requests = num_prompts, completed, failed, duration (s), req_s = request_throughput, output_tok_s = output_throughput, output_tokens = total_output_tokens / completed, mean = mean_e2el_ms, p50 = median_e2el_ms, pN = pN_e2el_ms, peak = max_concurrent_requests (in windows of 1 s) or from start_times and latencies",
    unused: [],
  };
}

function rowOf(result: VllmResult, at: number): ClaimedRow {
  const failed =
    result.failed ?? (result.num_prompts == null ? undefined : result.num_prompts - result.completed);
  const details = detailsOf(result);
  const peak = details?.peak ?? result.max_concurrent_requests ?? undefined;
  const perRequest = (total: number | null | undefined): Figure | undefined =>
    total == null || result.completed === 0 ? undefined : exact(total / result.completed);
  const output = result.total_output_tokens;
  const total =
    output == null || result.total_input_tokens == null ? undefined : output + result.total_input_tokens;
  return {
    label: labelOf(result, at),
    // At a finite request rate the concurrency is a bound on the load and no claim about it.
    concurrency: typeof result.request_rate === "number" ? undefined : (result.max_concurrency ?? undefined),
    requests: result.num_prompts ?? undefined,
    completed: result.completed,
    failed: failed === undefined || failed < 0 ? undefined : failed,
    requestsPerS: numberFigure(result.request_throughput),
    outputTokensPerS: figureOf(result.output_throughput),
    totalTokensPerS: figureOf(result.total_token_throughput),
    outputTokensPerRequest: perRequest(output),
    totalTokensPerRequest: perRequest(total),
    durationS: result.duration === 0 ? undefined : numberFigure(result.duration),
    // Its figures are of the requests that succeeded; a failed one may have been there as well.
    peakInFlight: peak === undefined ? undefined : peak + (failed ?? 0),
    latencyS: {
      mean: milliseconds(result.mean_e2el_ms) ?? details?.meanS,
      max: details?.maxS,
      percentiles: percentilesOf(result),
    },
  };
}

function labelOf({ label, model_id, max_concurrency }: VllmResult, at: number): string {
  const name = label ?? model_id?.split("/").at(-1) ?? `result ${at + 1}`;
  return max_concurrency == null ? name : `${name} c=${max_concurrency}`;
}

const figureOf = (value: number | null | undefined): Figure | undefined =>
  value == null ? undefined : numberFigure(value);

/** A latency of 0 is how the tool writes that it has none. */
const milliseconds = (value: number | null | undefined): Figure | undefined =>
  value == null || value === 0 ? undefined : scaled(numberFigure(value), 1e-3);

function percentilesOf(result: VllmResult): ClaimedRow["latencyS"]["percentiles"] {
  const found = new Map<number, Figure>();
  const median = milliseconds(result.median_e2el_ms);
  if (median !== undefined) found.set(50, median);
  for (const [key, value] of Object.entries(result)) {
    const percentile = Number(/^p(\d{1,2}(?:\.\d+)?)_e2el_ms$/.exec(key)?.[1]);
    const figure = typeof value === "number" && value > 0 ? milliseconds(value) : undefined;
    if (percentile > 0 && figure !== undefined) found.set(percentile, figure);
  }
  return [...found]
    .map(([percentile, value]) => ({ percentile, value }))
    .sort((a, b) => a.percentile - b.percentile);
}

interface Details {
  readonly peak: number | undefined;
  readonly meanS: Figure;
  readonly maxS: Figure;
}

/** From the lists of each request, those that succeeded. */
function detailsOf({ start_times, latencies, errors }: VllmResult): Details | undefined {
  if (latencies == null) return undefined;
  const isSuccess = (at: number) => (errors?.[at] ?? "") === "" && (latencies[at] ?? 0) > 0;
  const succeeded = [...latencies.keys()].filter(isSuccess);
  if (succeeded.length === 0) return undefined;
  const durations = succeeded.map((at) => latencies[at] ?? 0);
  const sum = durations.reduce((total, one) => total + one, 0);
  const max = durations.reduce((most, one) => Math.max(most, one), 0);
  const starts = start_times == null || start_times.length !== latencies.length ? undefined : start_times;
  const spans =
    starts === undefined ? [] : succeeded.map((at) => [starts[at] ?? 0, latencies[at] ?? 0] as const);
  return {
    peak: starts === undefined ? undefined : mostAtOnce(spans),
    meanS: exact(sum / durations.length),
    maxS: exact(max),
  };
}
