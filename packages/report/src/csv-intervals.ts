import type { FoldedInterval, ServerSample } from "@tokenstorm/core";
import { type CsvCell, csvRow } from "./csv.js";

/** What an interval is told with. */
export interface IntervalContext {
  readonly run: string;
  readonly stageNames: readonly string[];
  /** The target's samples in the interval. */
  readonly server: readonly ServerSample[];
}

type Column = readonly [name: string, of: (interval: FoldedInterval, context: IntervalContext) => CsvCell];

const perS = (count: number, us: number): number | null => (us === 0 ? null : (count * 1e6) / us);
const sum = (counts: Readonly<Record<string, number | undefined>>): number =>
  Object.values(counts).reduce<number>((so, count) => so + (count ?? 0), 0);

function serverMean(of: (sample: ServerSample) => number): Column[1] {
  return (_, { server }) =>
    server.length === 0 ? null : server.reduce((so, sample) => so + of(sample), 0) / server.length;
}

const latencyColumns: readonly Column[] = (["ttft", "itl", "tpot", "e2e"] as const).flatMap(
  (metric): Column[] => [
    [`${metric}_count`, ({ histograms }) => histograms.get(metric)?.count ?? 0],
    ...([50, 99] as const).map(
      (at): Column => [
        `${metric}_p${at}_ms`,
        ({ histograms }) => {
          const us = histograms.get(metric)?.percentile(at) ?? null;
          return us === null ? null : us / 1000;
        },
      ],
    ),
  ],
);

/** Columns of `report --format csv --intervals`. Columns may be added at the end, never renamed. */
const COLUMNS: readonly Column[] = [
  ["run", (_, { run }) => run],
  ["from_s", ({ fromUs }) => fromUs / 1e6],
  ["to_s", ({ toUs }) => toUs / 1e6],
  ["level", ({ stage }, { stageNames }) => stageNames[stage] ?? String(stage)],
  ["phase", ({ phase }) => phase],
  ["agents", ({ agents }) => agents],
  // Of the interval that lies in this level and phase.
  ["time_s", ({ flow }) => flow.durationUs / 1e6],
  ["in_flight_mean", ({ flow }) => (flow.durationUs === 0 ? null : flow.inFlightUs / flow.durationUs)],
  ["sent", ({ flow }) => flow.sent],
  ["ended", ({ flow }) => flow.ended],
  ["completed", ({ flow }) => flow.completed],
  ["output_tokens", ({ flow }) => flow.outputTokens],
  ["prompt_tokens", ({ flow }) => flow.promptTokens],
  ["req_s", ({ flow }) => perS(flow.completed, flow.durationUs)],
  ["output_tok_s", ({ flow }) => perS(flow.outputTokens, flow.durationUs)],
  ["due_offered", ({ due }) => due.offered],
  ["due_completed", ({ due }) => due.completed],
  ["due_failed", ({ due }) => sum(due.failed)],
  ["due_dropped", ({ due }) => sum(due.dropped)],
  ["due_censored", ({ due }) => due.censored],
  ...latencyColumns,
  ["server_running", serverMean(({ running }) => running)],
  ["server_waiting", serverMean(({ waiting }) => waiting)],
  ["server_kv_usage_share", serverMean(({ kvUsage }) => kvUsage)],
];

export const INTERVAL_COLUMNS: readonly string[] = COLUMNS.map(([name]) => name);

/** One record, without its line end. */
export function intervalRow(interval: FoldedInterval, context: IntervalContext): string {
  return csvRow(COLUMNS.map(([, of]) => of(interval, context)));
}
