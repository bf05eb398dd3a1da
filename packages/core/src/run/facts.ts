import type { ClockReading, ClockTrack } from "./clock-track.js";
import type { LedFrom } from "./run-history.js";
import type { RunRecord } from "./run-record.js";

/** Tokens in a block of the target's KV cache: prefixes are found again in whole blocks. vLLM's default. */
export const KV_BLOCK_TOKENS = 16;

/** Sum and count of a histogram at the target: their growth between two scrapes gives a mean. */
export interface ServerDurations {
  readonly sumUs: number;
  readonly count: number;
}

/** What the target says of its own times; null where it does not. */
export interface ServerTimes {
  /** Arrival in its front end to the first token. */
  readonly ttft: ServerDurations | null;
  /** Between two tokens of one request. */
  readonly itl: ServerDurations | null;
  /** Arrival to the last token, of requests that it finished. */
  readonly e2e: ServerDurations | null;
}

/** Counters of the target's /metrics, summed over its replicas. */
export interface ServerCounters {
  readonly promptTokens: number;
  readonly generationTokens: number;
  readonly successes: number;
  readonly preemptions: number;
  readonly prefixHits: number;
  readonly prefixQueries: number;
  /** Tokens in a block of the prefix cache, the smallest of its replicas'; absent where the target does not say. */
  readonly blockTokens?: number | undefined;
  /** Absent where the target has none, and in files of older versions. */
  readonly times?: ServerTimes | undefined;
}

/** The target's gauges (and counters) at one moment, summed over its replicas; kvUsage is their maximum. */
export interface ServerSample extends ServerCounters {
  /** Run time, us. */
  readonly tUs: number;
  readonly running: number;
  readonly waiting: number;
  readonly kvUsage: number;
}

/** A scrape while nothing ran: running + waiting = 0 and two equal scrapes 200 ms apart. */
export interface QuiescentScrape {
  readonly quiescent: boolean;
  readonly counters: ServerCounters;
}

/** What the leader knows of a run beside the intervals: first part of run.json. Schema of its own, versioned. */
export interface RunFacts {
  readonly schemaVersion: 1;
  readonly record: RunRecord;
  readonly transport: "nats" | "memory";
  readonly version: string;
  /** Model and calibration as the agents found them. */
  readonly model: string | null;
  readonly wordsPerToken: number | null;
  readonly templateTokens: number | null;
  readonly serverVersion: string | null;
  /** Wall clock at the end of the drain, ms; null when it never started. */
  readonly endedAtMs: number | null;
  /** Run time at the end of the drain, us. */
  readonly endUs: number;
  /** Null where the target has no /metrics. */
  readonly serverBefore: QuiescentScrape | null;
  readonly serverAfter: QuiescentScrape | null;
  /** Messages that were refused as malformed, at the leader. */
  readonly refusals: number;
  /** Who led it, by term; absent in files of older versions. */
  readonly led?: readonly LedFrom[] | undefined;
  /** How agents' clocks went beside those of the leaders; absent in files of older versions. */
  readonly clocks?: readonly ClockTrack[] | undefined;
}

/** What the leader notes of a run as it goes: a line of events.ndjson, and an entry of the log. */
export type RunEvent =
  | { readonly kind: "server"; readonly sample: ServerSample }
  | { readonly kind: "state"; readonly state: RunRecord["state"]; readonly wallMs: number }
  | { readonly kind: "note"; readonly wallMs: number; readonly text: string }
  /** A coordinator leads the run from here on; `runUs`: run time, null before the start. */
  | {
      readonly kind: "led";
      readonly leader: string;
      readonly term: number;
      readonly wallMs: number;
      readonly runUs: number | null;
    }
  /** What the agents found out when they prepared. */
  | {
      readonly kind: "ready";
      readonly model: string;
      readonly wordsPerToken: number | null;
      readonly templateTokens: number | null;
      readonly serverVersion: string | null;
    }
  /** The target's counters at rest, before the run and after it. */
  | { readonly kind: "scrape"; readonly when: "before" | "after"; readonly scrape: QuiescentScrape | null }
  /** Agents' clocks were compared; who did not answer is not among them. */
  | { readonly kind: "clocks"; readonly clocks: readonly ClockReading[] }
  /** All agents have drained: the run's time is over. */
  | { readonly kind: "drained"; readonly endUs: number; readonly wallMs: number }
  /** What is known at the verdict beside the results: how much agents without a final word said that they cut. */
  | {
      readonly kind: "verdict";
      readonly refusals: number;
      readonly expected: readonly { readonly agent: string; readonly lastSeq: number }[];
      /** The comparisons of clocks that the report speaks of: one of a leader before may still come. Absent from older leaders. */
      readonly clocks?: readonly EventId[] | undefined;
    };

/** Events are numbered by the leader that noted them, within its term. */
export interface EventId {
  readonly term: number;
  readonly seq: number;
}

/** An event as the log keeps it. */
export interface KeptEvent extends EventId {
  readonly event: RunEvent;
}
