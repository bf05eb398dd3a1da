import {
  DROP_REASONS,
  FAILURE_REASONS,
  FINISH_REASONS,
  isCounted,
  LATER_METRICS,
  LOAD_ERROR_CODES,
  METRICS,
  type MetricName,
  PHASES,
  PLAN_BOUNDS,
  PlanSchema,
  PROBE_BUCKETS,
  RUN_STATES,
  TARGET_METRICS,
  TARGETS_APART,
  TOKEN_SOURCES,
  VITALS_COLOURS,
  WORK_METRICS,
} from "@tokenstorm/core";
import { z } from "zod";
import { isId } from "./subjects.js";

/** Raised when a reader of an older message could not understand a newer one. */
export const PROTOCOL_VERSION = 1;

const id = z.string().refine(isId, "is no id: letters, digits, _ and -, at most 64");
const text = z.string().max(4096);
const count = z.int().min(0);
const us = z.int();
const share = z.number();

/** State of an agent process as it tells it itself. */
export const AGENT_STATES = [
  "idle",
  "preparing",
  "ready",
  "armed",
  "running",
  "draining",
  "delivering",
  "done",
  "failed",
] as const;

export const ProblemMessage = z.object({
  code: z.enum(LOAD_ERROR_CODES),
  message: text,
  hint: text.optional(),
});

export const VitalsMessage = z.object({
  loopDelayP99Us: count,
  loopDelayMaxUs: count,
  utilisation: share,
  cpu: share,
  starvation: share,
  gcUs: count,
  throttledUs: count,
  rssBytes: count,
  openSockets: count,
  descriptors: count,
  descriptorLimit: count,
  scheduleLagP99Us: count,
  coalescedShare: share,
  // Not from older agents, and not from every host.
  selfProbe: z
    .object({
      count,
      p50Us: count,
      p90Us: count,
      p99Us: count,
      maxUs: count,
      buckets: z.array(count).max(PROBE_BUCKETS).readonly(),
    })
    .optional(),
  localPorts: z.object({ used: count, range: count }).optional(),
});

export const LedgerMessage = z.object({
  offered: count,
  sent: count,
  unsent: count,
  dropped: count,
  waiting: count,
  completed: count,
  failed: count,
  cancelled: count,
  unknown: count,
  inFlight: count,
});

const ReaderCapacityMessage = z.object({ eventsPerS: z.number().min(0), isAtLeast: z.boolean() });

/** What an agent found when it prepared; the digests of all agents must be equal. */
export const ReadyMessage = z.object({
  version: text,
  /** Fingerprint, for count = 1, of all due times (open) and the first 1,000 requests. */
  walkDigest: text,
  model: text,
  /** Words per token by /tokenize; null where tokens are sent as ids or the target has no /tokenize. */
  wordsPerToken: z.number().positive().nullable(),
  /** Tokens that the chat template adds; null when unknown. */
  templateTokens: count.nullable(),
  serverVersion: text.nullable(),
  reader: text,
  /** Events per second that the plan means for this process. Not from an agent of an older version. */
  plannedEventsPerS: z.number().min(0).optional(),
});
export type Ready = z.infer<typeof ReadyMessage>;

/** The leader's word, once a second and after every change. Whoever is behind reads the StateStore. */
export const Beacon = z.object({
  term: count,
  leader: id,
  leaderInstance: id,
  seq: count,
  leaderUs: us,
  /** The run that is led now, if any. */
  run: id.nullable(),
  state: z.enum(RUN_STATES).nullable(),
  revision: count,
  stop: z.enum(["none", "drain", "cut"]),
  /** Highest confirmed snapshot by agent id: all up to it are folded, written and fsynced; `final` once the final is. */
  confirmed: z.record(id, z.object({ epoch: count, seq: count, final: z.boolean() })),
  /** Snapshots wanted again, by agent id. */
  resend: z.record(id, z.object({ epoch: count, seqs: z.array(count).max(1000), final: z.boolean() })),
  /** Instances that share a living agent's id; they must end. */
  refused: z.array(id).max(1000),
  /** Agents given up in this run. */
  givenUp: z.array(id).max(10_000),
  /** Messages that the leader refused as malformed, in this term. Not from an older leader. */
  refusals: count.optional(),
});
export type Beacon = z.infer<typeof Beacon>;

