import { compareRuns, type RunEvidence, type Side } from "@tokenstorm/core";
import {
  comparisonFigureTables,
  comparisonFindings,
  comparisonHeadline,
  comparisonNotes,
} from "../compare-words.js";
import { curvesOf } from "./level-curves.js";
import type { ComparisonData, LevelData } from "./report-data.js";

/** The page of a comparison: the same object that the other formats show, its words, and curves of each side's first run. */
export function comparisonData(sides: readonly Side[]): ComparisonData {
  const comparison = compareRuns(sides);
  return {
    version: 1,
    kind: "comparison",
    comparison,
    headline: comparisonHeadline(comparison),
    findings: comparisonFindings(comparison),
    tables: comparisonFigureTables(comparison),
    notes: comparisonNotes(comparison),
    curves: sides.map(({ runs }) => (runs[0] === undefined ? {} : curvesByLevel(runs[0]))),
  };
}

function curvesByLevel({ levels }: RunEvidence): Readonly<Record<string, LevelData["curves"]>> {
  return Object.fromEntries([...levels].map(([name, { histograms }]) => [name, curvesOf(histograms)]));
}
