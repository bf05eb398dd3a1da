/** Every default of a plan, in one place; docs/plan.md prints them. Durations in milliseconds. */
export const PLAN_DEFAULTS = {
  target: { api: "openai-chat", insecureSkipVerify: false, reader: "auto" },
  workload: {
    kind: "synthetic-text",
    inputTokens: 512,
    outputTokens: 128,
    ignoreEos: true,
    prompts: "unique",
  },
  images: { count: 1, content: "unique" },
  dataset: {
    format: "auto",
    fields: {
      prompt: "prompt",
      messages: "messages",
      inputTokens: "input_tokens",
      outputTokens: "output_tokens",
    },
    order: "in-order",
    prompts: "unique",
  },
  conversation: { turns: 5, inputTokens: 128 },
  trace: { format: "auto", speed: 1, blockTokens: 512 },
  /** Of the shortest (else the mean) input, for prompts: shared-prefix. */
  sharedPrefixShare: 0.5,
  load: { thinkMs: 0, spacing: "poisson", maxInFlight: 4096 },
  stage: { settleMs: 1000, rampUpMsPerAddedUser: 20, maxDurationMs: 3_600_000 },
  agents: { min: 1, waitMs: 30_000 },
  warmUp: { requests: 8, users: 4 },
  timeouts: { connectMs: 10_000, ttftMs: 600_000, stallMs: 120_000, totalMs: 3_600_000 },
  seed: 1,
  intervalMs: 1000,
  gracePeriodMs: 30_000,
  maxLatenessMs: 1000,
  deliverMs: 30_000,
  lossPolicy: "fail",
  orphanMs: 60_000,
  /** Under `reshard`: longer than a takeover, and no longer, for others wait so long with the shard. */
  orphanMsWhenResharding: 15_000,
  /** What `run --target URL` does without --users, --rps, --duration and --requests. */
  flags: { users: 1, durationMs: 60_000 },
} as const;

/** Least and greatest value of what is not free in a plan; lengths of time in milliseconds. */
export const PLAN_BOUNDS = {
  intervalMs: { min: 10, max: 60_000 },
  gracePeriodMs: { min: 0, max: 3_600_000 },
  maxLatenessMs: { min: 1, max: 600_000 },
  deliverMs: { min: 1, max: 3_600_000 },
  orphanMs: { min: 1, max: 3_600_000 },
  waitMs: { min: 0, max: 86_400_000 },
  timeoutMs: { min: 1, max: 86_400_000 },
  thinkMs: { min: 0, max: 3_600_000 },
  rampMs: { min: 0, max: 86_400_000 },
  /** Pixels. */
  imageSide: { min: 1, max: 8192 },
  imagesPerRequest: { min: 1, max: 64 },
  turns: { min: 1, max: 1000 },
  mixtureMembers: { min: 1, max: 32 },
  /** One file of prompts, or of a trace: 64 MiB. */
  dataSetBytes: { min: 1, max: 67_108_864 },
  traceMs: { min: 0, max: 2_592_000_000 },
  /** Thirty days. */
  stageMs: { min: 1, max: 2_592_000_000 },
} as const;

/** How long an agent of this plan goes on without a leader. */
export function orphanMsOf(plan: {
  readonly orphanMs?: number | undefined;
  readonly lossPolicy: "fail" | "continue" | "reshard";
}): number {
  if (plan.orphanMs !== undefined) return plan.orphanMs;
  return plan.lossPolicy === "reshard" ? PLAN_DEFAULTS.orphanMsWhenResharding : PLAN_DEFAULTS.orphanMs;
}
