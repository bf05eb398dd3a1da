import { z } from "zod";

const DURATION = /^\s*(\d+(?:\.\d+)?)\s*(us|ms|s|m|h)\s*$/;
const MS_PER_UNIT: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads `30s`, `500ms`, `2m`; undefined when it is no duration. Milliseconds, rounded. */
export function parseDurationMs(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * (MS_PER_UNIT[match[2] ?? "ms"] ?? 1));
}

/** A duration key: integer milliseconds, or a text such as `30s`. */
const durationMs = (description: string) =>
  z
    .union([
      z.int().min(0),
      z.string().regex(DURATION, "is no duration: write milliseconds, or 500ms, 30s, 2m, 1h"),
    ])
    .transform((value) => (typeof value === "number" ? value : (parseDurationMs(value) ?? 0)))
    .describe(`${description} Milliseconds, or a text such as 30s.`);

const tokens = z.int().min(1).max(10_000_000);

/** A length in tokens: a number, or a distribution. */
export const Length = z.union([
  tokens,
  z.strictObject({ kind: z.literal("fixed"), tokens }),
  z.strictObject({ kind: z.literal("uniform"), min: tokens, max: tokens }),
  z.strictObject({
    kind: z.literal("normal"),
    mean: tokens,
    sd: z.number().min(0),
    min: tokens.optional(),
    max: tokens.optional(),
  }),
  z.strictObject({
    kind: z.literal("lognormal"),
    median: tokens,
    sigma: z.number().min(0).max(5),
    min: tokens.optional(),
    max: tokens.optional(),
  }),
]);
export type Length = z.infer<typeof Length>;

const Target = z.strictObject({
  api: z
    .enum(["openai-chat", "openai-completions"])
    .default("openai-chat")
    .describe("Which API the requests use."),
  urls: z
    .array(z.url({ protocol: /^https?$/, error: "is no http or https URL" }))
    .min(1)
    .describe("Base URLs without /v1; several are used in turn by user or arrival."),
  model: z.string().min(1).optional().describe("Model name; found by /v1/models where it serves just one."),
  apiKeyEnv: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Name of the environment variable, on the agents, that holds the API key. Never the key itself.",
    ),
  apiKeyFile: z.string().min(1).optional().describe("Path of a file, on the agents, that holds the API key."),
  tls: z
    .strictObject({
      caFile: z
        .string()
        .min(1)
        .optional()
        .describe("PEM file, on the agents, with the authorities to trust."),
      serverName: z.string().min(1).optional().describe("Name to ask for and to check (SNI)."),
      insecureSkipVerify: z.boolean().default(false).describe("Accept any certificate."),
    })
    .optional()
    .describe("TLS options for https URLs."),
  gpus: z.int().min(1).optional().describe("Number of GPUs behind the target, for rates per GPU."),
  headers: z.record(z.string(), z.string()).optional().describe("Further request headers; no secrets here."),
});

const Workload = z.strictObject({
  kind: z.literal("synthetic-text").default("synthetic-text"),
  inputTokens: Length.default(512).describe("Prompt length in tokens: a number or a distribution."),
  outputTokens: Length.default(128).describe("Generated length in tokens: a number or a distribution."),
  ignoreEos: z
    .boolean()
    .default(true)
    .describe("Asks for exactly outputTokens (ignore_eos); false lets the model stop by itself."),
  prompts: z
    .enum(["unique", "shared-prefix", "identical"])
    .default("unique")
    .describe(
      "Unique prompts carry the run salt at their first token, so that no repeat measures the prefix cache.",
    ),
  sharedPrefixTokens: z
    .int()
    .min(1)
    .optional()
    .describe("For shared-prefix: length of the common beginning."),
  temperature: z.number().min(0).max(2).optional().describe("Sampling temperature, sent only when given."),
});

const UserStage = z.strictObject({
  name: z.string().min(1).max(64).optional(),
  users: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe("How many users, each sending its next request after the answer."),
  rampUpMs: durationMs("Time over which added users start; by default 1 s per 50 added users.").optional(),
  settleMs: durationMs("Time after the ramp before measuring begins.").default(1000),
  durationMs: durationMs("Length of the measured window; ramp and settle precede it.").optional(),
  requests: z
    .int()
    .min(1)
    .optional()
    .describe("Instead of durationMs: exactly so many requests, measured whole."),
  maxDurationMs: durationMs("Limit for a stage bounded by requests.").default(3_600_000),
});

