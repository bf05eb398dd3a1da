import type { PlanInput } from "@tokenstorm/core";
import type { LinkFaults, Random } from "@tokenstorm/testkit";
import { drawFaults, drawRare, isCutWhileAsked } from "./draw-faults.js";
import { drawPlan } from "./draw-plan.js";
import type { Planned } from "./faults.js";

export interface Scenario {
  readonly plan: PlanInput;
  readonly agents: number;
  readonly standbys: number;
  readonly link: LinkFaults;
  readonly syncMaxUs: number;
  /** Memory for unconfirmed results at an agent, bytes. */
  readonly retainBytes: number;
  /** Of all requests, those that the target fails or stalls, by their keys. */
  readonly failShare: number;
  readonly faults: readonly Planned[];
}

/** All of it from one seed; `later`, of the same seed, is for choices that came after the others, and leaves those as they are. */
export function drawScenario(random: Random, later: Random): Scenario {
  const agents = random.int(2, 3);
  const lossPolicy = random.pick(["fail", "fail", "continue", "reshard"] as const);
  const faults = [...drawFaults(random, agents, lossPolicy), ...drawRare(later)];
  const isTroubled = random.bool(0.7);
  // What a silenced leader has said must be kept, and another one must lead when it comes.
  const isSilenced = faults.some(({ fault }) => fault.kind === "silence-leader");
  const scenario: Scenario = {
    plan: drawPlan(random, agents, lossPolicy),
    agents,
    standbys: Math.max(drawStandbys(random, faults), isSilenced ? 1 : 0),
    link: {
      lossShare: isTroubled ? random.pick([0, 0.02, 0.1]) : 0,
      duplicateShare: isTroubled ? random.pick([0, 0.05]) : 0,
      delayMaxUs: random.pick([0, 2000, 60_000]),
      ackLossShare: isTroubled ? random.pick([0, 0.1]) : 0,
      entryLossShare: isTroubled ? random.pick([0, 0.05]) : 0,
      repeatShare: isTroubled ? random.pick([0, 0.1]) : 0,
      answerLossShare: isTroubled ? random.pick([0, 0.03]) : 0,
      heldShare: isSilenced ? 0.5 : random.pick([0, 0.5]),
    },
    syncMaxUs: random.pick([1000, 20_000, 400_000]),
    retainBytes: random.bool(0.2) ? 1 : 64 * 1024 * 1024,
    failShare: random.pick([0, 0, 0.05, 0.3]),
    faults,
  };
  if (!faults.some(isCutWhileAsked)) return scenario;
  // Much is missing then, and comes while the report is being written.
  const link = { ...scenario.link, entryLossShare: 0.3, delayMaxUs: 60_000 };
  return { ...scenario, link, syncMaxUs: 400_000 };
}

/** Somebody must be left to lead. */
function drawStandbys(random: Random, faults: readonly Planned[]): number {
  const isLeaderMortal = faults.some(({ fault }) => fault.kind === "kill-leader" && fault.backMs === null);
  return isLeaderMortal ? random.int(1, 2) + faults.length : random.int(0, 1);
}
