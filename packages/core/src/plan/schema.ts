import { z } from "zod";
import { PLAN_BOUNDS, PLAN_DEFAULTS } from "./defaults.js";
import { durationMs, Length, note } from "./schema-parts.js";
import { baseUrl, baseUrlProblem, metricsUrl } from "./urls.js";

export { formatDurationMs, Length, parseDurationMs } from "./schema-parts.js";

const BaseUrl = z
  .string()
  .refine((text) => baseUrlProblem(text) === undefined, {
    error: (issue) => baseUrlProblem(String(issue.input)),
    abort: true,
  })
  .refine((text) => z.url().safeParse(text).success, { error: "is no http or https URL" })
  .transform(baseUrl);

export const Target = z.strictObject({
  api: z
    .enum(["openai-chat", "openai-completions"])
    .default(PLAN_DEFAULTS.target.api)
    .meta(
      note("Which API the requests use. Completions send token ids, chat sends words.", {
        example: "openai-completions",
      }),
    ),
  urls: z
    .array(BaseUrl)
    .min(1)
    .max(1000)
    .meta(
      note("Base URLs; a trailing slash or /v1 is dropped. Several are used in turn by user or arrival.", {
        example: ["http://127.0.0.1:8000"],
      }),
    ),
  model: z
    .string()
    .min(1)
    .optional()
    .meta(
      note("Model name; found by /v1/models where it serves just one.", {
        example: "meta-llama/Llama-3.1-405B",
      }),
    ),
  apiKeyEnv: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      "is no name of an environment variable: the key itself never stands in a plan",
    )
    .optional()
    .meta(
      note("Name of the environment variable, on the agents, that holds the API key. Never the key itself.", {
        example: "VLLM_API_KEY",
      }),
    ),
  apiKeyFile: z
    .string()
    .min(1)
    .optional()
    .meta(
      note("Path of a file, on the agents, that holds the API key. Either this or apiKeyEnv.", {
        example: "/run/secrets/api-key",
      }),
    ),
  tls: z
    .strictObject({
      caFile: z
        .string()
        .min(1)
        .optional()
        .meta(
          note("PEM file, on the agents, with the authorities to trust.", { example: "/etc/ssl/lab-ca.pem" }),
        ),
      serverName: z
        .string()
        .min(1)
        .optional()
        .meta(note("Name to ask for and to check (SNI).", { example: "llm.example" })),
      insecureSkipVerify: z
        .boolean()
        .default(PLAN_DEFAULTS.target.insecureSkipVerify)
        .meta(note("Accept any certificate.", { example: true })),
    })
    .optional()
    .meta(note("TLS options for https URLs.")),
  gpus: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta(note("Number of GPUs behind the target, for rates per GPU.", { unit: "GPUs", example: 8 })),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta(note("Further request headers; no secrets here.", { example: { "X-Tenant": "bench" } })),
});

export const Workload = z.strictObject({
  kind: z
    .literal("synthetic-text")
    .default(PLAN_DEFAULTS.workload.kind)
    .meta(note("Text made up from the seed: common words (chat) or random token ids (completions).")),
  inputTokens: Length.default(PLAN_DEFAULTS.workload.inputTokens).meta(
    note("Prompt length, the chat template included: a number or a distribution.", {
      unit: "tokens",
      example: { kind: "uniform", min: 100, max: 500 },
    }),
  ),
  outputTokens: Length.default(PLAN_DEFAULTS.workload.outputTokens).meta(
    note("Generated length: a number or a distribution.", { unit: "tokens", example: 256 }),
  ),
  ignoreEos: z
    .boolean()
    .default(PLAN_DEFAULTS.workload.ignoreEos)
    .meta(
      note("Asks for exactly outputTokens (ignore_eos); false lets the model stop by itself.", {
        example: false,
      }),
    ),
  prompts: z
    .enum(["unique", "shared-prefix", "identical"])
    .default(PLAN_DEFAULTS.workload.prompts)
    .meta(
      note(
        "Unique prompts carry the run salt at their first tokens, so that no repeat measures the prefix cache. " +
          "Shared-prefix prompts begin alike within a run, identical ones are one prompt, without salt.",
        { example: "shared-prefix" },
      ),
    ),
  sharedPrefixTokens: z
    .int()
    .min(1)
    .max(10_000_000)
    .optional()
    .meta(
      note(
        "For shared-prefix: length of the common beginning of the user's text; by default half of the shortest stated input.",
        {
          unit: "tokens",
          example: 256,
        },
      ),
    ),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .optional()
    .meta(note("Sampling temperature, sent only when given.", { example: 0.7 })),
});

const stageName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "is no name: letters, digits, . _ -, at most 64")
  .optional();