/** Intervals by number, both ends included. */
const seqRanges = z.array(z.object({ from: count, to: count })).max(1000);

/** An agent's whole state, once a second and after every change. */
export const Heartbeat = z.object({
  agent: id,
  instance: id,
  host: text,
  pid: count,
  version: text,
  cores: z.number().positive(),
  labels: z.record(z.string().max(64), z.string().max(256)),
  state: z.enum(AGENT_STATES),
  run: id.nullable(),
  epoch: count,
  /** Revision of the run record it has acted on. */
  revision: count,
  /** Sequence number of the last beacon it saw, and the term: the leader knows by it that its beacon comes through. */
  beaconSeq: count,
  term: count,
  ready: ReadyMessage.nullable(),
  /** Start attempt it is armed for; 0 when none. */
  armedAttempt: count,
  startErrorUs: us.nullable(),
  /** Index of the stage it is in; -1 before the start. */
  stage: z.int().min(-1),
  /** Highest stage bounded by requests that it has finished, being idle since; -1 when none. */
  stageDone: z.int().min(-1),
  lastCut: count,
  lastAcked: count,
  ledger: LedgerMessage.nullable(),
  vitals: VitalsMessage.nullable(),
  problem: ProblemMessage.nullable(),
  /** Messages it refused as malformed. */
  refusals: count,
  /** Events per second that one process carries on its host; absent where nobody has calibrated it. */
  capacity: z.object({ undici: ReaderCapacityMessage, raw: ReaderCapacityMessage }).optional(),
  /** Intervals that it can deliver no more. Optional, as `undelivered`: agents of the first version do not say it. */
  gaps: seqRanges.optional(),
  /** Results that it waited for in vain to be confirmed; they are in its spool file. */
  undelivered: count.optional(),
  /** Counts the heartbeats of this process: one that was heard again, or late, says nothing new. Optional as above. */
  seq: count.optional(),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** `asker`: random, so that nobody takes an answer for one to a question of its own. */
export const ClockProbe = z.object({ t0: us, asker: id });
export type ClockProbe = z.infer<typeof ClockProbe>;
/** t1: received, t2: answered, on the agent's monotonic clock. */
export const ClockReply = z.object({
  t0: us,
  asker: id,
  t1: us,
  t2: us,
  instance: id,
  host: text,
  pid: count,
});
export type ClockReply = z.infer<typeof ClockReply>;

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

const CountersMessage = z.object({
  promptTokens: z.number(),
  generationTokens: z.number(),
  successes: z.number(),
  preemptions: z.number(),
  prefixHits: z.number(),
  prefixQueries: z.number(),
  blockTokens: z.number().optional(),
  times: z
    .object({
      ttft: z.object({ sumUs: z.number(), count: z.number() }).nullable(),
      itl: z.object({ sumUs: z.number(), count: z.number() }).nullable(),
      e2e: z.object({ sumUs: z.number(), count: z.number() }).nullable(),
    })
    .optional(),
});

const RunEventMessage = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("server"),
    sample: CountersMessage.extend({
      tUs: us,
      running: z.number(),
      waiting: z.number(),
      kvUsage: z.number(),
    }),
  }),
  z.object({ kind: z.literal("state"), state: z.enum(RUN_STATES), wallMs: z.number() }),
  z.object({ kind: z.literal("note"), text, wallMs: z.number() }),
  z.object({
    kind: z.literal("led"),
    leader: id,
    term: count,
    wallMs: z.number(),
    runUs: us.nullable(),
  }),
  z.object({
    kind: z.literal("ready"),
    model: text,
    wordsPerToken: z.number().positive().nullable(),
    templateTokens: count.nullable(),
    serverVersion: text.nullable(),
  }),
  z.object({
    kind: z.literal("scrape"),
    when: z.enum(["before", "after"]),
    scrape: z.object({ quiescent: z.boolean(), counters: CountersMessage }).nullable(),
  }),
  z.object({ kind: z.literal("drained"), endUs: us, wallMs: z.number() }),
  z.object({
    kind: z.literal("verdict"),
    refusals: count,
    expected: z.array(z.object({ agent: id, lastSeq: count })).max(10_000),
  }),
]);

