import { LoadError, type RunReport, TOKEN_SOURCES } from "@tokenstorm/core";
import { z } from "zod";

const text = z.string();
const number = z.number();
const maybe = z.number().nullable();
const byName = z.record(z.string().max(128), number);

const Requests = z.looseObject({
  offered: number,
  sent: number,
  completed: number,
  failed: number,
  cancelled: number,
  dropped: number,
  unknown: number,
  censored: number,
  staleRetries: number,
});

const Tokens = z.looseObject({
  prompt: number,
  cachedPrompt: number,
  output: number,
  source: z.enum(TOKEN_SOURCES),
  sources: byName,
  askedPromptMean: maybe,
  askedOutputMean: maybe,
  promptMean: maybe,
  outputMean: maybe,
});

const Latency = z.looseObject({
  count: number,
  mean: maybe,
  min: maybe,
  p50: maybe,
  p90: maybe,
  p95: maybe,
  p99: maybe,
  p999: maybe,
  max: maybe,
  atLeast: z.array(text),
});

const Stimulus = z.looseObject({
  open: z
    .looseObject({
      planned: maybe,
      offered: number,
      handedOver: number,
      arrivalDistance: z.looseObject({ atLeast: number, atMost: number }).nullable(),
    })
    .nullable(),
  closed: z
    .looseObject({ usersAsked: number, neverStarted: maybe, startedLate: maybe, startedLateUs: maybe })
    .nullable(),
  notFilled: z.array(text),
});

const MemberLatency = z.looseObject({ count: number, p50: maybe, p99: maybe });

const Work = z.looseObject({
  name: text,
  share: number,
  offered: number,
  completed: number,
  failed: number,
  askedPromptMean: maybe,
  promptMean: maybe,
  cachedPromptMean: maybe,
  askedOutputMean: maybe,
  outputMean: maybe,
  imagesMean: maybe,
  imageTokensEach: maybe,
  latencyUs: z.looseObject({ ttft: MemberLatency, e2e: MemberLatency }).optional(),
});

const Member = z.looseObject({
  id: text,
  offered: number,
  completed: number,
  failed: number,
  censored: number,
  outputTokensPerS: number,
  latencyUs: z.looseObject({ ttft: MemberLatency, itl: MemberLatency, e2e: MemberLatency }),
});

/** What reports of the first version do not have. */
const FURTHER = {
  moreLatencyUs: z
    .looseObject({
      firstEvent: Latency,
      firstContent: Latency,
      headers: Latency,
      connect: Latency,
      gap: Latency,
    })
    .optional(),
  failureLatencyUs: z.looseObject({ fromSent: Latency, fromDue: Latency }).optional(),
  tokensPerEvent: maybe.optional(),
  eventsPerArrival: maybe.optional(),
  finishReasons: byName.nullable().optional(),
  outputLength: z
    .looseObject({
      count: number,
      askedMean: maybe,
      mean: maybe,
      min: maybe,
      p50: maybe,
      p90: maybe,
      max: maybe,
      histogram: z.array(z.looseObject({ from: number, count: number })),
    })
    .optional(),
  byAgent: z.array(Member).optional(),
  byTarget: z.array(Member).optional(),
  work: z.array(Work).optional(),
  notApart: z.looseObject({ agents: number, targets: number }).optional(),
  outliers: z
    .array(
      z.looseObject({
        of: z.enum(["agent", "target"]),
        id: text,
        figure: text,
        value: number,
        others: number,
      }),
    )
    .optional(),
};

const Stage = z.looseObject({
  name: text,
  users: z.number().optional(),
  rps: z.number().optional(),
  steady: z.boolean(),
  tooShort: z.boolean(),
  notes: z.array(text),
  windowStartEpochUs: number,
  windowStartUs: number,
  windowMs: number,
  inFlight: z.looseObject({ asked: maybe, mean: number, minAtLeast: number, maxAtMost: number }),
  server: z.looseObject({
    runningMean: maybe,
    waitingMean: maybe,
    kvUsageMax: maybe,
    preemptions: maybe,
    prefixHitTokens: maybe,
    ttftMeanUs: maybe.optional(),
    itlMeanUs: maybe.optional(),
    e2eMeanUs: maybe.optional(),
  }),
  requests: Requests,
  success: z.looseObject({ rate: maybe, lower95: maybe }),
  goodput: z.looseObject({ share: maybe, requestsPerS: number }).nullable().optional(),
  failures: byName,
  drops: byName,
  tokens: Tokens,
  rates: z.looseObject({
    requestsPerS: number,
    outputTokensPerS: number,
    promptTokensPerS: number,
    outputTokensPerSPerGpu: maybe,
    outputTokensPerSPerUser: maybe,
    eventsPerS: number,
  }),
  latencyUs: z.looseObject({
    ttft: Latency,
    itl: Latency,
    tpot: Latency,
    e2e: Latency,
    response: Latency,
    scheduleLag: Latency,
  }),
  stampUncertainty: z
    .looseObject({
      p99Us: number,
      source: z.enum(["self-probe", "event-loop delay"]),
      worst: z.looseObject({ agent: text, us: number }).nullable(),
    })
    .nullable()
    .optional(),
  completedPerUserMin: maybe,
  stimulus: Stimulus.optional(),
  ...FURTHER,
});

