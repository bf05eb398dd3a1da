export { createCoordinator } from "./coordinator.js";
export type { Coordinator, CoordinatorDeps, HttpGet } from "./deps.js";
export type { Logger } from "./logger.js";
export { type PrometheusSample, parsePrometheus } from "./prometheus.js";
export {
  createRunDirectory,
  type RunDirectory,
  type RunDirectoryStore,
  runDirectoryName,
} from "./run-directory.js";