/** What a run's leader noted, as the log and events.ndjson keep it. */
export const KeptEventMessage = z.object({ term: count, seq: count, event: RunEventMessage });

// What was added after the first version of the live message is optional: leaders and viewers of either version go on
// understanding each other.

const LatencyMessage = z.object({ count, p50: z.number(), p90: z.number().optional(), p99: z.number() });
const SumMessage = z.object({ count, sum: z.number().min(0) });

const LiveStageMessage = z.object({
  index: count,
  name: text,
  offered: count,
  completed: count,
  failed: count,
  cancelled: count,
  dropped: count,
  unknown: count,
  censored: count,
  outputTokens: count,
  promptTokens: count,
  latencyUs: z.object({ ttft: SumMessage, itl: SumMessage, e2e: SumMessage }),
});

export const LiveMessage = z.object({
  run: id,
  name: text,
  state: z.enum(RUN_STATES),
  transport: z.enum(["nats", "memory"]),
  runTimeUs: us,
  stage: z
    .object({ index: count, count, name: text, phase: z.enum(PHASES), leftUs: us.nullable() })
    .nullable(),
  measuredStage: count.optional(),
  totalLeftUs: us.nullable(),
  inFlight: z.object({ asked: z.number().nullable(), measured: z.number() }),
  server: z.object({ running: z.number(), waiting: z.number(), kvUsage: z.number() }).nullable(),
  rates: z.object({ requestsPerS: z.number(), outputTokensPerS: z.number(), promptTokensPerS: z.number() }),
  latencyUs: z.object({ ttft: LatencyMessage, itl: LatencyMessage, e2e: LatencyMessage }),
  totals: z.object({ offered: count, completed: count, failed: count, cancelled: count, dropped: count }),
  failures: z.record(z.string().max(64), count),
  stages: z.array(LiveStageMessage).max(1000).optional(),
  agents: z
    .array(
      z.object({
        id,
        host: text,
        state: text,
        colour: z.enum(VITALS_COLOURS),
        cpu: share,
        loopDelayP99Us: count,
        scheduleLagP99Us: count,
        inFlight: count,
        silentMs: count,
      }),
    )
    .max(10_000),
  history: z.object({
    outputTokensPerS: z.array(z.number()).max(600),
    inFlight: z.array(z.number()).max(600),
  }),
  notes: z.array(text).max(100),
});

/** A run record as it stands in the StateStore. The plan passes its own schema again: the store is an edge too. */
export const RunRecordMessage = z.object({
  v: z.literal(1),
  id,
  name: text,
  createdAtMs: count,
  plan: PlanSchema,
  planDigest: text,
  salt: text,
  state: z.enum(RUN_STATES),
  term: count,
  leader: z.string().max(64),
  revision: count,
  shards: z.array(
    z.object({
      agent: id,
      instance: id,
      epoch: count,
      index: count,
      host: text,
      version: text,
      clockOffsetUs: us,
      clockErrorUs: us,
    }),
  ),
  // Leaders of the first version lose none on the way.
  losses: z
    .array(
      z.object({
        agent: id,
        epoch: count,
        lastHeardUs: count,
        lostUs: count,
        reason: text,
        foundUs: count.nullable(),
        // Leaders of the first versions tell each by itself.
        times: z.int().min(1).optional(),
      }),
    )
    .max(100_000)
    .optional(),
  moves: z
    .array(
      z.object({
        lost: id,
        fromStage: count,
        to: z.array(z.object({ agent: id, index: count, count: z.int().min(1) })),
      }),
    )
    .max(10_000)
    .optional(),
  start: z
    .object({
      attempt: count,
      committed: z.boolean(),
      leaderUs: us,
      epochUs: us,
      localUs: z.record(id, us),
    })
    .nullable(),
  stageStartsUs: z.array(us.nullable()),
  stop: z.object({ level: z.enum(["none", "drain", "cut"]), reason: text }),
  problem: ProblemMessage.nullable(),
  result: z
    .object({
      directory: text,
      reportBlob: text.nullable(),
      // Leaders of the first version do not say it.
      isWhole: z.boolean().optional(),
    })
    .nullable(),
});
