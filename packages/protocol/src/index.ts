export * from "./blob-store.js";
export * from "./bus.js";
export { type ClockAnswer, openClockLine } from "./clock-line.js";
export { probeClocks } from "./clock-probes.js";
export * from "./codec.js";
export { deflatePayload } from "./compressed-histogram.js";
export * from "./connection-news.js";
export * from "./data-set-store.js";
export * from "./denials.js";
export {
  type BodyOf,
  decodeMessage,
  encodeMessage,
  MAX_MESSAGE_BYTES,
  MESSAGES,
  type MessageKind,
} from "./envelope.js";
export { KeptRuns } from "./kept-runs.js";
export * from "./lease-entry.js";
export { createMemoryHub, type MemoryHub } from "./memory/hub.js";
export * from "./messages/index.js";
export * from "./operations.js";
export * from "./plan-digest.js";
export { RunReportMessage, reportFromJson } from "./report-message.js";
export * from "./result-log.js";
export {
  decodeResult,
  eventToLine,
  finalFromJson,
  finalToJson,
  lineToEvent,
  lineToResult,
  type Result,
  resultToLine,
  snapshotFromJson,
  snapshotToJson,
} from "./results.js";
export * from "./roster.js";
export * from "./run-store.js";
export * from "./run-summaries.js";
export * from "./spool.js";
export * from "./state-store.js";
export * from "./subject-pattern.js";
export * from "./subjects.js";
export * from "./system-clock.js";
export * from "./transport.js";
export * from "./watch-live.js";
export * from "./watch-run.js";
