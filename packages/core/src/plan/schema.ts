import { z } from "zod";
import { PLAN_BOUNDS, PLAN_DEFAULTS } from "./defaults.js";
import { Load } from "./schema-load.js";
import { durationMs, note } from "./schema-parts.js";
import { Target } from "./schema-target.js";
import { Workload } from "./schema-workload.js";
import { metricsUrl, metricsUrlProblem } from "./urls.js";

export type { Load, RateStage, UserStage } from "./schema-load.js";
export { formatDurationMs, Length, parseDurationMs } from "./schema-parts.js";
export type {
  ConversationWorkload,
  DataSetWorkload,
  PlainWorkload,
  SyntheticTextInput,
  SyntheticTextWorkload,
  TraceWorkload,
  Workload,
} from "./schema-workload.js";

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
      note(
        "What the result must meet, such as `success.rate >= 0.999`, `e2e.p95{stage=u100} < 20s`. One that ends with " +
          "`abortOnFail` ends the run as soon as a level fails it.",
        { example: ["ttft.p99 < 500ms"] },
      ),
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
    .meta(
      note(
        "What to do when an agent is lost once the run has begun: `fail` ends it; `continue` goes on without its shard until it comes back; `reshard` gives its shard to the others at the edge of a stage (docs/reliability.md).",
        { example: "continue" },
      ),
    ),
  orphanMs: durationMs(
    "An agent that has seen no leader for so long stops sending: 1m by default, 15s under `reshard`.",
    PLAN_BOUNDS.orphanMs,
    "2m",
  ).optional(),
  metricsUrls: z
    .array(
      z
        .url({ protocol: /^https?$/, error: "is no http or https URL" })
        .max(2048)
        .refine((text) => metricsUrlProblem(text) === undefined, {
          error: (issue) => metricsUrlProblem(String(issue.input)),
        })
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
