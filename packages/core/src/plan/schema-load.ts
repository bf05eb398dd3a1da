import { z } from "zod";
import { MOST_DENSITIES } from "../load/density.js";
import { PLAN_BOUNDS, PLAN_DEFAULTS } from "./defaults.js";
import { dataFile, durationMs, note } from "./schema-parts.js";

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
  requestsFrom: z
    .enum(["quota", "pool"])
    .optional()
    .meta(
      note(
        "Who sends `requests`: by `quota`, the default, each user has its share from the start; from a `pool` whoever is " +
          "free takes the next, as a semaphore over a list does. Each agent has a pool of its own users' shares.",
        { example: "pool" },
      ),
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
  z.strictObject({
    kind: z
      .literal("trace")
      .meta(
        note("Open load from a file: each of its requests is sent at its own time, whatever is in flight."),
      ),
    ...dataFile,
    format: z
      .enum(["auto", "mooncake", "azure"])
      .default(PLAN_DEFAULTS.trace.format)
      .meta(
        note(
          "`mooncake`: JSONL with timestamp (ms), input_length, output_length and hash_ids; `azure`: CSV with TIMESTAMP, " +
            "ContextTokens, GeneratedTokens. `auto` takes a file that ends in .csv for azure, any other for mooncake.",
          { example: "azure" },
        ),
      ),
    speed: z
      .number()
      .positive()
      .max(1_000_000)
      .default(PLAN_DEFAULTS.trace.speed)
      .meta(note("So many times faster than the trace: 2 halves the time between requests.", { example: 2 })),
    fromMs: durationMs(
      "Part of the trace to send, in its own time: from here on.",
      PLAN_BOUNDS.traceMs,
      "10m",
    ).prefault(0),
    durationMs: durationMs(
      "Length of that part, in the trace's own time; up to its last request by default.",
      PLAN_BOUNDS.stageMs,
      "5m",
    ).optional(),
    maxInFlight: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(PLAN_DEFAULTS.load.maxInFlight)
      .meta(
        note("Over this bound a due request is dropped, and counted.", { unit: "requests", example: 2000 }),
      ),
    requests: z
      .int()
      .min(1)
      .optional()
      .meta(note("Requests in that part; filled in at submission.", { unit: "requests", example: 23_608 })),
    lengthMs: durationMs(
      "How long sending it takes, at that speed; filled in at submission.",
      PLAN_BOUNDS.stageMs,
      "1h",
    ).optional(),
    density: z
      .array(
        z.strictObject({
          withinUs: z
            .int()
            .min(1)
            .meta(note("A time, wherever it lies.", { unit: "us", example: 1000 })),
          requests: z
            .int()
            .min(1)
            .meta(note("The most that are due within it.", { unit: "requests", example: 12 })),
        }),
      )
      .max(MOST_DENSITIES)
      .optional()
      .meta(
        note(
          "The most of its requests within any 1 ms, 2 ms, 4 ms, ..., so that a report can say how true their times were sent; filled in at submission.",
          { example: [{ withinUs: 1000, requests: 12 }] },
        ),
      ),
  }),
]);

export type UserStage = z.output<typeof UserStage>;
export type RateStage = z.output<typeof RateStage>;
export type Load = z.output<typeof Load>;
