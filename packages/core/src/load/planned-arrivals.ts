import type { TestPlan } from "../plan/schema.js";
import { ArrivalWalk, expectedArrivals } from "./arrivals.js";
import type { ResolvedStage } from "./stages.js";

/** Due times by stage, us since the stage's start, in order. */
export type PlannedArrivals = ReadonlyMap<number, readonly number[]>;

/** Beyond so many a report does not walk the plan again: a leader has no seconds to spare. */
export const MOST_PLANNED_ARRIVALS = 2_000_000;

const EVERYBODY = { index: 0, count: 1 };

/**
 * What the plan of an open load asks for, walked anew, so that what agents say they were offered can be held against
 * something that does not come from them. Null for closed load, and beyond `MOST_PLANNED_ARRIVALS`.
 */
export function plannedArrivals(
  plan: Pick<TestPlan, "load" | "seed">,
  stages: readonly ResolvedStage[],
): PlannedArrivals | null {
  const { load, seed } = plan;
  if (load.kind !== "arrival-rate" || expectedArrivals(stages) > MOST_PLANNED_ARRIVALS) return null;
  const dueUs = new Map<number, number[]>();
  const offsetUs = new Map<number, number>();
  let startUs = 0;
  for (const stage of stages) {
    if (stage.kind !== "rate") continue;
    dueUs.set(stage.index, []);
    offsetUs.set(stage.index, startUs);
    startUs += stage.durationUs;
  }
  const walk = new ArrivalWalk({ stages, spacing: load.spacing, seed });
  while (walk.advance(EVERYBODY)) {
    dueUs.get(walk.stage)?.push(walk.dueUs - (offsetUs.get(walk.stage) ?? 0));
  }
  return dueUs;
}
