import { resolveStages } from "../load/resolve-stages.js";
import type { ResolvedStage } from "../load/stages.js";
import { type PublishedSeries, publishedRow } from "./published.js";
import type { StudyRun, StudyStep } from "./schedule.js";
import type { StudySuite } from "./schema.js";
import type { StudyMode } from "./study-defaults.js";
import { everySeriesOf, type Study } from "./study-plan.js";

/** How long something takes, ms. */
export interface Cost {
  readonly atLeastMs: number;
  /** What can be told of it: without the parts named in `unknown`. */
  readonly aboutMs: number;
  readonly atMostMs: number;
  /** Why a part of `aboutMs` is missing, a phrase each. */
  readonly unknown: readonly string[];
}

/** What each run takes beside its stages, as seen on one machine: admission, start, drain, delivery. */
const RUN_OVERHEAD = { atLeastMs: 1000, aboutMs: 2500 } as const;
/** Between two stages of which the first is bounded by requests the next start is agreed upon. */
const STAGE_GAP_MS = 1500;
/** Of a switch whose file does not say what it usually takes nothing is known but its limits. */
const NOTHING: Cost = { atLeastMs: 0, aboutMs: 0, atMostMs: 0, unknown: [] };

export interface CostOptions {
  readonly study: Study;
  readonly published: readonly PublishedSeries[];
  readonly mode: StudyMode;
}

/** What the runs of a suite take together. */
export interface StudySuiteCost {
  readonly suite: string;
  readonly runs: number;
  readonly cost: Cost;
}

/** The cost of a whole schedule, and of its parts by suite. */
export function studyCost(
  steps: readonly StudyStep[],
  options: CostOptions,
): { readonly total: Cost; readonly bySuite: readonly StudySuiteCost[] } {
  const suites = new Map<string, { runs: number; cost: Cost }>();
  let total = NOTHING;
  for (const step of steps) {
    const cost = stepCost(step, options);
    total = sum(total, cost);
    if (step.kind !== "run") continue;
    const before = suites.get(step.run.suite) ?? { runs: 0, cost: NOTHING };
    suites.set(step.run.suite, { runs: before.runs + 1, cost: sum(before.cost, cost) });
  }
  return { total, bySuite: [...suites].map(([suite, of]) => ({ suite, ...of })) };
}

/** Of one step. */
export function stepCost(step: StudyStep, options: CostOptions): Cost {
  switch (step.kind) {
    case "switch":
      return {
        ...NOTHING,
        aboutMs: step.usuallyMs ?? 0,
        atMostMs: step.how === "manual" ? Number.POSITIVE_INFINITY : step.timeLimitMs + step.stopLimitMs,
        unknown:
          step.usuallyMs === null
            ? [`what a switch to ${step.condition} takes (hooks.usuallyMs says it)`]
            : [],
      };
    case "health":
      return { ...NOTHING, atMostMs: step.waitMs };
    case "warm-up":
    case "run":
      return runCost(step.run, options);
  }
}

function runCost(run: StudyRun, { study, published, mode }: CostOptions): Cost {
  const { plan } = run;
  const suite = study.file.suites.find(({ name }) => name === run.suite);
  const stages = resolveStages(plan);
  // Of another mode's rows the shape of the requests is the same: for an estimate they will do.
  const ids = suite === undefined ? [] : everySeriesOf(suite, run.condition, mode);
  const series = ids.flatMap((id) => published.find((one) => one.id === id) ?? []);
  const e2eMsOf = (stage: ResolvedStage) => expectedE2eMs(stage, suite, series);
  const parts = stages.map((stage) =>
    stageCost(stage, e2eMsOf(stage) ?? e2eOfWarmUp(stage, stages, e2eMsOf), run),
  );
  const stagesCost = parts.reduce((so, part) => sum(so, part), NOTHING);
  const overhead: Cost = {
    atLeastMs: RUN_OVERHEAD.atLeastMs,
    aboutMs: RUN_OVERHEAD.aboutMs,
    atMostMs: RUN_OVERHEAD.aboutMs + plan.agents.waitMs + plan.gracePeriodMs + plan.deliverMs,
    unknown: [],
  };
  return sum(stagesCost, overhead);
}

/** A warm-up has few requests: what the smallest level's take will do. */
function e2eOfWarmUp(
  stage: ResolvedStage,
  stages: readonly ResolvedStage[],
  e2eMsOf: (stage: ResolvedStage) => number | null,
): number | null {
  if (!stage.isWarmUp) return null;
  const first = stages.find(({ isWarmUp }) => !isWarmUp);
  return first === undefined ? null : e2eMsOf(first);
}

function stageCost(stage: ResolvedStage, e2eMs: number | null, run: StudyRun): Cost {
  const { timeScale } = run;
  if (stage.kind === "rate") return exactly(stage.durationUs / 1000);
  const { bound } = stage;
  const beforeMs = (stage.rampUpUs + stage.settleUs) / 1000;
  if (bound.kind === "duration") return exactly(beforeMs + bound.durationUs / 1000);
  const rounds = Math.ceil(bound.requests / stage.users);
  const aboutMs = e2eMs === null ? null : (rounds * e2eMs) / timeScale;
  const thinkMs = ((rounds - 1) * stage.thinkUs) / 1000;
  // Few requests of a warm-up are no reason to say that nothing is known.
  const isWorthAWord = aboutMs === null && !stage.isWarmUp && run.phase !== "warm-up";
  return {
    atLeastMs: beforeMs + thinkMs,
    aboutMs: beforeMs + thinkMs + STAGE_GAP_MS + (aboutMs ?? 0),
    atMostMs: beforeMs + bound.maxDurationUs / 1000,
    unknown: isWorthAWord
      ? [`how long ${bound.requests} requests of level ${stage.name} take (the suite's estimate says it)`]
      : [],
  };
}

function exactly(ms: number): Cost {
  return { atLeastMs: ms, aboutMs: ms, atMostMs: ms, unknown: [] };
}

/** In the server's own time, ms; null where nobody says. */
function expectedE2eMs(
  stage: ResolvedStage,
  suite: StudySuite | undefined,
  series: readonly PublishedSeries[],
): number | null {
  const { estimate } = suite ?? {};
  const stated = estimate?.byLevel?.[stage.name] ?? estimate?.e2eMs;
  if (stated !== undefined) return stated;
  const users = stage.kind === "users" ? stage.users : null;
  for (const one of series) {
    const row = publishedRow(one, { name: stage.name, users });
    if (row?.e2eP99Us != null) return row.e2eP99Us / 1000;
  }
  return null;
}

function sum(a: Cost, b: Cost): Cost {
  return {
    atLeastMs: a.atLeastMs + b.atLeastMs,
    aboutMs: a.aboutMs + b.aboutMs,
    atMostMs: a.atMostMs + b.atMostMs,
    unknown: [...new Set([...a.unknown, ...b.unknown])],
  };
}
