/** Every default of a study file, in one place; docs/study-file.md prints them. Durations in milliseconds. */
export const STUDY_DEFAULTS = {
  repeats: 1,
  order: "sequential",
  seed: 1,
  /** What a mode multiplies the request counts of suites with `scaleRequests` by. */
  modes: { quick: 0.5, default: 1, thorough: 3 },
  timeScale: 1,
  hooks: {
    shell: false,
    timeLimitMs: 600_000,
    healthWaitMs: 900_000,
    stopLimitMs: 60_000,
    warmUp: { requests: 0, users: 8 },
  },
} as const;

export const STUDY_BOUNDS = {
  timeLimitMs: { min: 100, max: 86_400_000 },
  healthWaitMs: { min: 0, max: 86_400_000 },
  stopLimitMs: { min: 0, max: 3_600_000 },
  estimateMs: { min: 1, max: 86_400_000 },
  conditions: 100,
  suites: 100,
  repeats: 1000,
  /** Runs of a whole study, over all suites, conditions and repeats. */
  runs: 10_000,
} as const;

export const STUDY_MODES = ["quick", "default", "thorough"] as const;
/** How much of a study is run. */
export type StudyMode = (typeof STUDY_MODES)[number];

export const STUDY_PHASES = [
  "warm-up",
  "baseline",
  "scaling",
  "stress",
  "saturation",
  "multi-run",
  "ab",
] as const;
/** What a suite is for. */
export type StudyPhase = (typeof STUDY_PHASES)[number];

export const STUDY_ORDERS = ["sequential", "interleaved", "random"] as const;
/** In which order the runs of a suite follow one another. */
export type StudyOrder = (typeof STUDY_ORDERS)[number];
