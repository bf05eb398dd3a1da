import {
  DROP_REASONS,
  FAILURE_REASONS,
  FINISH_REASONS,
  isCounted,
  LATER_METRICS,
  METRICS,
  type MetricName,
  PHASES,
  PLAN_BOUNDS,
  TARGET_METRICS,
  TARGETS_APART,
  TOKEN_SOURCES,
  WORK_METRICS,
} from "@tokenstorm/core";
import { z } from "zod";
import { count, id, seqRanges, text, us } from "./fields.js";
import { LedgerMessage, VitalsMessage } from "./parts.js";

/** `payload`: the V2 payload behind deflate (the compressed envelope, cookie 0x1c849314); bytes on the wire, base64 in a line. */
const histogramWith = <Payload extends z.ZodType>(payload: Payload) =>
  z.object({ count, sum: z.number().min(0), min: count, max: count, overflow: count, payload });

const FlowMessage = z.object({
  durationUs: count,
  inFlightUs: count,
  inFlightMin: count,
  inFlightMax: count,
  sent: count,
  ended: count,
  completed: count,
  outputTokens: count,
  promptTokens: count,
  arrivals: count,
  events: count,
  coalesced: count,
});

const DueMessage = z.object({
  offered: count,
  sent: count,
  unsent: count,
  completed: count,
  failed: z.partialRecord(z.enum(FAILURE_REASONS), count),
  // Agents of the first version do not say it.
  finish: z.partialRecord(z.enum(FINISH_REASONS), count).default({}),
  cancelled: count,
  dropped: z.partialRecord(z.enum(DROP_REASONS), count),
  unknown: count,
  censored: count,
  staleRetries: count,
  promptTokens: count,
  cachedPromptTokens: count,
  outputTokens: count,
  partialOutputTokens: count,
  tokenSource: z.partialRecord(z.enum(TOKEN_SOURCES), count),
  good: count,
  askedPromptTokens: count,
  askedOutputTokens: count,
  promptsOfUnknownLength: count.default(0),
});

/** Agents that are older send none, and leaders that are older pass over it; so they do over its histograms. */
const workWith = <Payload extends z.ZodType>(payload: Payload) =>
  z.object({
    member: z
      .int()
      .min(0)
      .max(PLAN_BOUNDS.mixtureMembers.max - 1),
    offered: count,
    completed: count,
    failed: count,
    promptTokens: count,
    cachedPromptTokens: count,
    outputTokens: count,
    askedPromptTokens: count,
    askedOutputTokens: count,
    promptsOfUnknownLength: count,
    images: count,
    imageTokens: count,
    imageTokensTold: count,
    histograms: z.partialRecord(z.enum(WORK_METRICS), histogramWith(payload)).optional(),
  });

/** Metrics of the first version of the message. */
export type FirstMetric = Exclude<MetricName, (typeof LATER_METRICS)[number]>;
export const FIRST_METRICS = METRICS.filter(isFirst);

function isFirst(metric: MetricName): metric is FirstMetric {
  return isCounted(metric);
}

const targetWith = <Payload extends z.ZodType>(payload: Payload) =>
  z.object({
    url: z
      .int()
      .min(0)
      .max(TARGETS_APART - 1),
    offered: count,
    completed: count,
    failed: count,
    censored: count,
    outputTokens: z.int(),
    histograms: z.partialRecord(z.enum(TARGET_METRICS), histogramWith(payload)),
  });

const snapshotWith = <Payload extends z.ZodType>(payload: Payload) =>
  z.object({
    run: id,
    agent: id,
    epoch: count,
    seq: count,
    fromUs: us,
    toUs: us,
    ledger: LedgerMessage,
    blocks: z
      .array(
        z.object({
          stage: count,
          phase: z.enum(PHASES),
          flow: FlowMessage,
          due: DueMessage,
          histograms: z.partialRecord(z.enum(FIRST_METRICS), histogramWith(payload)),
          // A first reader refuses names that it does not know, and passes over fields that it does not know.
          laterHistograms: z.partialRecord(z.enum(LATER_METRICS), histogramWith(payload)).optional(),
          targets: z.array(targetWith(payload)).max(TARGETS_APART).optional(),
          work: z.array(workWith(payload)).max(PLAN_BOUNDS.mixtureMembers.max).optional(),
        }),
      )
      .max(64),
    vitals: VitalsMessage,
  });

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes");

export const SnapshotMessage = snapshotWith(bytes);
export type SnapshotMessage = z.infer<typeof SnapshotMessage>;
/** A snapshot as it stands in snapshots.ndjson; its reader sees whether payloads are base64 when it decodes them. */
export const SnapshotLine = snapshotWith(z.string());
export type SnapshotLine = z.infer<typeof SnapshotLine>;

export const FinalMessage = z.object({
  run: id,
  agent: id,
  epoch: count,
  lastSeq: count,
  samplesRecorded: count,
  ledger: LedgerMessage,
  startErrorUs: us,
  evicted: count,
  completedPerUserMin: z.record(z.string().max(8), count),
  // Optional: agents of the first version do not say it, and leaders of it pass over it.
  usersStarted: z
    .record(z.string().max(8), z.object({ never: count, late: count, lateUs: count }))
    .optional(),
  // As above.
  builtLate: count.optional(),
  // As above.
  gaps: seqRanges.optional(),
  unled: z
    .array(z.object({ fromUs: us, toUs: us }))
    .max(1000)
    .optional(),
  reader: text,
});