const RateStage = z.strictObject({
  name: z.string().min(1).max(64).optional(),
  durationMs: durationMs("Length of the stage."),
  fromRps: z.number().min(0).max(1_000_000).describe("Arrivals per second at its beginning."),
  toRps: z
    .number()
    .min(0)
    .max(1_000_000)
    .optional()
    .describe("Arrivals per second at its end; as fromRps by default."),
});

const Load = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("users"),
    thinkMs: durationMs("Pause of a user between an answer and its next request.").default(0),
    stages: z.array(UserStage).min(1).max(1000),
  }),
  z.strictObject({
    kind: z.literal("arrival-rate"),
    spacing: z.enum(["even", "poisson"]).default("poisson"),
    maxInFlight: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(4096)
      .describe("Over this bound a due request is dropped, and counted."),
    stages: z.array(RateStage).min(1).max(1000),
  }),
]);

/** The plan's schema, version 1. Strict: an unknown key is a problem. */
export const PlanSchema = z.strictObject({
  version: z.literal(1),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "is no name: letters, digits, . _ -, at most 64")
    .optional(),
  target: Target,
  workload: Workload.prefault({}),
  load: Load,
  agents: z
    .strictObject({
      min: z
        .int()
        .min(1)
        .max(10_000)
        .default(1)
        .describe("The run starts when so many agents are there; it uses all that fit."),
      labels: z.record(z.string(), z.string()).optional().describe("Only agents with all these labels."),
      waitMs: durationMs("How long to wait for them.").default(30_000),
    })
    .prefault({}),
  warmUp: z
    .strictObject({
      requests: z
        .int()
        .min(0)
        .max(100_000)
        .default(8)
        .describe("Requests before the first stage, with prompts of their own; 0 is none."),
      users: z.int().min(1).max(10_000).default(4).describe("Users that send them."),
    })
    .prefault({}),
  thresholds: z
    .array(z.string().min(1))
    .max(100)
    .default([])
    .describe("Such as `ttft.p99 < 500ms`, `success.rate >= 0.999`, `e2e.p95{stage=u100} < 20s`."),
  slos: z
    .strictObject({
      ttftMs: z.number().positive().optional(),
      tpotMs: z.number().positive().optional(),
      e2eMs: z.number().positive().optional(),
    })
    .optional()
    .describe("Limits that one request must meet to count as good."),
  timeouts: z
    .strictObject({
      connectMs: durationMs("To connect.").default(10_000),
      ttftMs: durationMs("From sent to the first token.").default(600_000),
      stallMs: durationMs("Between two events.").default(120_000),
      totalMs: durationMs("From sent to the end.").default(3_600_000),
    })
    .prefault({}),
  seed: z.int().min(0).max(4_294_967_295).default(1).describe("Of every random choice but the salt."),
  salt: z
    .string()
    .regex(/^[a-z0-9]{1,32}$/, "is no salt: 1 to 32 of a-z and 0-9")
    .optional()
    .describe("Replays a salt; random by default."),
  intervalMs: durationMs("How often an agent cuts a snapshot.").default(1000),
  gracePeriodMs: durationMs("How long requests of a stage are followed after its end.").default(30_000),
  maxLatenessMs: durationMs("A request that could not be sent so long after it was due is dropped.").default(
    1000,
  ),
  deliverMs: durationMs("How long an agent tries to deliver its results after the drain.").default(30_000),
  lossPolicy: z
    .enum(["fail", "continue", "reshard"])
    .default("fail")
    .describe("What to do when an agent is lost."),
  orphanMs: durationMs("An agent that has seen no leader for so long stops sending.").default(60_000),
  metricsUrls: z
    .array(z.url({ protocol: /^https?$/ }))
    .optional()
    .describe("Where the target's Prometheus metrics are; <url>/metrics of each target by default."),
});

/** A plan as it is used everywhere past the edge: checked, with its defaults filled in. */
export type TestPlan = z.output<typeof PlanSchema>;
/** A plan as a person may write it. */
export type PlanInput = z.input<typeof PlanSchema>;
export type UserStage = z.output<typeof UserStage>;
export type RateStage = z.output<typeof RateStage>;
export type Load = TestPlan["load"];
export type Workload = TestPlan["workload"];
