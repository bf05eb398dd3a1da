import type { PlanInput, StageReport } from "@tokenstorm/core";
import { profiles, type SimulatorOptions } from "@tokenstorm/simulator";
import type { PublishedRow, PublishedSeries } from "./data.js";
import { runInVirtualCluster, type VirtualRun } from "./virtual-cluster.js";

/** One published row beside what the same client habits give before the simulator. */
export interface ComparedRow {
  readonly series: string;
  readonly model: PublishedSeries["model"];
  readonly level: number;
  /** Whether the row was part of the fit of the step times, or is foretold by them. */
  readonly basis: "calibrated" | "predicted";
  readonly requests: number;
  readonly inFlight: { readonly mean: number; readonly max: number };
  readonly totalTokensPerS: Compared;
  readonly p99S: Compared;
  readonly status: string;
}

export interface Compared {
  readonly ours: number;
  readonly published: number;
  /** (ours / published - 1) x 100. */
  readonly differencePct: number;
}

export const compared = (ours: number, published: number): Compared => ({
  ours,
  published,
  differencePct: 100 * (ours / published - 1),
});

/** How many requests the study sent at a level: a fixed number, or in saturation the level up to a limit. */
export function requestsOf({ suite, workload, mode }: PublishedSeries, users: number): number {
  if (suite === "multi-run") return workload.requests_per_level ?? 100;
  if (workload.inferred_request_cap_per_level !== undefined) return workload.inferred_request_cap_per_level;
  return mode === "quick" ? 75 : Math.min(users, 450);
}

/**
 * The study's habits as a plan: so many requests a level, taken by whoever is free, all of one prompt, no ramp, and what the
 * model says ends an answer. Lengths are the real ones behind the nominal ones; images are told by their tokens.
 */
export function compatiblePlan(series: PublishedSeries): PlanInput {
  const { workload, levels } = series;
  return {
    version: 1,
    name: series.id,
    target: { api: "openai-completions", urls: ["http://127.0.0.1:8000"] },
    workload: {
      inputTokens: workload.inferred_prompt_tokens,
      outputTokens: workload.inferred_output_tokens ?? workload.nominal_output_tokens ?? 512,
      ignoreEos: false,
      prompts: "identical",
    },
    warmUp: { requests: 0 },
    intervalMs: "5s",
    timeouts: { ttftMs: "1h", stallMs: "1h", totalMs: "1h" },
    load: {
      kind: "users",
      stages: levels.map(({ nominal_concurrency: users }) => ({
        users,
        rampUpMs: 0,
        requests: requestsOf(series, users),
        requestsFrom: "pool",
      })),
    },
  };
}

/** The server of a series, without noise: whose answers end as its rows show. */
export function compatibleServer({ model }: PublishedSeries): SimulatorOptions {
  return {
    profile: model,
    outputLengthProfile: model === "deepseek-v3.2" ? "study-multi-run" : "to-limit",
  };
}

/** Runs one published series in virtual time and puts each row beside its own. */
export async function runCompatible(
  series: PublishedSeries,
  agents: number,
): Promise<{ readonly run: VirtualRun; readonly rows: readonly ComparedRow[] }> {
  const run = await runInVirtualCluster({
    plan: compatiblePlan(series),
    simulator: compatibleServer(series),
    agents,
  });
  const rows = series.levels.map((row, i) => {
    const stage = run.report.stages[i];
    if (stage === undefined) throw new Error(`${series.id} has no row for ${row.nominal_concurrency}`);
    const status = run.study.levels[i]?.values["status"];
    return comparedRow({ series, row, stage, status: status?.kind === "word" ? status.word : "?" });
  });
  return { run, rows };
}

function comparedRow(of: {
  readonly series: PublishedSeries;
  readonly row: PublishedRow;
  readonly stage: StageReport;
  readonly status: string;
}): ComparedRow {
  const { series, row, stage, status } = of;
  const { rates, inFlight, requests, latencyUs } = stage;
  return {
    series: series.id,
    model: series.model,
    level: row.nominal_concurrency,
    basis: profiles[series.model].provenance.calibratedBy.includes(series.id) ? "calibrated" : "predicted",
    requests: requests.completed,
    inFlight: { mean: inFlight.mean, max: inFlight.maxAtMost },
    totalTokensPerS: compared(rates.promptTokensPerS + rates.outputTokensPerS, row.total_tok_s),
    p99S: compared((latencyUs.e2e.p99 ?? Number.NaN) / 1e6, row.p99_latency_s),
    status,
  };
}
