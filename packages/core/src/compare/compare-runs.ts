import type { StageReport } from "../run/report.js";
import { meanInterval } from "../statistics/mean-interval.js";
import { unknown } from "../statistics/outcome.js";
import { varianceTestOverLevels } from "../statistics/variance-test.js";
import type { ComparedFigure, ComparedLevel, Comparison, Difference } from "./comparison.js";
import { differingConditions, warningsOf } from "./conditions.js";
import type { RunEvidence } from "./evidence.js";
import {
  differenceOfRuns,
  differenceWithin,
  FIGURE_KINDS,
  type FigureKind,
  type LevelOfRun,
} from "./figure-difference.js";

const CONFIDENCE = 0.95;

/** One side of a comparison: a run, or repeats of one. */
export interface Side {
  readonly label: string;
  /** Of a study's condition. */
  readonly name?: string;
  /** At least one. */
  readonly runs: readonly RunEvidence[];
}

/** Two or more sides, the first of which the others are held against: level by level, figure by figure. */
export function compareRuns(sides: readonly Side[]): Comparison {
  const pairs = pairLevels(sides);
  const isGrouped = sides.some(({ runs }) => runs.length > 1);
  const basis = isGrouped ? "runs" : "windows";
  const levels = pairs.paired.map((pair) => comparedLevel(pair, sides, basis));
  return {
    schemaVersion: 1,
    confidence: CONFIDENCE,
    basis,
    sides: sides.map(sideOf),
    conditions: differingConditions(sides.map(({ runs }) => runs)),
    warnings: warningsOf(sides),
    levels,
    unpaired: pairs.unpaired,
    spread: isGrouped ? spreads(levels, sides.length) : [],
  };
}

function sideOf({ label, name, runs }: Side): Comparison["sides"][number] {
  return {
    label,
    ...(name === undefined ? {} : { name }),
    runs: runs.map(({ report: { run, verdict, agents } }) => ({
      id: run.id,
      name: run.name,
      startedAt: run.startedAt,
      model: run.model,
      agents: agents.length,
      status: verdict.status,
      reasons: verdict.reasons,
    })),
  };
}

/** The name of a level at each side. */
interface Pair {
  readonly names: readonly string[];
  readonly load: string;
}

/** By name; what has no namesake, by the load that was asked for. A level counts for a side where one of its runs has it. */
function pairLevels(sides: readonly Side[]): {
  readonly paired: Pair[];
  readonly unpaired: Comparison["unpaired"];
} {
  const bySide = sides.map(({ runs }) => {
    const stages = new Map<string, StageReport>();
    for (const { report } of runs) for (const stage of report.stages) stages.set(stage.name, stage);
    return stages;
  });
  const taken = bySide.map(() => new Set<string>());
  const paired: Pair[] = [];
  for (const stage of bySide[0]?.values() ?? []) {
    const names = bySide.map((stages, i) => {
      const isFree = (one: StageReport) => taken[i]?.has(one.name) === false;
      const namesake = stages.get(stage.name);
      if (namesake !== undefined && isFree(namesake)) return namesake.name;
      // One that carries the name of another level of the first side belongs to that.
      const alike = [...stages.values()].find(
        (one) => isFree(one) && bySide[0]?.has(one.name) !== true && loadOf(one) === loadOf(stage),
      );
      return alike?.name;
    });
    if (!names.every((name) => name !== undefined)) continue;
    for (const [i, name] of names.entries()) taken[i]?.add(name);
    paired.push({ names, load: loadOf(stage) });
  }
  const unpaired = sides.flatMap(({ label }, i) =>
    [...(bySide[i]?.keys() ?? [])]
      .filter((name) => taken[i]?.has(name) !== true)
      .map((level) => ({ side: label, level })),
  );
  return { paired, unpaired };
}

function loadOf({ users, rps }: StageReport): string {
  if (users !== undefined) return `${users} user${users === 1 ? "" : "s"}`;
  return `${rps ?? 0} requests/s`;
}

function comparedLevel(
  { names, load }: Pair,
  sides: readonly Side[],
  basis: Comparison["basis"],
): ComparedLevel {
  const levels = sides.map(({ runs }, i) => runs.flatMap((run) => levelOf(run, names[i] ?? "") ?? []));
  return {
    name: names[0] ?? "",
    load,
    names,
    figures: FIGURE_KINDS.map((kind) => comparedFigure(kind, levels, basis)),
    notes: sides.flatMap(({ label }, i) => notesOf(label, levels[i] ?? [])),
  };
}

function levelOf({ report, levels }: RunEvidence, name: string): LevelOfRun | null {
  const stage = report.stages.find((one) => one.name === name);
  return stage === undefined ? null : { stage, evidence: levels.get(name) ?? null };
}

function notesOf(side: string, levels: readonly LevelOfRun[]): ComparedLevel["notes"] {
  const texts = levels.flatMap(({ stage }) => [
    ...(stage.tooShort && stage.notes.length === 0 ? ["too short"] : []),
    ...(!stage.steady && stage.notes.length === 0 ? ["not steady"] : []),
    ...stage.notes,
  ]);
  return [...new Set(texts)].map((text) => ({ side, text }));
}

function comparedFigure(
  kind: FigureKind,
  sides: readonly (readonly LevelOfRun[])[],
  basis: Comparison["basis"],
): ComparedFigure {
  const [first = [], ...others] = sides;
  return {
    name: kind.name,
    better: kind.better,
    values: sides.map((levels) => {
      const runs = levels.flatMap(({ stage }) => kind.of(stage) ?? []);
      const mean = meanInterval(runs, CONFIDENCE);
      return { value: mean.kind === "unknown" ? null : mean.mean, runs, mean };
    }),
    differences: others.map((levels): Difference => {
      if (basis === "runs") return differenceOfRuns(kind, { a: first, b: levels }, CONFIDENCE);
      const [a, b] = [first[0], levels[0]];
      return a === undefined || b === undefined
        ? unknown("a side has no such level")
        : differenceWithin(kind, { a, b }, CONFIDENCE);
    }),
  };
}

/** Whether repeats of another side spread more or less, over all levels together. */
function spreads(levels: readonly ComparedLevel[], sides: number): Comparison["spread"] {
  const throughput = levels.flatMap(({ figures }) =>
    figures.filter(({ name }) => name === "outputTokensPerS"),
  );
  return Array.from({ length: sides - 1 }, (_, i) =>
    varianceTestOverLevels(
      throughput.map(({ values }) => ({ a: values[0]?.runs ?? [], b: values[i + 1]?.runs ?? [] })),
    ),
  );
}
