import type {
  LatencySummary,
  LiveUpdate,
  MemberReport,
  Outlier,
  ReportLatency,
  RunReport,
  StageReport,
} from "@tokenstorm/core";

/** Reports and live updates for the stored screens; every number is made up. */

function latency(p50: number, p99: number, count: number, atLeast: readonly string[] = []): LatencySummary {
  return {
    count,
    mean: p50,
    min: Math.round(p50 / 2),
    p50,
    p90: Math.round((p50 + p99) / 2),
    p95: Math.round(p99 * 0.9),
    p99,
    p999: p99 + 1000,
    max: p99 + 2000,
    atLeast,
  };
}

const none = latency(0, 0, 0);
const empty: LatencySummary = { ...none, mean: null, min: null, p50: null, p99: null, max: null };

interface Level {
  readonly users: number;
  readonly mean: number;
  readonly outputTokensPerS: number;
  readonly ttft: readonly [number, number];
  readonly itl: readonly [number, number];
  readonly e2e: readonly [number, number];
  readonly requests: number;
}

function stage(level: Level, change: Partial<StageReport> = {}): StageReport {
  const latencyUs: Readonly<Record<ReportLatency, LatencySummary>> = {
    ttft: latency(...level.ttft, level.requests),
    itl: latency(...level.itl, level.requests * 128),
    tpot: latency(...level.itl, level.requests),
    e2e: latency(...level.e2e, level.requests),
    response: latency(...level.e2e, level.requests),
    scheduleLag: latency(90, 800, level.requests),
  };
  return {
    name: `u${level.users}`,
    users: level.users,
    steady: true,
    tooShort: false,
    notes: [],
    windowStartEpochUs: 1_790_000_000_000_000,
    windowStartUs: 2_000_000,
    windowMs: 60_000,
    inFlight: { asked: level.users, mean: level.mean, minAtLeast: level.users - 1, maxAtMost: level.users },
    server: {
      runningMean: Math.min(256, level.mean),
      waitingMean: Math.max(0, level.mean - 256),
      kvUsageMax: Math.min(1, level.mean / 900),
      preemptions: 0,
      prefixHitTokens: 0,
    },
    requests: {
      offered: level.requests,
      sent: level.requests,
      completed: level.requests,
      failed: 0,
      cancelled: 0,
      dropped: 0,
      unknown: 0,
      censored: 0,
      staleRetries: 0,
    },
    success: { rate: 1, lower95: 1 - 3 / level.requests },
    failures: {},
    drops: {},
    tokens: {
      prompt: level.requests * 512,
      cachedPrompt: 0,
      output: level.requests * 128,
      source: "usage",
      sources: { usage: level.requests },
      askedPromptMean: 512,
      askedOutputMean: 128,
      promptMean: 512.4,
      outputMean: 128,
    },
    rates: {
      requestsPerS: level.requests / 60,
      outputTokensPerS: level.outputTokensPerS,
      promptTokensPerS: level.outputTokensPerS * 4,
      outputTokensPerSPerGpu: level.outputTokensPerS / 8,
      outputTokensPerSPerUser: level.outputTokensPerS / level.users,
      eventsPerS: level.outputTokensPerS,
    },
    latencyUs,
    finishReasons: { length: level.requests },
    outputLength: {
      ...{ count: level.requests, askedMean: 128, mean: 128, min: 128, p50: 128, p90: 128, max: 128 },
      histogram: [{ from: 128, count: level.requests }],
    },
    stampUncertainty: { p99Us: 400 + level.users, source: "self-probe", worst: null },
    completedPerUserMin: 2,
    stimulus: closed(level.users, 0, 0),
    ...change,
  };
}

function target(id: string, offered: number, failed: number, slower: number): MemberReport {
  const of = (p50: number, p99: number) => ({
    count: offered - failed,
    p50: p50 * slower,
    p99: p99 * slower,
  });
  return {
    id,
    ...{ offered, completed: offered - failed, failed, censored: 0, outputTokensPerS: 3130 / slower },
    latencyUs: { ttft: of(9_870_000, 14_900_000), itl: of(45_000, 91_000), e2e: of(15_600_000, 21_800_000) },
  };
}

