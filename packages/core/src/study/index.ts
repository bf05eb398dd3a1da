export { type Cost, type CostOptions, type StudySuiteCost, stepCost, studyCost } from "./cost.js";
export {
  type ParsedStudy,
  parseStudy,
  planFilesOf,
  requireStudy,
  STUDY_VERSION,
  studyJsonSchema,
} from "./parse-study.js";
export { type PublishedRow, type PublishedSeries, parsePublished, publishedRow } from "./published.js";
export {
  runsOf,
  type ScheduleOptions,
  type StudyRun,
  type StudyStep,
  type SwitchStep,
  scheduleStudy,
} from "./schedule.js";
export {
  type StudyCondition,
  type StudyFile,
  type StudyInput,
  StudySchema,
  type StudySuite,
} from "./schema.js";
export * from "./study-defaults.js";
export { type Study, studyPlan } from "./study-plan.js";
export { studyReference } from "./study-reference.js";
export * from "./study-report.js";
export { type StudyResult, type StudySummaryInput, summariseStudy } from "./summarise-study.js";