export const UserStage = z.strictObject({
  name: stageName.meta(
    note("Name in reports and thresholds; `u100` for 100 users by default.", { example: "peak" }),
  ),
  users: z
    .int()
    .min(1)
    .max(1_000_000)
    .meta(
      note("How many users, each sending its next request after the answer.", {
        unit: "users",
        example: 100,
      }),
    ),
  rampUpMs: durationMs(
    "Time over which added users start; by default 1 s per 50 added users.",
    PLAN_BOUNDS.rampMs,
    "5s",
  ).optional(),
  settleMs: durationMs(
    "Time after the ramp before measuring begins. A stage bounded by requests is measured whole.",
    PLAN_BOUNDS.rampMs,
    "2s",
  ).prefault(PLAN_DEFAULTS.stage.settleMs),
  durationMs: durationMs(
    "Length of the measured window; ramp and settle precede it. Either this or requests.",
    PLAN_BOUNDS.stageMs,
    "2m",
  ).optional(),
  requests: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .optional()
    .meta(
      note("Instead of durationMs: exactly so many requests, measured whole.", {
        unit: "requests",
        example: 1000,
      }),
    ),
  maxDurationMs: durationMs("Limit for a stage bounded by requests.", PLAN_BOUNDS.stageMs, "10m").prefault(
    PLAN_DEFAULTS.stage.maxDurationMs,
  ),
});

export const RateStage = z.strictObject({
  name: stageName.meta(
    note("Name in reports and thresholds; `r50`, or `r50-100` for a slope, by default.", { example: "rush" }),
  ),
  durationMs: durationMs("Length of the stage.", PLAN_BOUNDS.stageMs, "2m"),
  fromRps: z
    .number()
    .min(0)
    .max(1_000_000)
    .meta(note("Arrivals at its beginning.", { unit: "requests/s", example: 50 })),
  toRps: z
    .number()
    .min(0)
    .max(1_000_000)
    .optional()
    .meta(
      note(
        "Arrivals at its end; as fromRps by default. Between two rates they change evenly, and nothing is measured.",
        {
          unit: "requests/s",
          example: 100,
        },
      ),
    ),
});

export const Load = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z
      .literal("users")
      .meta(note("Closed load: each user sends, waits for the answer, thinks, sends again.")),
    thinkMs: durationMs(
      "Pause of a user between an answer and its next request.",
      PLAN_BOUNDS.thinkMs,
      "500ms",
    ).prefault(PLAN_DEFAULTS.load.thinkMs),
    stages: z
      .array(UserStage)
      .min(1)
      .max(1000)
      .meta(
        note("Levels, one after the other. Staying users go on at an edge, added ones start over the ramp."),
      ),
  }),
  z.strictObject({
    kind: z
      .literal("arrival-rate")
      .meta(note("Open load: requests are sent when they are due, whatever is in flight.")),
    spacing: z
      .enum(["even", "poisson"])
      .default(PLAN_DEFAULTS.load.spacing)
      .meta(note("Distances between arrivals: equal, or exponentially distributed.", { example: "even" })),
    maxInFlight: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(PLAN_DEFAULTS.load.maxInFlight)
      .meta(
        note("Over this bound a due request is dropped, and counted.", { unit: "requests", example: 2000 }),
      ),
    stages: z.array(RateStage).min(1).max(1000).meta(note("Rates, one after the other.")),
  }),
]);