function outlier(of: Outlier["of"], id: string, figure: string, value: number, others: number): Outlier {
  return { of, id, figure, value, others };
}

function closed(
  usersAsked: number,
  neverStarted: number,
  startedLate: number,
): NonNullable<StageReport["stimulus"]> {
  const startedLateUs = startedLate * 1_500_000;
  return { open: null, closed: { usersAsked, neverStarted, startedLate, startedLateUs }, notFilled: [] };
}

const LEVELS: readonly Level[] = [
  {
    users: 1,
    mean: 1,
    outputTokensPerS: 41.25,
    ttft: [48_200, 61_900],
    itl: [24_100, 26_000],
    e2e: [3_110_000, 3_190_000],
    requests: 19,
  },
  {
    users: 100,
    mean: 99.94,
    outputTokensPerS: 3411.7,
    ttft: [92_400, 412_000],
    itl: [28_800, 61_200],
    e2e: [3_750_000, 4_480_000],
    requests: 1599,
  },
  {
    users: 500,
    mean: 499.1,
    outputTokensPerS: 9021.3,
    ttft: [1_240_000, 4_710_000],
    itl: [44_700, 91_000],
    e2e: [7_090_000, 11_200_000],
    requests: 4229,
  },
  {
    users: 1000,
    mean: 996.2,
    outputTokensPerS: 9388.4,
    ttft: [9_870_000, 14_900_000],
    itl: [45_100, 93_300],
    e2e: [15_600_000, 21_800_000],
    requests: 4401,
  },
];

const agent = (index: number, change: object = {}): RunReport["agents"][number] => ({
  id: `load-${index}`,
  host: index <= 2 ? "rack1-a" : "rack1-b",
  shard: index - 1,
  version: "0.1.0",
  clockOffsetUs: 100 * index,
  clockErrorUs: 90 * index,
  startErrorUs: 40 * index,
  intervals: 262,
  redIntervals: 0,
  yellowIntervals: 0,
  measuredIntervals: 240,
  ...change,
});

/** A ladder of four levels in which nothing went wrong. */
export const goodReport: RunReport = {
  schemaVersion: 1,
  saturation: {
    kind: "found",
    ...{ inFlight: 256, low: 240, high: 271, by: "service", throughput: 9200 },
    sentence: "About 256 in flight (240 to 271): from 500 to 1,000 in flight the throughput no longer grows.",
  },
  run: {
    id: "k3f9a2",
    name: "ladder",
    startedAt: "2026-03-14T09:26:53.589Z",
    durationMs: 271_400,
    seed: 1,
    salt: "x7k2m9",
    transport: "nats",
    version: "0.1.0",
    planDigest: "5f2c",
    state: "completed",
    model: "meta-llama/Llama-3.1-405B-Instruct",
    facts: { precision: "FP8", aiter: "on", gpu: "MI325X", paramsTotalB: 405, paramsActiveB: 405 },
    reader: "undici",
    problem: null,
  },
  totals: {
    requests: {
      offered: 10_256,
      sent: 10_256,
      completed: 10_256,
      failed: 0,
      cancelled: 0,
      dropped: 0,
      unknown: 0,
      censored: 0,
      staleRetries: 0,
    },
    tokens: {
      prompt: 5_255_174,
      cachedPrompt: 0,
      output: 1_312_768,
      source: "usage",
      sources: { usage: 10_256 },
      askedPromptMean: 512,
      askedOutputMean: 128,
      promptMean: 512.4,
      outputMean: 128,
    },
    server: {
      prompt: 5_255_174,
      output: 1_312_768,
      successes: 10_256,
      prefixHitTokens: 0,
      exact: true,
      latencies: [
        {
          of: "ttft",
          serverMeanUs: 4_761_300,
          serverCount: 10_256,
          clientMeanUs: 4_763_900,
          clientCount: 10_256,
          differenceUs: 2600,
        },
        {
          of: "e2e",
          serverMeanUs: 10_201_000,
          serverCount: 10_256,
          clientMeanUs: 10_204_100,
          clientCount: 10_256,
          differenceUs: 3100,
        },
      ],
    },
  },
  verdict: {
    status: "valid",
    thresholds: "passed",
    reasons: [],
    limitedBy: "queue",
    limitSentence:
      "The server's queue was the limit: at level u1000 740.2 requests waited on average while it ran 256 and no more (in 60 of 60 scrapes), though its KV cache was at most 62 % full: a bound on running requests, such as max_num_seqs.",
  },
  completeness: {
    intervalsExpected: 1048,
    intervalsReceived: 1048,
    samplesRecorded: 1_374_306,
    samplesMerged: 1_374_306,
    missing: [],
  },
  agents: [agent(1), agent(2), agent(3), agent(4)],
  start: { agents: 4, errorMaxUs: 160, skewUs: 120, skewAtMostUs: 720 },
  stages: LEVELS.map((level) => stage(level)),
  thresholds: [
    { metric: "ttft.p99", expression: "ttft.p99 < 20s", observed: 14_900_000, result: "passed" },
    { metric: "success.rate", expression: "success.rate >= 0.999", observed: 1, result: "passed" },
  ],
};

