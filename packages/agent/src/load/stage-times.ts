import { partOf, type ResolvedStage, type Shard, stageLengthUs, type TestPlan } from "@tokenstorm/core";

/** How long after a stage's start requests of it may become due, us; of one bounded by requests, at most. */
export function sendingLengthUs(stage: ResolvedStage): number {
  if (stage.kind === "users" && stage.bound.kind === "requests")
    return stage.rampUpUs + stage.bound.maxDurationUs;
  return stageLengthUs(stage) ?? 0;
}

/** Index of the stage in which a moment of the run lies, the last one's drain included; -1 before the start. */
export function stageAt(startsUs: readonly (number | null)[], tUs: number): number {
  return startsUs.findLastIndex((startUs) => startUs !== null && startUs <= tUs);
}

/** How many requests a shard may have in flight at once: its users in the largest stage, or its part of the bound. */
export function slotsOf(plan: TestPlan, stages: readonly ResolvedStage[], shard: Shard): number {
  const users = stages.map((stage) => (stage.kind === "users" ? partOf(stage.users, shard) : 0));
  return Math.max(0, maxInFlightOf(plan, shard), ...users);
}

/** Of an open load's bound, so that the parts of all shards add up to it; 0 in a closed load. */
export function maxInFlightOf(plan: TestPlan, shard: Shard): number {
  return plan.load.kind === "users" ? 0 : partOf(plan.load.maxInFlight, shard);
}

export function earliest(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