const ClockPoint = z.looseObject({ atMs: number, offsetUs: number, errorUs: number });

const AgentClock = z.looseObject({
  terms: z.array(
    z.looseObject({
      term: number,
      comparisons: number,
      first: ClockPoint,
      last: ClockPoint,
      drift: z.looseObject({ ppm: number, errorPpm: number }).nullable(),
      jumps: z.array(z.looseObject({ fromMs: number, toMs: number, byUs: number })),
    }),
  ),
  skew: z.looseObject({ atMs: number, us: number, errorUs: number }).nullable(),
});

const ServerCheck = z.looseObject({
  of: z.enum(["output", "prompt", "successes"]),
  server: number,
  client: number,
  tolerance: maybe,
  because: text,
  agrees: z.boolean().nullable(),
});

const ServerLatencyCheck = z.looseObject({
  of: z.enum(["ttft", "e2e"]),
  serverMeanUs: number,
  serverCount: number,
  clientMeanUs: number,
  clientCount: number,
  differenceUs: number,
});

const Proof = z.looseObject({
  level: text,
  run: text,
  agents: number,
  agentsDoubled: number,
  figures: z.array(
    z.looseObject({
      name: z.enum([
        "outputTokensPerS",
        "requestsPerS",
        "ttftP50Us",
        "ttftP99Us",
        "tpotP50Us",
        "e2eP50Us",
        "e2eP99Us",
      ]),
      single: maybe,
      doubled: maybe,
      difference: z.looseObject({ low: number, high: number }).nullable(),
      isSame: z.boolean().nullable(),
    }),
  ),
  holds: z.boolean().nullable(),
  sentence: text,
});

const Saturation = z.discriminatedUnion("kind", [
  z.looseObject({
    kind: z.literal("found"),
    inFlight: number,
    low: number,
    high: number,
    by: z.enum(["service", "crossing"]),
    throughput: number,
    sentence: text,
  }),
  z.looseObject({ kind: z.literal("at-most"), atMost: number, throughput: number, sentence: text }),
  z.looseObject({
    kind: z.literal("none"),
    upTo: number,
    from: number,
    to: number,
    growth: number,
    sentence: text,
  }),
  z.looseObject({ kind: z.literal("unknown"), because: text }),
]);

/** A report as it comes out of the blob store; fields that a newer version added are kept. */
export const RunReportMessage = z.looseObject({
  schemaVersion: z.literal(1),
  run: z.looseObject({
    id: text,
    name: text,
    startedAt: text.nullable(),
    durationMs: number,
    seed: number,
    salt: text,
    transport: z.enum(["nats", "memory"]),
    version: text,
    planDigest: text,
    state: z.enum(["completed", "failed", "aborted"]),
    model: text.nullable(),
    reader: text,
    problem: z.looseObject({ code: text, message: text }).nullable(),
  }),
  totals: z.looseObject({
    requests: Requests,
    tokens: Tokens,
    server: z.looseObject({
      prompt: maybe,
      output: maybe,
      successes: maybe,
      prefixHitTokens: maybe,
      exact: z.boolean(),
      checks: z.array(ServerCheck).optional(),
      latencies: z.array(ServerLatencyCheck).optional(),
    }),
  }),
  verdict: z.looseObject({
    status: z.enum(["valid", "degraded", "invalid"]),
    thresholds: z.enum(["passed", "failed", "inconclusive", "none"]),
    reasons: z.array(text),
    limitedBy: z.enum(["client", "queue", "kv", "compute", "nobody"]).nullable(),
    limitSentence: text.optional(),
  }),
  completeness: z.looseObject({
    intervalsExpected: number,
    intervalsReceived: number,
    samplesRecorded: number,
    samplesMerged: number,
    missing: z.array(z.looseObject({ agent: text, from: number, to: number })),
  }),
  agents: z.array(
    z.looseObject({
      id: text,
      host: text,
      shard: number,
      version: text,
      clockOffsetUs: number,
      clockErrorUs: number,
      startErrorUs: maybe,
      intervals: number,
      redIntervals: number,
      yellowIntervals: number,
      builtLate: maybe.optional(),
      measuredIntervals: number,
      clock: AgentClock.nullable().optional(),
    }),
  ),
  clocks: z.looseObject({ skewLimitUs: number, sentences: z.array(text) }).optional(),
  start: z
    .looseObject({ agents: number, errorMaxUs: number, skewUs: number, skewAtMostUs: number })
    .nullable()
    .optional(),
  stages: z.array(Stage),
  thresholds: z.array(
    z.looseObject({
      metric: text,
      expression: text,
      observed: maybe,
      result: z.enum(["passed", "failed", "inconclusive"]),
    }),
  ),
  losses: z
    .array(
      z.looseObject({
        agent: text,
        lastHeardMs: number,
        lostAtMs: number,
        foundAtMs: maybe,
        reason: text,
        times: number.optional(),
        takenOver: z.looseObject({ fromStage: text, by: z.array(text) }).nullable(),
      }),
    )
    .optional(),
  saturation: Saturation.optional(),
  proof: Proof.optional(),
});

