import {
  type Comparison,
  compareRuns,
  createHistogram,
  type Histogram,
  type LevelEvidence,
  type MetricName,
  type PlanInput,
  type RunEvidence,
  reportAlone,
  requirePlan,
  type StageReport,
} from "@tokenstorm/core";
import { badReport, goodReport } from "./screen-samples.js";

/** Comparisons for the stored screens; every number is made up. */

/** The good run, so many times as fast, with windows that vary by so much. */
function run(
  id: string,
  change: { readonly faster: number; readonly input?: number; readonly salt?: string },
): RunEvidence {
  const { faster, input = 512, salt = id } = change;
  const stages = goodReport.stages.map((stage, i): StageReport => {
    // Levels of one run do not spread together.
    const own = faster * (1 + 0.001 * Math.sin(7 * i + 1000 * faster));
    const scaled = (us: number | null) => (us === null ? null : Math.round(us / own));
    const { ttft, itl, tpot, e2e } = stage.latencyUs;
    const [one, two, three, four] = [ttft, itl, tpot, e2e].map((of) => ({
      ...of,
      p50: scaled(of.p50),
      p99: scaled(of.p99),
    }));
    return {
      ...stage,
      rates: {
        ...stage.rates,
        outputTokensPerS: stage.rates.outputTokensPerS * own,
        promptTokensPerS: stage.rates.promptTokensPerS * own,
        requestsPerS: stage.rates.requestsPerS * own,
      },
      latencyUs: {
        ...stage.latencyUs,
        ttft: one ?? ttft,
        itl: two ?? itl,
        tpot: three ?? tpot,
        e2e: four ?? e2e,
      },
    };
  });
  const plan: PlanInput = {
    version: 1,
    target: { urls: [`http://${id}.lab:8000`] },
    workload: { inputTokens: input },
    load: { kind: "users", stages: stages.map(({ users = 1 }) => ({ users, durationMs: 60_000 })) },
  };
  return {
    report: { ...goodReport, run: { ...goodReport.run, id, salt }, stages },
    plan: requirePlan(plan),
    serverVersion: "0.14.1",
    levels: new Map(stages.map((stage) => [stage.name, evidence(stage)])),
  };
}

function evidence(stage: StageReport): LevelEvidence {
  const { rates, inFlight, latencyUs, requests } = stage;
  const intervals = Array.from({ length: 60 }, (_, i) => {
    const share = 1 + 0.02 * Math.sin(1.7 * i);
    return {
      fromUs: i * 1_000_000,
      us: 1_000_000,
      outputTokens: Math.round(rates.outputTokensPerS * share),
      promptTokens: Math.round(rates.promptTokensPerS * share),
      completed: rates.requestsPerS * share,
      inFlightUs: inFlight.mean * 1e6 * (1 + 0.003 * Math.cos(i)),
    };
  });
  const histograms = new Map<MetricName, Histogram>();
  for (const metric of ["ttft", "itl", "tpot", "e2e"] as const) {
    const { p50, p99 } = latencyUs[metric];
    histograms.set(metric, spread(p50 ?? 0, p99 ?? 0, requests.completed));
  }
  return { intervals, histograms };
}

/** Half of the values up to the median, the rest up to the 99th percentile and a little beyond. */
function spread(p50: number, p99: number, count: number): Histogram {
  const histogram = createHistogram();
  for (let i = 0; i < count; i += 1) {
    const share = (i + 0.5) / count;
    const value = share < 0.5 ? p50 * (0.5 + share) : p50 + ((p99 - p50) * (share - 0.5)) / 0.49;
    histogram.record(Math.round(value));
  }
  return histogram;
}

export const pairComparison: Comparison = compareRuns([
  { label: "A", runs: [run("k3f9a2", { faster: 1 })] },
  { label: "B", runs: [run("m8x2c1", { faster: 1.06, input: 600 })] },
]);

export const threeSides: Comparison = compareRuns([
  { label: "A", runs: [1, 1.004, 0.997, 1.002, 0.999].map((faster, i) => run(`off${i + 1}`, { faster })) },
  { label: "B", runs: [1.03, 1.09, 0.98, 1.06, 1.0].map((faster, i) => run(`on${i + 1}`, { faster })) },
  { label: "C", runs: [1, 1.002].map((faster, i) => run(`old${i + 1}`, { faster })) },
]);

export const doubtfulComparison: Comparison = compareRuns([
  { label: "A", runs: [run("k3f9a2", { faster: 1, salt: "s1" })] },
  { label: "B", runs: [reportAlone({ ...badReport, run: { ...badReport.run, salt: "s1" } })] },
]);
