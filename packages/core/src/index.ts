export { auditResults } from "./audit/audit-results.js";
export * from "./audit/audit-types.js";
export { exact, type Figure, numberFigure, printedFigure, scaled } from "./audit/figure.js";
export * from "./capacity/capacity.js";
export { capacityWarning, isWarning } from "./capacity/capacity-warning.js";
export * from "./capacity/judge-level.js";
export * from "./capacity/rate-search.js";
export * from "./clock.js";
export * from "./compare/compare-runs.js";
export * from "./compare/comparison.js";
export * from "./compare/evidence.js";
export * from "./doctor/index.js";
export * from "./errors.js";
export * from "./load/arrivals.js";
export * from "./load/keys.js";
export { plannedArrivals } from "./load/planned-arrivals.js";
export * from "./load/resolve-stages.js";
export * from "./load/stages.js";
export * from "./load/timeline.js";
export * from "./load/trace-arrivals.js";
export * from "./load/users.js";
export {
  type AbortingThreshold,
  abortingThresholds,
  failedSoFar,
  type RunSoFar,
} from "./measure/abort-threshold.js";
export * from "./measure/aggregate.js";
export {
  DEFINITIONS,
  type DefinedFigure,
  type DefinedValue,
  type Definitions,
  type DefinitionsReport,
} from "./measure/definitions/definitions.js";
export { recompute } from "./measure/definitions/recompute.js";
export { type AggregateOptions, createAggregate, intervalVitals } from "./measure/fold.js";
export { checkEncoded, createHistogram, decodeHistogram } from "./measure/hdr-histogram.js";
export { readPayload } from "./measure/hdr-payload.js";
export * from "./measure/histogram.js";
export { type FoldedInterval, IntervalFold } from "./measure/interval-fold.js";
export { batchRates, type LevelInterval } from "./measure/interval-series.js";
export * from "./measure/judge-limit.js";
export * from "./measure/judge-vitals.js";
export { isDetermined, withAges } from "./measure/latency-summary.js";
export type { LimitRow } from "./measure/limit-evidence.js";
export * from "./measure/outcome.js";
export * from "./measure/probe-delays.js";
export * from "./measure/proof.js";
export * from "./measure/recorder.js";
export * from "./measure/snapshot.js";
export { highestIn } from "./measure/sparse-histogram.js";
export { createRecorder } from "./measure/stamped-recorder.js";
export { type SummaryInput, summariseRun } from "./measure/summarise-run.js";
export * from "./measure/thresholds.js";
export * from "./measure/vitals.js";
export * from "./plan/defaults.js";
export { checkFlag } from "./plan/flag-values.js";
export * from "./plan/flags.js";
export { type JsonSchema, planJsonSchema } from "./plan/json-schema.js";
export {
  type ParsedPlan,
  PLAN_VERSION,
  parsePlan,
  requirePlan,
} from "./plan/parse-plan.js";
export type { PlanDraft } from "./plan/plan-draft.js";
export { planFromFlags } from "./plan/plan-from-flags.js";
export { type PlanProblem, problemText } from "./plan/problem.js";
export { planReference } from "./plan/reference.js";
export * from "./plan/schema.js";
export { Random, randomState, STREAMS } from "./random/random.js";
export * from "./run/agent-machine.js";
export * from "./run/agent-registry.js";
export * from "./run/agent-view.js";
export * from "./run/clock-offset.js";
export * from "./run/clock-track.js";
export * from "./run/facts.js";
export { candidatesFor } from "./run/gathering.js";
export * from "./run/leader-limits.js";
export { givenUpAgents } from "./run/leader-loss.js";
export { beginLeading, leadRun, terminalState } from "./run/leader-machine.js";
export * from "./run/leader-notes.js";
export { recoverZeroUs, resumeLeading } from "./run/leader-resume.js";
export {
  type LeaderConfig,
  type LeaderEffect,
  type LeaderEvent,
  type LeaderState,
  type LeaderStep,
  runTimeUs,
  type Transition,
} from "./run/leader-state.js";
export * from "./run/lease.js";
export * from "./run/live.js";
export * from "./run/live-update.js";
export * from "./run/record-change.js";
export * from "./run/report.js";
export * from "./run/run-history.js";
export * from "./run/run-record.js";
export * from "./run/shard-map.js";
export { longestRunUs } from "./run/stage-progress.js";
export * from "./statistics/index.js";
export * from "./study/index.js";
export { isLoopbackHost } from "./target/ip-address.js";
export * from "./target/target-rules.js";
export * from "./workload/calibration.js";
export { type ChatMessage, type DataSetEntry, parseDataSet } from "./workload/data-set.js";
export * from "./workload/data-sets-of.js";
export { type DrawnPrompt, PIECE_UNITS } from "./workload/drawn-prompt.js";
export { imageSizes } from "./workload/images.js";
export { meanLength } from "./workload/lengths.js";
export {
  hasMembersOrImages,
  imagesOf,
  isSalted,
  meanOutputTokens,
  type WorkloadMember,
  workloadMembers,
} from "./workload/members.js";
export { type PngBody, type PngOwn, pngBody, pngOwn } from "./workload/png.js";
export * from "./workload/prompt-kinds.js";
export type { ConversationTurn, ImageSpec, RequestDraft, RequestSpec } from "./workload/request-spec.js";
export { parseTrace, type TraceEntry } from "./workload/trace.js";
export * from "./workload/walk-digest.js";
export * from "./workload/workload.js";