type Wire = z.output<typeof RunReportMessage>;

/** A report as JSON, from a file or the blob store. Throws RESULTS_UNREADABLE naming `source`, and the field. */
export function reportFromJson(json: string, source = "the report"): RunReport {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw unreadable(source, "it is no JSON", { cause });
  }
  const version =
    typeof value === "object" && value !== null ? Reflect.get(value, "schemaVersion") : undefined;
  if (version !== undefined && version !== 1) {
    throw unreadable(
      source,
      `it has schema version ${String(version)}; this tokenstorm reads 1`,
      OTHER_VERSION,
    );
  }
  const checked = RunReportMessage.safeParse(value);
  if (checked.success) return withoutUndefined(checked.data);
  const [first] = checked.error.issues;
  const where = first === undefined ? "" : ` (${first.path.join(".")}: ${first.message})`;
  throw unreadable(source, `it is of another form${where}`, { ...OTHER_VERSION, cause: checked.error });
}

const OTHER_VERSION = { hint: "run the same version of tokenstorm everywhere" };

function unreadable(
  source: string,
  problem: string,
  more: { readonly hint?: string; readonly cause?: unknown },
): LoadError {
  return new LoadError("RESULTS_UNREADABLE", `${source} cannot be read: ${problem}`, more);
}

/** An optional key that is absent is no key, not one with undefined. */
function withoutUndefined(report: Wire): RunReport {
  const { start, losses, proof, saturation, ...rest } = report;
  const stages = report.stages.map(({ users, rps, goodput, stimulus, stampUncertainty, ...stage }) => ({
    ...stage,
    ...(stimulus === undefined ? {} : { stimulus }),
    ...(stampUncertainty === undefined ? {} : { stampUncertainty }),
    server: serverOf(stage.server),
    ...(goodput === undefined ? {} : { goodput }),
    ...(users === undefined ? {} : { users }),
    ...(rps === undefined ? {} : { rps }),
  }));
  return {
    ...rest,
    ...(start === undefined ? {} : { start }),
    ...(losses === undefined ? {} : { losses }),
    ...(proof === undefined ? {} : { proof }),
    ...(saturation === undefined ? {} : { saturation }),
    stages,
    totals: { ...report.totals, server: totalsServer(report.totals.server) },
    verdict: verdictOf(report.verdict),
  };
}

function totalsServer({ checks, latencies, ...server }: Wire["totals"]["server"]) {
  return {
    ...server,
    ...(checks === undefined ? {} : { checks }),
    ...(latencies === undefined ? {} : { latencies }),
  };
}

function verdictOf({ limitSentence, ...verdict }: Wire["verdict"]) {
  return { ...verdict, ...(limitSentence === undefined ? {} : { limitSentence }) };
}

function serverOf({ ttftMeanUs, itlMeanUs, e2eMeanUs, ...server }: Wire["stages"][number]["server"]) {
  return {
    ...server,
    ...(ttftMeanUs === undefined ? {} : { ttftMeanUs }),
    ...(itlMeanUs === undefined ? {} : { itlMeanUs }),
    ...(e2eMeanUs === undefined ? {} : { e2eMeanUs }),
  };
}
