import type { Snapshot } from "./snapshot.js";

/** A whole interval of a level's measured window, over all its agents. */
export interface LevelInterval {
  /** Run time at which it begins, us. */
  readonly fromUs: number;
  readonly us: number;
  readonly outputTokens: number;
  readonly promptTokens: number;
  readonly completed: number;
  /** Integral of requests in flight, requests x us. */
  readonly inFlightUs: number;
}

interface Sum extends LevelInterval {
  readonly agents: number;
}

/** Collects each level's intervals, those that are whole at every agent of the level; each snapshot must be added once. */
export class IntervalSeries {
  readonly #levels = new Map<number, { readonly agents: Set<string>; readonly byStart: Map<number, Sum> }>();

  add({ agent, fromUs, toUs, blocks }: Snapshot): void {
    for (const { stage, phase, flow } of blocks) {
      if (phase !== "measured") continue;
      let level = this.#levels.get(stage);
      if (level === undefined) {
        level = { agents: new Set(), byStart: new Map() };
        this.#levels.set(stage, level);
      }
      level.agents.add(agent);
      if (flow.durationUs < toUs - fromUs) continue;
      const sum = level.byStart.get(fromUs);
      level.byStart.set(fromUs, {
        fromUs,
        us: toUs - fromUs,
        outputTokens: flow.outputTokens + (sum?.outputTokens ?? 0),
        promptTokens: flow.promptTokens + (sum?.promptTokens ?? 0),
        completed: flow.completed + (sum?.completed ?? 0),
        inFlightUs: flow.inFlightUs + (sum?.inFlightUs ?? 0),
        agents: 1 + (sum?.agents ?? 0),
      });
    }
  }

  /** Agents that had a part in the level. */
  agents(stage: number): number {
    return this.#levels.get(stage)?.agents.size ?? 0;
  }

  /** In their order. */
  of(stage: number): LevelInterval[] {
    const level = this.#levels.get(stage);
    if (level === undefined) return [];
    return [...level.byStart.values()]
      .filter(({ agents, us }) => agents === level.agents.size && us > 0)
      .sort((a, b) => a.fromUs - b.fromUs)
      .map(({ agents: _, ...interval }) => interval);
  }
}

/** Rates are taken over so many equal parts of a window: seconds that follow each other are not independent. */
const BATCHES = 10;

/** Per second, in equal parts of the window; fewer parts where there are fewer intervals. */
export function batchRates<Interval extends Pick<LevelInterval, "us">>(
  intervals: readonly Interval[],
  countOf: (interval: Interval) => number,
): number[] {
  const batches = Math.min(BATCHES, intervals.length);
  return Array.from({ length: batches }, (_, i) => {
    const part = intervals.slice(
      Math.floor((i * intervals.length) / batches),
      Math.floor(((i + 1) * intervals.length) / batches),
    );
    const us = part.reduce((sum, interval) => sum + interval.us, 0);
    return (part.reduce((sum, interval) => sum + countOf(interval), 0) * 1e6) / us;
  });
}
