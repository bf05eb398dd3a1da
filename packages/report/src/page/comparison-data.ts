import { type Comparison, compareRuns, type RunEvidence, runEvidence } from "@tokenstorm/core";
import {
  comparisonFigureTables,
  comparisonFindings,
  comparisonHeadline,
  comparisonNotes,
} from "../compare-words.js";
import { foldLines, type RunLines } from "../rebuild.js";
import { levelData } from "./level-curves.js";
import type { ComparisonData, LevelData } from "./report-data.js";

/** One run of a side: what the comparison needs, and the curves of its levels by their names. */
export interface ComparedRun {
  readonly evidence: RunEvidence;
  readonly curves: Readonly<Record<string, LevelData["curves"]>>;
}

export async function comparedRun(lines: RunLines): Promise<ComparedRun> {
  const input = await foldLines(lines);
  const curves = input.stages.flatMap(({ index, name }) => {
    const block = input.aggregate.block(index, "measured");
    return block === undefined ? [] : [[name, levelData(block, []).curves] as const];
  });
  return { evidence: runEvidence(input), curves: Object.fromEntries(curves) };
}

/** The page of a comparison: the same object that the other formats show, its words, and curves of each side's first run. */
export function comparisonData(
  sides: readonly { readonly label: string; readonly runs: readonly ComparedRun[] }[],
): ComparisonData {
  const comparison: Comparison = compareRuns(
    sides.map(({ label, runs }) => ({ label, runs: runs.map(({ evidence }) => evidence) })),
  );
  return {
    version: 1,
    kind: "comparison",
    comparison,
    headline: comparisonHeadline(comparison),
    findings: comparisonFindings(comparison),
    tables: comparisonFigureTables(comparison),
    notes: comparisonNotes(comparison),
    curves: sides.map(({ runs }) => runs[0]?.curves ?? {}),
  };
}