/** The same ladder on a bad day: failures, a red agent, a gap, cut requests, thresholds of every result. */
export const badReport: RunReport = {
  ...goodReport,
  verdict: {
    status: "invalid",
    thresholds: "failed",
    reasons: [
      "11 of 240 measured agent-intervals (4.6 %) are red, more than 1 %: the client could not keep up",
      "3 intervals of agent load-3 are missing: 12 to 14",
      "level u1000 is too short: its window of 14 s is less than 3 times the median E2E of 15.6 s",
    ],
    limitedBy: "client",
  },
  totals: {
    ...goodReport.totals,
    requests: {
      ...goodReport.totals.requests,
      completed: 9_731,
      failed: 57,
      cancelled: 3,
      dropped: 12,
      censored: 453,
      staleRetries: 2,
    },
    server: {
      prompt: 5_255_174,
      output: 1_313_100,
      successes: 10_290,
      prefixHitTokens: 4096,
      exact: true,
      checks: [
        {
          of: "output",
          server: 1_313_100,
          client: 1_312_768,
          tolerance: 65_920,
          because: "515 requests did not complete",
          agrees: true,
        },
        {
          of: "successes",
          server: 10_290,
          client: 9_731,
          tolerance: 515,
          because: "515 requests did not complete",
          agrees: false,
        },
      ],
    },
  },
  completeness: {
    intervalsExpected: 1048,
    intervalsReceived: 1045,
    samplesRecorded: 1_374_306,
    samplesMerged: 1_370_112,
    missing: [{ agent: "load-3", from: 12, to: 14 }],
  },
  agents: [
    agent(1),
    agent(2, { yellowIntervals: 6 }),
    agent(3, { redIntervals: 11, yellowIntervals: 30 }),
    agent(4),
  ],
  stages: LEVELS.map((level) =>
    level.users < 500
      ? stage(level)
      : stage(level, {
          success: { rate: 0.98712, lower95: 0.98311 },
          failures: { "http-5xx": 41, "ttft-timeout": 12, "stream-broken": 4 },
          drops: level.users === 1000 ? { late: 12 } : {},
          stampUncertainty: {
            p99Us: 6100,
            source: level.users === 1000 ? "event-loop delay" : "self-probe",
            worst: { agent: "load-3", us: 48_000 },
          },
          ...(level.users === 1000
            ? {
                tooShort: true,
                notes: ["too short: the window should be at least 47 s"],
                stimulus: closed(1000, 3, 12),
                finishReasons: { length: 4301, stop: 97, other: 3 },
                outputLength: {
                  ...{ count: 4398, askedMean: 128, mean: 126.2, min: 3, p50: 128, p90: 128, max: 128 },
                  histogram: [
                    { from: 0, count: 97 },
                    { from: 100, count: 4301 },
                  ],
                },
                failureLatencyUs: {
                  fromSent: latency(30_100, 60_000_000, 57),
                  fromDue: latency(30_400, 60_000_000, 57),
                },
                byTarget: [
                  target("http://gpu-node-01.lab.example:8000", 1480, 2, 1),
                  target("http://gpu-node-02.lab.example:8000", 1470, 51, 2.6),
                  target("http://gpu-node-03.lab.example:8000", 1451, 4, 1.02),
                ],
                notApart: { agents: 0, targets: 0 },
                outliers: [
                  outlier("target", "http://gpu-node-02.lab.example:8000", "failures.share", 0.0347, 0.0021),
                  outlier("target", "http://gpu-node-02.lab.example:8000", "itl.p50", 117_000, 45_200),
                  outlier("agent", "load-3", "ttft.p50", 14_100_000, 9_810_000),
                ],
                latencyUs: {
                  ...stage(level).latencyUs,
                  ttft: latency(9_870_000, 14_900_000, 4401, ["p99"]),
                  e2e: latency(15_600_000, 21_800_000, 4401, ["p50", "p99"]),
                },
              }
            : { steady: false }),
        }),
  ),
  proof: {
    level: "u1000",
    run: "m2c8xy",
    agents: 4,
    agentsDoubled: 8,
    figures: [
      {
        name: "outputTokensPerS",
        single: 9388.4,
        doubled: 10_412.1,
        difference: { low: 811.2, high: 1236.2 },
        isSame: false,
      },
      { name: "requestsPerS", single: 73.4, doubled: 74, difference: { low: -2.1, high: 3.3 }, isSame: true },
      {
        name: "ttftP50Us",
        single: 9_870_000,
        doubled: 9_801_000,
        difference: { low: -412_000, high: 298_000 },
        isSame: true,
      },
      { name: "e2eP99Us", single: 21_800_000, doubled: 21_900_000, difference: null, isSame: null },
    ],
    holds: false,
    sentence:
      "level u1000 with 8 agent processes in place of 4: 1 of 3 figures differ: the number of client processes had a part in the result, or something else changed between the runs.",
  },
  thresholds: [
    { metric: "ttft.p99", expression: "ttft.p99 < 500ms", observed: 14_900_000, result: "failed" },
    { metric: "success.rate", expression: "success.rate >= 0.999", observed: 0.98712, result: "failed" },
    { metric: "e2e.p95", expression: "e2e.p95{stage=u100} < 20s", observed: null, result: "inconclusive" },
    {
      metric: "rates.outputTokensPerS",
      expression: "rates.outputTokensPerS > 100",
      observed: 9388.4,
      result: "passed",
    },
  ],
};

