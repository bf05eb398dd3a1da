import type { StudyReport } from "@tokenstorm/core";
import type { StudyData } from "./report-data.js";

/** The page of a study. */
export function studyData(study: StudyReport): StudyData {
  const best = study.conditions.map(({ name, facts }) => [name, bestOf(study, name, facts.gpus)] as const);
  return { version: 1, kind: "study", study, best: Object.fromEntries(best) };
}

function bestOf({ suites }: StudyReport, condition: string, gpus: number | undefined) {
  let best: NonNullable<StudyData["best"][string]> | null = null;
  for (const suite of suites) {
    for (const cell of suite.cells.filter((one) => one.condition === condition)) {
      if (cell.runs.some(({ verdict }) => verdict === "invalid")) continue;
      for (const { name, statistics } of cell.levels.filter(({ status: { word } }) => word !== "FAILING")) {
        const total = statistics.totalTokensPerS.mean;
        if (total === null || (best !== null && total <= best.totalTokensPerS)) continue;
        best = {
          level: `${suite.name}, ${name}`,
          totalTokensPerS: total,
          outputTokensPerS: statistics.outputTokensPerS.mean,
          totalTokensPerSPerGpu: gpus === undefined ? null : total / gpus,
        };
      }
    }
  }
  return best;
}
