import {
  LoadError,
  type ResolvedStage,
  type RunRecord,
  requirePlan,
  resolveStages,
  type Shard,
  type TestPlan,
  walkDigest,
} from "@tokenstorm/core";
import type { Ready } from "@tokenstorm/protocol";
import { createRequestFactory, type RequestFactory } from "../load/request-factory.js";
import { slotsOf } from "../load/stage-times.js";
import type { Target } from "../target/target.js";
import type { PlanData } from "./load-data-sets.js";

/** Descriptors that the process needs beside one for each slot: NATS, logs, files, and some in reserve. */
export const OTHER_DESCRIPTORS = 100;

/** One shard of a plan, checked. */
export interface ShardPlan {
  readonly plan: TestPlan;
  readonly stages: readonly ResolvedStage[];
  readonly shard: Shard;
  readonly slots: number;
}

/** What an agent must know to send its shard. */
export interface Preparation extends ShardPlan {
  readonly ready: Ready;
  readonly requests: RequestFactory;
  /** Of a load that is one. */
  readonly trace?: PlanData["trace"];
}

/**
 * Checks the plan once more, where it is about to be used, and whether this process may open so many connections.
 * Throws PLAN_INVALID, AGENT_NOT_READY. `descriptorLimit` 0 is unknown.
 */
export function checkShard(
  record: RunRecord,
  options: { readonly shard: Shard; readonly descriptorLimit: number },
): ShardPlan {
  const { shard, descriptorLimit } = options;
  const plan = requirePlan(record.plan);
  const stages = resolveStages(plan);
  const slots = slotsOf(plan, stages, shard);
  const needed = Math.max(slots, slotsOf(plan, stages, withOneLess(plan, shard)));
  if (descriptorLimit > 0 && needed + OTHER_DESCRIPTORS > descriptorLimit)
    throw new LoadError(
      "AGENT_NOT_READY",
      `this agent's share is ${slots} connections${needed > slots ? `, and ${needed} when another is lost` : ""}, ` +
        `which takes ${needed + OTHER_DESCRIPTORS} file descriptors; ` +
        `the process may open ${descriptorLimit}`,
      { hint: "raise the hard limit (ulimit -Hn) on its host, or share the plan among more agents" },
    );
  return { plan, stages, shard, slots };
}

/** A shard's size when one of the agents is lost and the others take its shard over. */
function withOneLess({ lossPolicy }: TestPlan, shard: Shard): Shard {
  return lossPolicy === "reshard" && shard.count > 1 ? { index: 0, count: shard.count - 1 } : shard;
}

/** Slots that a run could come to need here: of the whole plan, where this agent may be the last that is left. */
export function mostSlotsOf({ plan, stages, slots }: ShardPlan): number {
  return plan.lossPolicy === "reshard" ? slotsOf(plan, stages, { index: 0, count: 1 }) : slots;
}

/** Asks the target what it is, and computes what this agent would send. Throws what the target throws. */
export async function prepareShard(
  shardPlan: ShardPlan,
  options: {
    readonly target: Target;
    readonly record: RunRecord;
    readonly version: string;
    readonly plannedEventsPerS: number;
    readonly data: PlanData;
  },
): Promise<Preparation> {
  const { target, record, version, plannedEventsPerS, data } = options;
  const { plan } = shardPlan;
  const found = await target.preflight();
  const calibration = { wordsPerToken: found.wordsPerToken, templateTokens: found.templateTokens };
  const { salt } = record;
  return {
    ...shardPlan,
    ready: {
      version,
      walkDigest: walkDigest(plan, { salt, calibration, ...data }),
      ...found,
      plannedEventsPerS,
    },
    requests: createRequestFactory({ plan, run: record.id, salt, model: found.model, calibration, ...data }),
    trace: data.trace,
  };
}
