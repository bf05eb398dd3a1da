import { RUN_STATES } from "@tokenstorm/core";
import { z } from "zod";
import { count, id, seqRanges, text, us } from "./fields.js";
import { LedgerMessage, ProblemMessage, VitalsMessage } from "./parts.js";

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
