export { createAgent } from "./agent.js";
export * from "./agent-deps.js";
export type { Stamps } from "./capacity/stamp-log.js";
export {
  openStampedLoad,
  type StampedLoad,
  type StampedLoadOptions,
  type StampedWindow,
} from "./capacity/stamped-load.js";
export { cachedDataSets, type DataSetFetcher, type DataSetFolder } from "./data-set-cache.js";
export * from "./host.js";
export * from "./logger.js";
export { rehearse } from "./run/rehearsal.js";
export { rehearseAhead } from "./run/rehearse-ahead.js";
export { type KeptStampsOptions, keepStamps } from "./target/kept-stamps.js";
export { type ProbeOptions, type ProbeResult, probeTarget } from "./target/probe.js";
export { guardSecrets, type SecretGuard } from "./target/secret-guard.js";
export * from "./target/target.js";
export { createRawTarget, createTarget, createUndiciTarget } from "./target/targets.js";
export * from "./vitals.js";
export * from "./wire/index.js";
