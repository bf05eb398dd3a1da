export { EMULATED_VERSIONS, type EmulatedVersion, emulations } from "./emulation.js";
export {
  createEngine,
  type Engine,
  type EngineConfig,
  type EngineStats,
  type StepOutput,
  type StepPlan,
} from "./engine/engine.js";
export type { EngineRequest } from "./engine/sequence.js";
export { decodeStepMs, type StepTable } from "./engine/step-time.js";
export { runInVirtualTime, type VirtualEvent, type VirtualRun } from "./engine/virtual-run.js";
export { type FaultWindow, isFaultSchedule, parseFaultSchedule } from "./fault-schedule.js";
export { FAULT_KINDS, type FaultKind, type FaultRates } from "./faults.js";
export { accelerators, type HardwareName } from "./hardware/accelerators.js";
export { type DerivedServer, deriveServer, type HardwareFacts } from "./hardware/derived-server.js";
export { modelShapes } from "./hardware/model-shapes.js";
export { EFFICIENCY_ESTIMATES, IDEAL, rooflineModel, rooflineStep } from "./hardware/roofline.js";
export { promptDigest } from "./http/api-request.js";
export {
  KV_CACHE_TYPES,
  SIMULATOR_DEFAULTS,
  type SimulatorOptions,
  STEP_MODELS,
  type StepModelName,
} from "./options.js";
export { type Profile, type ProfileName, profiles } from "./profiles.js";
export { type Simulator, type SimulatorStats, startSimulator } from "./simulator.js";
export { type ChatMessage, type ChatPart, tokenize, tokenizeChat } from "./text/tokenizer.js";
export * from "./truth-log.js";
