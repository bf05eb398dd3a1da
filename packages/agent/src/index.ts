export { createAgent } from "./agent.js";
export * from "./agent-deps.js";
export * from "./cgroup.js";
export * from "./logger.js";
export { rehearse } from "./run/rehearsal.js";
export { type ProbeOptions, type ProbeResult, probeTarget } from "./target/probe.js";
export * from "./target/target.js";
export { createRawTarget, createTarget, createUndiciTarget } from "./target/targets.js";
export * from "./vitals.js";
