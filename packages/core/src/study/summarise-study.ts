import { resolveStages } from "../load/resolve-stages.js";
import type { ResolvedStage } from "../load/stages.js";
import { measuredWindow } from "../load/timeline.js";
import type { RunReport } from "../run/report.js";
import { shareLowerBound } from "../statistics/index.js";
import { compareConditions } from "./compare-conditions.js";
import { levelFigures } from "./level-figures.js";
import { judgeLevels } from "./level-status.js";
import { type PublishedRow, type PublishedSeries, publishedRow } from "./published.js";
import { repeatFigure } from "./repeat-figure.js";
import type { StudyRun } from "./schedule.js";
import type { StudyCondition, StudySuite } from "./schema.js";
import { studyBasis, studySentences } from "./sentences.js";
import type { StudyMode } from "./study-defaults.js";
import { type Study, seriesOf } from "./study-plan.js";
import type {
  LevelMetric,
  PublishedBeside,
  RepeatFigure,
  StudyCellReport,
  StudyLevelFigures,
  StudyLevelReport,
  StudyReport,
  StudyRunReport,
  StudySuccess,
  StudySuiteReport,
} from "./study-report.js";

/** A run that is done, with its report as the coordinator wrote it. */
export interface StudyResult {
  readonly key: string;
  readonly run: string;
  readonly directory: string;
  readonly report: RunReport;
}

export interface StudySummaryInput {
  readonly study: Study;
  /** Every run that was asked for, in any order. */
  readonly runs: readonly StudyRun[];
  /** At most one for each run. */
  readonly results: readonly StudyResult[];
  readonly published: readonly PublishedSeries[];
  readonly mode: StudyMode;
  readonly digest: string;
  readonly startedAt: string;
  readonly version: string;
}

/** The report of a study, from the reports of its runs alone. */
export function summariseStudy(input: StudySummaryInput): StudyReport {
  const { study, runs, results, mode } = input;
  const { file } = study;
  const baselines = baselineP99s(input);
  const suites = file.suites
    .filter(({ name }) => runs.some(({ suite }) => suite === name))
    .map((suite) => suiteReport(suite, input, baselines));
  const conditions = file.conditions
    .filter(({ name }) => runs.some(({ condition }) => condition === name))
    .map(({ name, target, facts, confounders, simulated }) => ({
      name,
      targets: target.urls,
      facts,
      confounders,
      simulated: simulated ?? null,
    }));
  return {
    schemaVersion: 1,
    study: {
      name: file.name,
      mode,
      seed: file.seed,
      digest: input.digest,
      startedAt: input.startedAt,
      version: input.version,
      notes: file.notes,
      runsDone: results.length,
      runsAsked: runs.length,
    },
    inputs: [...(file.publishedRows === undefined ? [] : [file.publishedRows]), ...file.inputs],
    basis: studyBasis({ conditions, suites, runsDone: results.length, runsAsked: runs.length }),
    conditions,
    suites,
  };
}

interface Cell {
  readonly suite: StudySuite;
  readonly condition: StudyCondition;
  readonly runs: readonly StudyRun[];
  readonly results: readonly (StudyResult & { readonly repeat: number })[];
}

function cellsOf(suite: StudySuite, { study, runs, results }: StudySummaryInput): Cell[] {
  return study.file.conditions.flatMap((condition) => {
    const own = runs
      .filter((run) => run.suite === suite.name && run.condition === condition.name)
      .toSorted((a, b) => a.repeat - b.repeat);
    if (own.length === 0) return [];
    const done = own.flatMap(({ key, repeat }) => {
      const result = results.find((one) => one.key === key);
      return result === undefined ? [] : [{ ...result, repeat }];
    });
    return [{ suite, condition, runs: own, results: done }];
  });
}

function suiteReport(
  suite: StudySuite,
  input: StudySummaryInput,
  baselines: ReadonlyMap<string, number>,
): StudySuiteReport {
  const cells = cellsOf(suite, input);
  const reports = cells.map((cell) => cellReport(cell, input, baselines));
  return {
    name: suite.name,
    phase: suite.phase,
    order: suite.order ?? input.study.file.order,
    timeScale: suite.timeScale,
    notes: suite.notes,
    cells: reports,
    comparisons: suite.pairs.flatMap((pair) => compareConditions(pair, input.study.file, reports)),
  };
}

function cellReport(
  cell: Cell,
  input: StudySummaryInput,
  baselines: ReadonlyMap<string, number>,
): StudyCellReport {
  const { suite, condition, runs, results } = cell;
  const series = input.published.find(({ id }) => id === seriesOf(suite, condition.name, input.mode));
  const measured = measuredStages(runs).map((stage) => levelReport(stage, cell, series));
  const own = measured.find(({ users }) => users === 1)?.statistics.e2eP99Us.mean ?? null;
  const baselineP99Us =
    suite.baseline === undefined ? own : (baselines.get(`${suite.baseline}/${condition.name}`) ?? null);
  const { statuses, saturation } = judgeLevels(measured, baselineP99Us);
  const levels = measured.map((level, i) => ({ ...level, status: statuses[i] ?? level.status }));
  return {
    condition: condition.name,
    asked: runs.length,
    runs: results.map(runReport),
    levels,
    saturation,
    sentences: studySentences(levels, saturation),
  };
}

