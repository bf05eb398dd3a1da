import { varianceTestOverLevels } from "../statistics/index.js";
import { comparedFigure, knownOf } from "./repeat-figure.js";
import type { DeploymentFacts, StudyFile } from "./schema.js";
import type { LevelMetric, StudyCellReport, StudyComparison, StudyLevelReport } from "./study-report.js";

const COMPARED: readonly LevelMetric[] = [
  "totalTokensPerS",
  "outputTokensPerS",
  "e2eP99Us",
  "ttftP50Us",
  "tpotP50Us",
];

/** Condition b against a at every level that both have; empty where one of them was not asked for. */
export function compareConditions(
  { a, b }: { readonly a: string; readonly b: string },
  file: StudyFile,
  cells: readonly StudyCellReport[],
): StudyComparison[] {
  const [one, other] = [a, b].map((name) => cells.find(({ condition }) => condition === name));
  if (one === undefined || other === undefined) return [];
  const valuesOf = (level: StudyLevelReport, metric: LevelMetric) =>
    level.repeats.map(({ figures }) => figures[metric]);
  const levels = one.levels.flatMap((level) => {
    const same = other.levels.find(({ name }) => name === level.name);
    if (same === undefined) return [];
    const figures = COMPARED.map((metric) =>
      comparedFigure(metric, valuesOf(level, metric), valuesOf(same, metric)),
    );
    return [{ level: level.name, figures }];
  });
  const spread = spreadOf(
    one.levels.flatMap((level) => {
      const same = other.levels.find(({ name }) => name === level.name);
      if (same === undefined) return [];
      const rates = (of: StudyLevelReport) => knownOf(valuesOf(of, "totalTokensPerS"));
      return [{ a: rates(level), b: rates(same) }];
    }),
    { a, b },
  );
  const factsOf = (name: string) => file.conditions.find((condition) => condition.name === name)?.facts ?? {};
  return [{ a, b, differs: differingFacts(factsOf(a), factsOf(b)), spread, levels }];
}

/** At this chance and below, equal spreads are not believed. */
const UNLIKELY = 0.05;

function spreadOf(
  levels: readonly { readonly a: readonly number[]; readonly b: readonly number[] }[],
  { a, b }: { readonly a: string; readonly b: string },
): StudyComparison["spread"] {
  const test = varianceTestOverLevels(levels);
  if (test.kind === "unknown") {
    return {
      pValue: null,
      ratio: null,
      sentence: `Whether they spread alike cannot be told: ${test.because}.`,
    };
  }
  const { pValue, ratio } = test;
  const chance = pValue < 0.001 ? "p under 0.001" : `p ${pValue.toPrecision(2)}`;
  const times = ratio === null ? "" : ` (${b} over ${a}: ${ratio.toFixed(2)} x)`;
  const sentence =
    pValue <= UNLIKELY
      ? `They do not spread alike over their repeats${times}: ${chance}, Brown and Forsythe.`
      : `That they spread unlike over their repeats is not shown${times}: ${chance}, Brown and Forsythe.`;
  return { pValue, ratio, sentence };
}

/** Spelt alike on both sides, and `not stated` where one says nothing. The line that starts a server follows from the rest. */
function differingFacts(a: DeploymentFacts, b: DeploymentFacts): StudyComparison["differs"] {
  const [one, other] = [flat(a), flat(b)];
  const names = [...new Set([...one.keys(), ...other.keys()])].filter((name) => name !== "serve");
  return names.flatMap((fact) => {
    const [left, right] = [one.get(fact) ?? "not stated", other.get(fact) ?? "not stated"];
    return left === right ? [] : [{ fact, a: left, b: right }];
  });
}

function flat(facts: DeploymentFacts): Map<string, string> {
  return new Map(
    Object.entries(facts).flatMap(([name, value]): [string, string][] =>
      typeof value === "object"
        ? Object.entries(value).map(([key, one]) => [`${name}.${key}`, one])
        : [[name, String(value)]],
    ),
  );
}