/** Open load over memory, stopped before its first level ended; names are wide and one is hostile. */
export const openReport: RunReport = {
  ...goodReport,
  run: {
    ...goodReport.run,
    name: "\u001b[31m負荷試験",
    transport: "memory",
    state: "aborted",
    model: null,
    problem: { code: "RUN_ABORTED", message: "stopped by a signal" },
  },
  verdict: {
    status: "invalid",
    thresholds: "none",
    reasons: ["the run was aborted: stopped by a signal"],
    limitedBy: null,
    limitSentence: "Who was the limit is not known: the target's metrics were not read.",
  },
  totals: {
    ...goodReport.totals,
    server: { prompt: null, output: null, successes: null, prefixHitTokens: null, exact: false },
  },
  agents: [agent(1, { measuredIntervals: 0 })],
  start: { agents: 1, errorMaxUs: 40, skewUs: 0, skewAtMostUs: 0 },
  stages: [20, 400].map((rps) => {
    const { users: _, ...rest } = stage(
      {
        users: rps,
        mean: rps * 3.2,
        outputTokensPerS: rps * 128,
        ttft: [48_000, 61_000],
        itl: [24_000, 26_000],
        e2e: [3_100_000, 3_200_000],
        requests: rps * 60,
      },
      { name: `rate-${rps}`, rps },
    );
    const isReached = rps === 20;
    return {
      ...rest,
      inFlight: { ...rest.inFlight, asked: null },
      server: {
        runningMean: null,
        waitingMean: null,
        kvUsageMax: null,
        preemptions: null,
        prefixHitTokens: null,
      },
      rates: { ...rest.rates, outputTokensPerSPerGpu: null },
      stimulus: {
        open: isReached
          ? {
              planned: 1200,
              offered: 1200,
              handedOver: 1200,
              arrivalDistance: { atLeast: 1 / 1200, atMost: 3 / 1200 },
            }
          : {
              planned: 24_000,
              offered: 23_988,
              handedOver: 23_951,
              arrivalDistance: { atLeast: 0.00204, atMost: 0.00613 },
            },
        closed: null,
        notFilled: [],
      },
      success: isReached ? rest.success : { rate: null, lower95: null },
      latencyUs: isReached
        ? rest.latencyUs
        : { ttft: empty, itl: empty, tpot: empty, e2e: empty, response: empty, scheduleLag: empty },
    };
  }),
  thresholds: [],
};

