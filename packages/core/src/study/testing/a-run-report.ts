import { summariseLatency } from "../../measure/latency-summary.js";
import type { LatencySummary, RunReport, StageReport } from "../../run/report.js";

/** What a level of a made-up run says; us, per second. */
export interface ALevel {
  readonly name: string;
  readonly promptTokensPerS: number;
  readonly outputTokensPerS: number;
  readonly e2eP99Us: number;
  readonly inFlight: number;
  readonly maxInFlight?: number;
  /** Mean of the server's gauge. */
  readonly running?: number;
  readonly completed?: number;
  readonly failed?: number;
  /** Cut unfinished at the grace limit. */
  readonly censored?: number;
  /** Percentiles of the end-to-end latency that these could move. */
  readonly e2eAtLeast?: readonly string[];
  readonly failures?: Readonly<Record<string, number>>;
}

const none = summariseLatency({ known: undefined, censored: undefined });
const counts = {
  sent: 0,
  cancelled: 0,
  dropped: 0,
  unknown: 0,
  censored: 0,
  staleRetries: 0,
};
const tokens = {
  prompt: 0,
  cachedPrompt: 0,
  output: 0,
  source: "usage",
  sources: {},
  askedPromptMean: null,
  askedOutputMean: null,
  promptMean: null,
  outputMean: null,
} as const;

/** A report of a run with these levels and nothing else to say. */
export function aRunReport(levels: readonly ALevel[], id = "k3f9a2"): RunReport {
  return {
    schemaVersion: 1,
    run: {
      id,
      name: "run",
      startedAt: "2026-03-14T09:26:53.000Z",
      durationMs: 1000,
      seed: 1,
      salt: id,
      transport: "nats",
      version: "0",
      planDigest: "",
      state: "completed",
      model: null,
      reader: "undici",
      problem: null,
    },
    totals: {
      requests: { ...counts, offered: 0, completed: 0, failed: 0 },
      tokens,
      server: { prompt: null, output: null, successes: null, prefixHitTokens: null, exact: false },
    },
    verdict: { status: "valid", thresholds: "none", reasons: [], limitedBy: null },
    completeness: {
      intervalsExpected: 0,
      intervalsReceived: 0,
      samplesRecorded: 0,
      samplesMerged: 0,
      missing: [],
    },
    agents: [],
    stages: levels.map(stageOf),
    thresholds: [],
  };
}

function stageOf(level: ALevel): StageReport {
  const { completed = 100, failed = 0, censored = 0 } = level;
  const e2e: LatencySummary = {
    ...none,
    count: completed,
    p50: level.e2eP99Us / 2,
    p99: level.e2eP99Us,
    atLeast: level.e2eAtLeast ?? [],
  };
  return {
    name: level.name,
    steady: false,
    tooShort: false,
    notes: [],
    windowStartEpochUs: 0,
    windowStartUs: 0,
    windowMs: 1000,
    inFlight: {
      asked: null,
      mean: level.inFlight,
      minAtLeast: 0,
      maxAtMost: level.maxInFlight ?? Math.ceil(level.inFlight),
    },
    server: {
      runningMean: level.running ?? null,
      waitingMean: null,
      kvUsageMax: null,
      preemptions: null,
      prefixHitTokens: null,
    },
    requests: { ...counts, offered: completed + failed + censored, completed, failed, censored },
    success: { rate: completed / (completed + failed), lower95: null },
    failures: level.failures ?? {},
    drops: {},
    tokens,
    rates: {
      requestsPerS: 1,
      outputTokensPerS: level.outputTokensPerS,
      promptTokensPerS: level.promptTokensPerS,
      outputTokensPerSPerGpu: null,
      outputTokensPerSPerUser: null,
      eventsPerS: level.outputTokensPerS,
    },
    latencyUs: { ttft: none, itl: none, tpot: none, e2e, response: none, scheduleLag: none },
    completedPerUserMin: null,
  };
}