function measuredStages(runs: readonly StudyRun[]): ResolvedStage[] {
  const plan = runs[0]?.plan;
  return plan === undefined ? [] : resolveStages(plan).filter((stage) => measuredWindow(stage) !== null);
}

function levelReport(
  stage: ResolvedStage,
  { suite, condition, results }: Cell,
  series: PublishedSeries | undefined,
): StudyLevelReport {
  const repeats = results.flatMap((result) => levelFigures(stage.name, result, suite.timeScale) ?? []);
  const statistics = statisticsOf(repeats);
  const completed = repeats.reduce((sum, { requests }) => sum + requests.completed, 0);
  const due = repeats.reduce((sum, { requests }) => sum + requests.offered, 0);
  const withABody = repeats.reduce((sum, { requests }) => sum + requests.failedWithABody, 0);
  const users = stage.kind === "users" ? stage.users : null;
  const row = series === undefined ? undefined : publishedRow(series, { name: stage.name, users });
  return {
    name: stage.name,
    users,
    rps: stage.kind === "rate" ? stage.fromRps / suite.timeScale : null,
    requests: stage.kind === "users" && stage.bound.kind === "requests" ? stage.bound.requests : null,
    repeats,
    statistics,
    success: successOf(completed, due),
    successByStudy: successOf(completed + withABody, due),
    status: { word: null, because: "not judged" },
    published:
      row === undefined || series === undefined ? null : beside(row, { series, condition, statistics }),
  };
}

function successOf(completed: number, due: number): StudySuccess {
  return {
    completed,
    due,
    rate: due === 0 ? null : completed / due,
    lower95: shareLowerBound(completed, due),
  };
}

function statisticsOf(repeats: readonly StudyLevelFigures[]): Record<LevelMetric, RepeatFigure> {
  const of = (metric: LevelMetric) => repeatFigure(repeats.map(({ figures }) => figures[metric]));
  return {
    totalTokensPerS: of("totalTokensPerS"),
    outputTokensPerS: of("outputTokensPerS"),
    requestsPerS: of("requestsPerS"),
    measuredInFlight: of("measuredInFlight"),
    e2eP50Us: of("e2eP50Us"),
    e2eP99Us: of("e2eP99Us"),
    ttftP50Us: of("ttftP50Us"),
    ttftP99Us: of("ttftP99Us"),
    tpotP50Us: of("tpotP50Us"),
  };
}

function beside(
  row: PublishedRow,
  {
    series,
    condition,
    statistics,
  }: {
    readonly series: PublishedSeries;
    readonly condition: StudyCondition;
    readonly statistics: StudyLevelReport["statistics"];
  },
): PublishedBeside {
  const percent = (ours: number | null, theirs: number | null) =>
    ours === null || theirs === null || theirs === 0 ? null : (100 * (ours - theirs)) / theirs;
  const { simulated } = condition;
  const mark =
    simulated === undefined ? null : simulated.calibratedBy.includes(series.id) ? "calibrated" : "predicted";
  return {
    series: series.id,
    totalTokensPerS: row.totalTokensPerS,
    outputTokensPerS: row.outputTokensPerS,
    e2eP99Us: row.e2eP99Us,
    status: row.status,
    mark,
    differencePct: {
      totalTokensPerS: percent(statistics.totalTokensPerS.mean, row.totalTokensPerS),
      outputTokensPerS: percent(statistics.outputTokensPerS.mean, row.outputTokensPerS),
      e2eP99Us: percent(statistics.e2eP99Us.mean, row.e2eP99Us),
    },
  };
}

/** p99 of the level of one user, by `<suite>/<condition>`. */
function baselineP99s(input: StudySummaryInput): Map<string, number> {
  const found = new Map<string, number>();
  for (const suite of input.study.file.suites) {
    for (const cell of cellsOf(suite, input)) {
      const stage = measuredStages(cell.runs).find((one) => one.kind === "users" && one.users === 1);
      if (stage === undefined) continue;
      const p99 = levelReport(stage, cell, undefined).statistics.e2eP99Us.mean;
      if (p99 !== null) found.set(`${suite.name}/${cell.condition.name}`, p99);
    }
  }
  return found;
}

function runReport({ key, repeat, run, directory, report }: Cell["results"][number]): StudyRunReport {
  return {
    key,
    repeat,
    run,
    directory,
    startedAt: report.run.startedAt,
    state: report.run.state,
    verdict: report.verdict.status,
    reasons: report.verdict.reasons,
    thresholds: report.verdict.thresholds,
    salt: report.run.salt,
  };
}