/** The plan's schema, version 1. Strict: an unknown key is a problem. */
export const PlanSchema = z.strictObject({
  version: z.literal(1).meta(note("Version of the plan's format.", { example: 1 })),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "is no name: letters, digits, . _ -, at most 64")
    .optional()
    .meta(note("Name of the run, part of its directory's name.", { example: "nightly" })),
  target: Target.meta(note("The servers under load.", { example: { urls: ["http://127.0.0.1:8000"] } })),
  workload: Workload.prefault({}).meta(note("What is sent.")),
  load: Load.meta(
    note("How much is sent, and when.", {
      example: { kind: "users", stages: [{ users: 100, durationMs: "2m" }] },
    }),
  ),
  agents: z
    .strictObject({
      min: z
        .int()
        .min(1)
        .max(10_000)
        .default(PLAN_DEFAULTS.agents.min)
        .meta(
          note("The run starts when so many agents are there; it uses all that fit.", {
            unit: "agents",
            example: 4,
          }),
        ),
      labels: z
        .record(z.string(), z.string())
        .optional()
        .meta(note("Only agents with all these labels.", { example: { zone: "a" } })),
      waitMs: durationMs("How long to wait for them.", PLAN_BOUNDS.waitMs, "2m").prefault(
        PLAN_DEFAULTS.agents.waitMs,
      ),
    })
    .prefault({})
    .meta(note("Which agents take part.")),
  warmUp: z
    .strictObject({
      requests: z
        .int()
        .min(0)
        .max(100_000)
        .default(PLAN_DEFAULTS.warmUp.requests)
        .meta(
          note("Requests before the first stage, with prompts of their own; 0 is none.", {
            unit: "requests",
            example: 32,
          }),
        ),
      users: z
        .int()
        .min(1)
        .max(10_000)
        .default(PLAN_DEFAULTS.warmUp.users)
        .meta(note("Users that send them.", { unit: "users", example: 8 })),
    })
    .prefault({})
    .meta(note("Requests that are sent, and reported, but never measured.")),
  thresholds: z
    .array(z.string().min(1).max(256))
    .max(100)
    .default([])
    .meta(
      note("What the result must meet, such as `success.rate >= 0.999`, `e2e.p95{stage=u100} < 20s`.", {
        example: ["ttft.p99 < 500ms"],
      }),
    ),
  slos: z
    .strictObject({
      ttftMs: z
        .number()
        .positive()
        .optional()
        .meta(note("Greatest time to the first token.", { unit: "ms", example: 500 })),
      tpotMs: z
        .number()
        .positive()
        .optional()
        .meta(note("Greatest time per output token after the first.", { unit: "ms", example: 50 })),
      e2eMs: z
        .number()
        .positive()
        .optional()
        .meta(note("Greatest time from sent to the end.", { unit: "ms", example: 20_000 })),
    })
    .optional()
    .meta(note("Limits that one request must meet to count as good.")),
  timeouts: z
    .strictObject({
      connectMs: durationMs("To connect.", PLAN_BOUNDS.timeoutMs, "3s").prefault(
        PLAN_DEFAULTS.timeouts.connectMs,
      ),
      ttftMs: durationMs("From sent to the first token.", PLAN_BOUNDS.timeoutMs, "1m").prefault(
        PLAN_DEFAULTS.timeouts.ttftMs,
      ),
      stallMs: durationMs("Between two events.", PLAN_BOUNDS.timeoutMs, "30s").prefault(
        PLAN_DEFAULTS.timeouts.stallMs,
      ),
      totalMs: durationMs("From sent to the end.", PLAN_BOUNDS.timeoutMs, "10m").prefault(
        PLAN_DEFAULTS.timeouts.totalMs,
      ),
    })
    .prefault({})
    .meta(note("A request that takes longer has failed.")),
  seed: z
    .int()
    .min(0)
    .max(4_294_967_295)
    .default(PLAN_DEFAULTS.seed)
    .meta(note("Of every random choice but the salt.", { example: 42 })),
  salt: z
    .string()
    .regex(/^[a-z0-9]{1,32}$/, "is no salt: 1 to 32 of a-z and 0-9")
    .optional()
    .meta(note("Replays a salt; random by default.", { example: "k3v9x0a1" })),
  intervalMs: durationMs("How often an agent cuts a snapshot.", PLAN_BOUNDS.intervalMs, "2s").prefault(
    PLAN_DEFAULTS.intervalMs,
  ),
  gracePeriodMs: durationMs(
    "How long requests of a stage are followed after its end; those still open are censored.",
    PLAN_BOUNDS.gracePeriodMs,
    "1m",
  ).prefault(PLAN_DEFAULTS.gracePeriodMs),
  maxLatenessMs: durationMs(
    "A request that could not be sent so long after it was due is dropped.",
    PLAN_BOUNDS.maxLatenessMs,
    "500ms",
  ).prefault(PLAN_DEFAULTS.maxLatenessMs),
  deliverMs: durationMs(
    "How long an agent tries to deliver its results after the drain.",
    PLAN_BOUNDS.deliverMs,
    "2m",
  ).prefault(PLAN_DEFAULTS.deliverMs),
  lossPolicy: z
    .enum(["fail", "continue", "reshard"])
    .default(PLAN_DEFAULTS.lossPolicy)
    .meta(note("What to do when an agent is lost. This version only knows `fail`.", { example: "fail" })),
  orphanMs: durationMs(
    "An agent that has seen no leader for so long stops sending.",
    PLAN_BOUNDS.orphanMs,
    "2m",
  ).prefault(PLAN_DEFAULTS.orphanMs),
  metricsUrls: z
    .array(
      z
        .url({ protocol: /^https?$/, error: "is no http or https URL" })
        .max(2048)
        .transform(metricsUrl),
    )
    .max(1000)
    .optional()
    .meta(
      note("Where the target's Prometheus metrics are; /metrics of each target by default.", {
        example: ["http://127.0.0.1:8000/metrics"],
      }),
    ),
});

/** A plan as it is used everywhere past the edge: checked, with its defaults filled in. */
export type TestPlan = z.output<typeof PlanSchema>;
/** A plan as a person may write it. */
export type PlanInput = z.input<typeof PlanSchema>;
export type UserStage = z.output<typeof UserStage>;
export type RateStage = z.output<typeof RateStage>;
export type Load = TestPlan["load"];
export type Workload = TestPlan["workload"];