const history = Array.from({ length: 60 }, (_, i) =>
  i < 10 ? 0 : 9000 * (1 - Math.exp(-(i - 10) / 12)) + 300 * (i % 4),
);

const liveAgent = (index: number, change: object = {}): LiveUpdate["agents"][number] => ({
  id: `load-${index}`,
  host: index <= 2 ? "rack1-a" : "rack1-b",
  state: "running",
  colour: "green",
  cpu: 0.31 + index / 50,
  loopDelayP99Us: 900 * index,
  scheduleLagP99Us: 310 * index,
  inFlight: 125,
  silentMs: 240,
  ...change,
});

/** In the middle of a ladder. */
export const liveUpdate: LiveUpdate = {
  run: "k3f9a2",
  name: "ladder",
  state: "running",
  transport: "nats",
  runTimeUs: 134_000_000,
  stage: { index: 3, count: 5, name: "u500", phase: "measured", leftUs: 41_200_000 },
  totalLeftUs: 121_200_000,
  inFlight: { asked: 500, measured: 498.7 },
  server: { running: 256, waiting: 241, kvUsage: 0.83 },
  rates: { requestsPerS: 70.4, outputTokensPerS: 9021.3, promptTokensPerS: 36_045 },
  latencyUs: {
    ttft: { count: 70, p50: 1_240_000, p99: 4_710_000 },
    itl: { count: 9021, p50: 44_700, p99: 91_000 },
    e2e: { count: 68, p50: 7_090_000, p99: 11_200_000 },
  },
  totals: { offered: 3321, completed: 2823, failed: 0, cancelled: 0, dropped: 0 },
  failures: {},
  agents: [liveAgent(1), liveAgent(2), liveAgent(3), liveAgent(4)],
  history: { outputTokensPerS: history, inFlight: history.map((value) => value / 18) },
  notes: [],
};

/** Trouble everywhere, and more agents than lines. */
export const troubledUpdate: LiveUpdate = {
  ...liveUpdate,
  stage: {
    index: 1,
    count: 5,
    name: "a-level-with-quite-a-long-name-that-somebody-thought-was-helpful",
    phase: "ramp",
    leftUs: null,
  },
  totalLeftUs: null,
  server: null,
  totals: { offered: 3321, completed: 2600, failed: 223, cancelled: 4, dropped: 9 },
  failures: { "connect-refused": 201, "http-5xx": 18, "stall-timeout": 4 },
  agents: Array.from({ length: 40 }, (_, i) =>
    liveAgent(
      i + 1,
      i === 7
        ? { colour: "red", cpu: 1.02, scheduleLagP99Us: 41_000 }
        : i === 20
          ? { colour: "yellow", silentMs: 4100 }
          : {},
    ),
  ),
  notes: [
    "agent load-21 has been silent for 4 s",
    "the target's /metrics at http://10.0.0.5:8000/metrics cannot be read: connection refused; server gauges are missing from here on",
  ],
};

/** Before the start. */
export const gatheringUpdate: LiveUpdate = {
  ...liveUpdate,
  state: "gathering",
  runTimeUs: 0,
  stage: null,
  totalLeftUs: null,
  inFlight: { asked: null, measured: 0 },
  server: null,
  rates: { requestsPerS: 0, outputTokensPerS: 0, promptTokensPerS: 0 },
  latencyUs: {
    ttft: { count: 0, p50: 0, p99: 0 },
    itl: { count: 0, p50: 0, p99: 0 },
    e2e: { count: 0, p50: 0, p99: 0 },
  },
  totals: { offered: 0, completed: 0, failed: 0, cancelled: 0, dropped: 0 },
  agents: [liveAgent(1, { state: "idle", inFlight: 0 })],
  history: { outputTokensPerS: [], inFlight: [] },
  notes: ["1 of 4 agents is here; waiting up to 30 s for the others"],
};
