import { assert } from "../errors.js";
import type { Shard } from "./keys.js";
import type { ResolvedStage } from "./stages.js";

/** One user of a stage, as its agent runs it. */
export interface StageUser {
  readonly user: number;
  /** When it sends its first request of this stage, us since the stage's start. 0 for one that goes on from the stage before. */
  readonly startOffsetUs: number;
  /** How many requests it sends; null in a stage bounded by duration, 0 where there are fewer requests than users. */
  readonly quota: number | null;
}

/**
 * The users that an agent owns in a stage: those congruent to its index. Added users start evenly over the ramp.
 * Whatever the number of agents, the union is the same.
 */
export function usersOfShard(stage: Extract<ResolvedStage, { kind: "users" }>, shard: Shard): StageUser[] {
  assert(shard.index >= 0 && shard.index < shard.count, `shard ${shard.index} of ${shard.count}`);
  const added = stage.users - stage.staying;
  const users: StageUser[] = [];
  for (let user = shard.index; user < stage.users; user += shard.count) {
    users.push({
      user,
      startOffsetUs: user < stage.staying ? 0 : Math.round((stage.rampUpUs * (user - stage.staying)) / added),
      quota: stage.bound.kind === "requests" ? quotaOf(stage.bound.requests, user, stage.users) : null,
    });
  }
  return users;
}

/** How many of N requests user u of a stage sends: ceil((N - u) / users), so that they add up to N. */
export function quotaOf(requests: number, user: number, users: number): number {
  return Math.max(0, Math.ceil((requests - user) / users));
}
