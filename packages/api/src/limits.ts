import { REGISTRY_LIMITS } from "@tokenstorm/core";
import { MAX_MESSAGE_BYTES } from "@tokenstorm/protocol";

/** Every bound of the HTTP API. */
export const API_LIMITS = {
  /** A plan is handed over as one message; more than that is refused before it is read. */
  bodyBytes: MAX_MESSAGE_BYTES,
  headerBytes: 16 * 1024,
  headers: 64,
  /** From the first byte of a request to its last. */
  requestMs: 30_000,
  headersMs: 10_000,
  /** A connection on which nothing moves, between requests and within an answer. */
  keepAliveMs: 5_000,
  idleMs: 60_000,
  connections: 256,
  /** Streams of live updates at once. */
  streams: 64,
  /** What waits for one stream's reader beyond the kernel's buffers; a slower reader is dropped. */
  streamBufferBytes: 1024 * 1024,
  /** Comments on a stream on which nothing else happens, so that proxies leave it open. */
  streamCommentMs: 15_000,
  /** Problems of a plan in one answer. */
  problems: 200,
  /** Agents that are kept, as many as a leader keeps; heartbeats of further ones are counted. */
  agents: REGISTRY_LIMITS.agents,
  /** Agents with series of their own on the metrics page; the rest are counted. */
  metricAgents: 500,
  /** Runs under way on the metrics page; a coordinator leads one at a time. */
  metricRuns: 8,
  /** A run under way of which nothing is heard for so long has no series any more. */
  metricSilenceMs: 30_000,
  labelLength: 128,
} as const;

/** As people read it. */
export const BODY_LIMIT = `${API_LIMITS.bodyBytes / 1024 / 1024} MiB`;

export type ApiLimits = { readonly [K in keyof typeof API_LIMITS]: number };
