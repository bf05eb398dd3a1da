import { type PlanInput, requirePlan, resolveStages, type StageReport } from "@tokenstorm/core";
import { profiles, type SimulatorOptions } from "@tokenstorm/simulator";
import type { PublishedRow, PublishedSeries } from "./data.js";
import { cellsOfSeries, readStudy } from "./study-file.js";
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

const COMPATIBLE = readStudy("compatible");

/**
 * The plan of plans/study/compatible.yaml beside which the series stands: levels, requests, prompts, images and phases are what a person
 * would run on hardware. What is ours are the target, the interval, and patience without end, since nobody waits.
 */
export function compatiblePlan(series: PublishedSeries): PlanInput {
  const [cell] = cellsOfSeries(COMPATIBLE, series.id);
  if (cell === undefined) throw new Error(`plans/study/compatible.yaml has no suite for ${series.id}`);
  const { gpus: _, ...target } = cell.plan.target;
  return {
    ...cell.plan,
    name: series.id,
    target: { ...target, urls: ["http://127.0.0.1:8000"] },
    intervalMs: "5s",
    timeouts: { ttftMs: "1h", stallMs: "1h", totalMs: "1h" },
  };
}

/** What a level of a series sends, by whom. */
export function shapeOf(series: PublishedSeries, users: number) {
  const plan = requirePlan(compatiblePlan(series));
  const stage = resolveStages(plan).find((one) => one.kind === "users" && one.users === users);
  const { workload } = plan;
  const outputTokens = workload.kind === "synthetic-text" ? workload.outputTokens : null;
  if (stage?.kind !== "users" || stage.bound.kind !== "requests" || typeof outputTokens !== "number") {
    throw new Error(`${series.id} has no level of ${users} users with one length of answers`);
  }
  return {
    users,
    requests: stage.bound.requests,
    // Text and images together, as they were inferred.
    promptTokens: series.workload.inferred_prompt_tokens,
    outputTokens,
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
