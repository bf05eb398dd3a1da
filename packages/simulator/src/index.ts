export { AITER_STATES, type AiterFacts, type AiterState, inOtherState } from "./aiter.js";
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
export { runFactor } from "./noise.js";
export {
  KV_CACHE_TYPES,
  SIMULATOR_DEFAULTS,
  type SimulatorOptions,
  STEP_MODELS,
  type StepModelName,
} from "./options.js";
export { OUTPUT_LENGTH_PROFILES, type OutputLengthProfile } from "./output-length.js";
export { AITER_ABLATION, MULTI_RUN_FITS, type MultiRunFit, type Provenance } from "./profile-provenance.js";
export { type Profile, type ProfileName, profiles } from "./profiles.js";
export { type Simulator, type SimulatorStats, startSimulator } from "./simulator.js";
export { type ChatMessage, type ChatPart, tokenize, tokenizeChat } from "./text/tokenizer.js";
export * from "./truth-log.js";
export {
  createVirtualServer,
  type VirtualListener,
  type VirtualRequest,
  type VirtualServer,
  type VirtualUsage,
} from "./virtual-server.js";
