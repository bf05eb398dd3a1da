import assert from "node:assert/strict";
import {
  LEADER_LIMITS as LIMITS,
  orphanMsOf,
  type ResolvedStage,
  type RunRecord,
  resolveStages,
  stageLengthUs,
  type TestPlan,
} from "@tokenstorm/core";
import { type Fault, hitsLeader, isHarmless, type Planned } from "./faults.js";
import type { World } from "./world.js";

const S = 1_000_000;

/** Sixteen questions to a clock, of half a second each. */
const PROBING_US = 8 * S;
/** A time zero lies five round trips further ahead than its limit, each as long as a probe waits. */
const ROUND_TRIPS_US = 2.5 * S;
/** A question to a store whose answer is lost. */
const ANSWER_US = 2 * S;
/** A full log or disk is tried again so much later. */
const RETRY_US = 5 * S;

/**
 * Where nothing keeps whoever leads, or an agent's connection, from hearing and being heard, a run ends in time: the planned
 * length, its grace and delivery times, and each wait of its leader once.
 */
export function checkDeadline(world: World, record: RunRecord): void {
  const { faults } = world.scenario;
  if (faults.some((planned) => hitsLeader(planned) || cutsAgents(planned.fault))) return;
  const mostUs = longestUs(record, faults) + world.processes.counts.lostAnswers * ANSWER_US;
  assert.ok(world.tookUs <= mostUs, `the run took ${world.tookUs / S} s, at most ${mostUs / S} were planned`);
}

function cutsAgents({ kind }: Fault): boolean {
  return kind === "partition" || kind === "cut-agents";
}

function longestUs({ plan }: RunRecord, faults: readonly Planned[]): number {
  const isAgentHit = faults.some((planned) => !isHarmless(planned) && planned.fault.kind !== "stop");
  // Whoever is gone before its admission is waited for, and whoever is gone after it until it counts as lost.
  const admittedUs = isAgentHit ? plan.agents.waitMs * 1000 + LIMITS.prepareUs : LIMITS.lostUs;
  // A lost shard changes hands at the start of a stage, which waits for it.
  const orphanUs = isAgentHit ? LIMITS.lostUs + orphanMsOf(plan) * 1000 + S : 0;
  const fullUs = faults.map(({ fault }) =>
    fault.kind === "fill-log" || fault.kind === "fill-disk" ? fault.forMs * 1000 + RETRY_US : 0,
  );
  const waits = [
    LIMITS.listenUs + LIMITS.settleMostUs + PROBING_US,
    admittedUs,
    LIMITS.startAttempts * (PROBING_US + LIMITS.startAheadUs + ROUND_TRIPS_US),
    ...resolveStages(plan).map((stage) => stageUs(stage, plan)),
    orphanUs,
    LIMITS.earlyUs,
    plan.gracePeriodMs * 1000 + LIMITS.drainMoreUs,
    plan.deliverMs * 1000 + LIMITS.deliverMoreUs,
    ...fullUs,
  ];
  return waits.reduce((sum, us) => sum + us, 0);
}

/** As planned; one bounded by requests ends when they have, or by its own limit. */
function stageUs(stage: ResolvedStage, plan: TestPlan): number {
  const lengthUs = stageLengthUs(stage);
  if (lengthUs !== null) return lengthUs;
  const { rampUpUs, bound } = stage.kind === "users" ? stage : { rampUpUs: 0, bound: null };
  const ownUs = bound?.kind === "requests" ? rampUpUs + bound.maxDurationUs : 0;
  return ownUs + plan.gracePeriodMs * 1000 + LIMITS.stageDoneMoreUs + LIMITS.stageAheadUs;
}
