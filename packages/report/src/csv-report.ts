import { type LatencySummary, REPORT_LATENCIES, type RunReport, type StageReport } from "@tokenstorm/core";
import { CSV_LINE_END, type CsvCell, csvRow } from "./csv.js";

type Column = readonly [name: string, of: (stage: StageReport, report: RunReport) => CsvCell];

const ms = (us: number | null): number | null => (us === null ? null : us / 1000);
const seconds = (us: number): number => us / 1e6;

const LATENCY_NAMES: Readonly<Record<(typeof REPORT_LATENCIES)[number], string>> = {
  ttft: "ttft",
  itl: "itl",
  tpot: "tpot",
  e2e: "e2e",
  response: "response",
  scheduleLag: "schedule_lag",
};

const latencyColumns: readonly Column[] = REPORT_LATENCIES.flatMap((latency): Column[] => {
  const name = LATENCY_NAMES[latency];
  const of = (read: (summary: LatencySummary) => CsvCell) => (stage: StageReport) =>
    read(stage.latencyUs[latency]);
  return [
    [`${name}_count`, of(({ count }) => count)],
    ...(["mean", "min", "p50", "p90", "p95", "p99", "p999", "max"] as const).map(
      (stat): Column => [`${name}_${stat}_ms`, of((summary) => ms(summary[stat]))],
    ),
    // Figures that requests which were cut unfinished could move up.
    [`${name}_at_least`, of(({ atLeast }) => atLeast.join(" "))],
  ];
});

/** Columns of `report --format csv`, in their order. Columns may be added at the end, never renamed. */
const COLUMNS: readonly Column[] = [
  ["run", (_, { run }) => run.id],
  ["run_name", (_, { run }) => run.name],
  ["model", (_, { run }) => run.model],
  ["verdict", (_, { verdict }) => verdict.status],
  ["level", ({ name }) => name],
  ["users", ({ users }) => users ?? null],
  ["asked_req_s", ({ rps }) => rps ?? null],
  ["steady", ({ steady }) => steady],
  ["too_short", ({ tooShort }) => tooShort],
  ["window_start_s", ({ windowStartUs }) => seconds(windowStartUs)],
  ["window_s", ({ windowMs }) => windowMs / 1000],
  ["in_flight_asked", ({ inFlight }) => inFlight.asked],
  ["in_flight_mean", ({ inFlight }) => inFlight.mean],
  ["in_flight_min_at_least", ({ inFlight }) => inFlight.minAtLeast],
  ["in_flight_max_at_most", ({ inFlight }) => inFlight.maxAtMost],
  ["offered", ({ requests }) => requests.offered],
  ["sent", ({ requests }) => requests.sent],
  ["completed", ({ requests }) => requests.completed],
  ["failed", ({ requests }) => requests.failed],
  ["cancelled", ({ requests }) => requests.cancelled],
  ["dropped", ({ requests }) => requests.dropped],
  ["unknown", ({ requests }) => requests.unknown],
  ["censored", ({ requests }) => requests.censored],
  ["stale_retries", ({ requests }) => requests.staleRetries],
  ["success_share", ({ success }) => success.rate],
  ["success_lower95_share", ({ success }) => success.lower95],
  ["goodput_share", ({ goodput }) => goodput?.share ?? null],
  ["goodput_req_s", ({ goodput }) => goodput?.requestsPerS ?? null],
  ["req_s", ({ rates }) => rates.requestsPerS],
  ["output_tok_s", ({ rates }) => rates.outputTokensPerS],
  ["output_tok_s_per_gpu", ({ rates }) => rates.outputTokensPerSPerGpu],
  ["output_tok_s_per_user", ({ rates }) => rates.outputTokensPerSPerUser],
  ["prompt_tok_s", ({ rates }) => rates.promptTokensPerS],
  ["events_s", ({ rates }) => rates.eventsPerS],
  ["prompt_tokens", ({ tokens }) => tokens.prompt],
  ["cached_prompt_tokens", ({ tokens }) => tokens.cachedPrompt],
  ["output_tokens", ({ tokens }) => tokens.output],
  ["token_source", ({ tokens }) => tokens.source],
  ["asked_prompt_tokens_mean", ({ tokens }) => tokens.askedPromptMean],
  ["prompt_tokens_mean", ({ tokens }) => tokens.promptMean],
  ["asked_output_tokens_mean", ({ tokens }) => tokens.askedOutputMean],
  ["output_tokens_mean", ({ tokens }) => tokens.outputMean],
  ...latencyColumns,
  ["server_running_mean", ({ server }) => server.runningMean],
  ["server_waiting_mean", ({ server }) => server.waitingMean],
  ["server_kv_usage_max_share", ({ server }) => server.kvUsageMax],
  ["server_preemptions", ({ server }) => server.preemptions],
  ["server_prefix_hit_tokens", ({ server }) => server.prefixHitTokens],
  ["stamp_uncertainty_p99_ms", ({ stampUncertainty }) => ms(stampUncertainty?.p99Us ?? null)],
  ["notes", ({ notes }) => notes.join("; ")],
];

export const CSV_COLUMNS: readonly string[] = COLUMNS.map(([name]) => name);

/** A header and one record for each level; absent figures are empty. Ends with a line end. */
export function renderCsv(report: RunReport): string {
  const rows = report.stages.map((stage) => csvRow(COLUMNS.map(([, of]) => of(stage, report))));
  return [csvRow(CSV_COLUMNS), ...rows, ""].join(CSV_LINE_END);
}
