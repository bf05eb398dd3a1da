import type { Aggregate } from "./aggregate.js";
import { judgeVitals, vitalsFactor } from "./judge-vitals.js";
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
): Map<string, IntervalColours> {
  const factors = new Map(
    levels.map(({ stage, histograms }) => [
      stage.index,
      vitalsFactor(histograms.get("itl")?.percentile(50) ?? null),
    ]),
  );
  const byAgent = new Map<string, IntervalColours>();
  for (const { agent, measuredStages, vitals } of aggregate.intervalVitals()) {
    if (measuredStages.length === 0) continue;
    const factor = Math.min(...measuredStages.map((stage) => factors.get(stage) ?? 1));
    const judged = judgeVitals(vitals, factor);
    const before = byAgent.get(agent) ?? { measured: 0, red: 0, yellow: 0, redReasons: [] };
    byAgent.set(agent, {
      measured: before.measured + 1,
      red: before.red + (judged.colour === "red" ? 1 : 0),
      yellow: before.yellow + (judged.colour === "yellow" ? 1 : 0),
      redReasons: judged.colour === "red" ? judged.reasons : before.redReasons,
    });
  }
  return byAgent;
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
