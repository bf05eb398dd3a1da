export { AITER_STATES, type AiterFacts, type AiterState, inOtherState } from "./aiter.js";
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
export { FAULT_KINDS, type FaultKind, type FaultRates } from "./faults.js";
export { promptDigest } from "./http/api-request.js";
export { runFactor } from "./noise.js";
export { SIMULATOR_DEFAULTS, type SimulatorOptions } from "./options.js";
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
