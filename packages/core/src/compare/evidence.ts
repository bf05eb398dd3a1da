import type { Histogram } from "../measure/histogram.js";
import type { LevelInterval } from "../measure/interval-series.js";
import type { MetricName } from "../measure/snapshot.js";
import { type SummaryInput, summariseRun } from "../measure/summarise-run.js";
import type { TestPlan } from "../plan/schema.js";
import type { RunReport } from "../run/report.js";

/** What a level left beside its row. */
export interface LevelEvidence {
  readonly intervals: readonly LevelInterval[];
  /** Of the requests that were due in its window, over all agents. */
  readonly histograms: ReadonlyMap<MetricName, Histogram>;
}

/** One run, for a comparison. */
export interface RunEvidence {
  readonly report: RunReport;
  /** Null where nothing but a report was kept; then there are no levels either. */
  readonly plan: TestPlan | null;
  readonly serverVersion: string | null;
  /** By the level's name. */
  readonly levels: ReadonlyMap<string, LevelEvidence>;
}

/** From a folded run. */
export function runEvidence(input: SummaryInput): RunEvidence {
  const levels = new Map<string, LevelEvidence>();
  for (const stage of input.stages) {
    const histograms = input.aggregate.block(stage.index, "measured")?.histograms;
    if (histograms !== undefined)
      levels.set(stage.name, { intervals: input.aggregate.levelIntervals(stage.index), histograms });
  }
  const { record, serverVersion } = input.facts;
  return { report: summariseRun(input), plan: record.plan, serverVersion, levels };
}

/** A run of which only the report was kept. */
export const reportAlone = (report: RunReport): RunEvidence => ({
  report,
  plan: null,
  serverVersion: null,
  levels: new Map(),
});
