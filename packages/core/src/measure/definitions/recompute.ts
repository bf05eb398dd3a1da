import type { ResolvedStage } from "../../load/stages.js";
import type { RunFacts } from "../../run/facts.js";
import type { Aggregate } from "../aggregate.js";
import type { DefinedValue, Definitions, DefinitionsReport, FigureOf } from "./definitions.js";
import { STUDY_BASIS, STUDY_FIGURES, STUDY_NOT, studyLevels } from "./study.js";
import { VLLM_BASIS, VLLM_NOT, vllmFigures } from "./vllm.js";
import { missingBasis, wholeLevels } from "./whole-level.js";

/** A run in somebody else's definitions, from what its agents recorded. */
export function recompute(
  definitions: Definitions,
  input: {
    readonly facts: RunFacts;
    readonly stages: readonly ResolvedStage[];
    readonly aggregate: Aggregate;
  },
): DefinitionsReport {
  const { facts, stages, aggregate } = input;
  const levels = wholeLevels(facts, stages, aggregate);
  const base = { schemaVersion: 1, definitions, run: facts.record.id } as const;
  const missing = missingBasis(aggregate);
  switch (definitions) {
    case "vllm": {
      const figures = vllmFigures(facts.record.plan.slos !== undefined);
      const basis = [...VLLM_BASIS, ...missing];
      return { ...base, basis, ...told(figures, levels), notRecomputed: VLLM_NOT };
    }
    case "study": {
      const basis = [...STUDY_BASIS, ...missing];
      return { ...base, basis, ...told(STUDY_FIGURES, studyLevels(levels)), notRecomputed: STUDY_NOT };
    }
  }
}

function told<Level extends { readonly name: string }>(
  figures: readonly FigureOf<Level>[],
  levels: readonly Level[],
): Pick<DefinitionsReport, "figures" | "levels"> {
  return {
    figures: figures.map(({ of: _, ...figure }) => figure),
    levels: levels.map((level) => {
      const values: Record<string, DefinedValue> = {};
      for (const { name, of } of figures) values[name] = of(level);
      return { name: level.name, values };
    }),
  };
}
