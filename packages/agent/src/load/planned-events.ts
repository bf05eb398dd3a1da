import { meanOutputTokens, type ResolvedStage, type Shard, type TestPlan } from "@tokenstorm/core";
import { slotsOf } from "./stage-times.js";

/** What a user is taken to receive, tokens per second: one each 20 ms, as the limits of trust are stated for. */
const TOKENS_PER_S_OF_USER = 50;

/**
 * Events per second that one process is to read at the plan's busiest, an event being a token: of arrivals those that
 * are offered, of users what a fast server sends them. An estimate, from the plan alone.
 */
export function plannedEventsPerS(
  plan: TestPlan,
  stages: readonly ResolvedStage[],
  { count }: Shard,
): number {
  const outputTokens = meanOutputTokens(plan);
  const rates = stages.map((stage) =>
    stage.kind === "rate" ? (Math.max(stage.fromRps, stage.toRps) * outputTokens) / count : 0,
  );
  if (plan.load.kind !== "users") return Math.max(0, ...rates);
  // Of the largest shard, whichever this is: all agents of a run must come to one number, and so, on like hosts, to one
  // reader.
  return slotsOf(plan, stages, { index: 0, count }) * TOKENS_PER_S_OF_USER;
}
