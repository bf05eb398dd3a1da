import type { IntervalVitals } from "./aggregate.js";

/**
 * Self-probes of each stage's measured intervals, added up by agent: what is kept grows with agents and stages, not with the
 * time that a run takes.
 */
export class ProbeFold {
  readonly #sums = new Map<number, Map<string, number[]>>();

  add({ agent, measuredStages, vitals }: IntervalVitals): void {
    const { selfProbe } = vitals;
    if (selfProbe === undefined) return;
    for (const stage of measuredStages) {
      const sums = this.#of(stage, agent);
      for (const [bucket, count] of selfProbe.buckets.entries()) {
        while (sums.length <= bucket) sums.push(0);
        sums[bucket] = (sums[bucket] ?? 0) + count;
      }
    }
  }

  /** Counts by bucket of each agent that had a probe in a measured interval of the stage. */
  ofStage(stage: number): ReadonlyMap<string, readonly number[]> {
    return this.#sums.get(stage) ?? new Map<string, readonly number[]>();
  }

  #of(stage: number, agent: string): number[] {
    const byAgent = this.#sums.get(stage) ?? new Map<string, number[]>();
    this.#sums.set(stage, byAgent);
    const sums = byAgent.get(agent) ?? [];
    byAgent.set(agent, sums);
    return sums;
  }
}
