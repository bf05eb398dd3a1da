import type { Aggregate } from "./aggregate.js";
import { vitalsFactor } from "./judge-vitals.js";
import type { LevelData } from "./level-data.js";

/** How many measured intervals an agent had, and of which colour. */
export interface IntervalColours {
  readonly measured: number;
  readonly red: number;
  readonly yellow: number;
  /** What made the last red one so, with its figures. */
  readonly redReasons: readonly string[];
}

/** Colours of each agent's measured intervals; of several levels in one interval, the strictest limits hold. */
export function colourIntervals(
  aggregate: Aggregate,
  levels: readonly LevelData[],
): ReadonlyMap<string, IntervalColours> {
  const factors = new Map(
    levels.map(({ stage, histograms }) => [
      stage.index,
      vitalsFactor(histograms.get("itl")?.percentile(50) ?? null),
    ]),
  );
  return aggregate.colours((stage) => factors.get(stage) ?? 1);
}

/** Over all agents. */
export function redIntervals(colours: ReadonlyMap<string, IntervalColours>): {
  readonly red: number;
  readonly measured: number;
  /** 0 where nothing was measured. */
  readonly share: number;
} {
  let red = 0;
  let measured = 0;
  for (const agent of colours.values()) {
    red += agent.red;
    measured += agent.measured;
  }
  return { red, measured, share: measured === 0 ? 0 : red / measured };
}
