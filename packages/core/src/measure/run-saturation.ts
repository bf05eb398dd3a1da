import type { StageReport } from "../run/report.js";
import {
  type SaturationEstimate,
  type SaturationLevel,
  saturationEstimate,
} from "../statistics/saturation-estimate.js";
import type { Aggregate } from "./aggregate.js";
import type { Histogram } from "./histogram.js";
import { batchRates } from "./interval-series.js";
import type { LevelData } from "./level-data.js";

/** Where a run's ladder stops growing; null for a run that is no ladder. What varies is what varied within each window. */
export function runSaturation(
  levels: readonly LevelData[],
  { aggregate, rows }: { readonly aggregate: Aggregate; readonly rows: readonly StageReport[] },
): SaturationEstimate | null {
  // Too short a window has the wrong throughput for its number in flight.
  const fit = levels.filter(({ isTooShort, windowUs }) => !isTooShort && windowUs > 0);
  if (fit.length < 2) return null;
  return saturationEstimate(
    fit.map((level) => {
      const running = rows.find(({ name }) => name === level.stage.name)?.server.runningMean ?? null;
      return { ...levelOf(level, aggregate), serverRunning: running === null ? [] : [running] };
    }),
  );
}

function levelOf(level: LevelData, aggregate: Aggregate): SaturationLevel {
  const { stage, flow, due, windowUs, inFlightMean, histograms } = level;
  const parts = batchRates(aggregate.levelIntervals(stage.index), ({ outputTokens }) => outputTokens);
  const [waiting, whole] = [meanOf(histograms.get("ttft")), meanOf(histograms.get("e2e"))];
  return {
    inFlight: inFlightMean,
    throughput: parts.length > 1 ? parts : [(flow.outputTokens * 1e6) / windowUs],
    // What was cut or never sent did not succeed.
    success: due.offered === 0 ? null : due.completed / due.offered,
    waitingShares: waiting === null || whole === null || whole === 0 ? [] : [Math.min(1, waiting / whole)],
  };
}

const meanOf = (histogram: Histogram | undefined): number | null =>
  histogram === undefined || histogram.count === 0 ? null : histogram.sum / histogram.count;
