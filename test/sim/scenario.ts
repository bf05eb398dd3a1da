import type { PlanInput, RunState } from "@tokenstorm/core";
import type { LinkFaults, Random } from "@tokenstorm/testkit";

/** Run states in which something is made to happen, once the store shows them. */
export const FAULT_STATES = [
  "gathering",
  "preparing",
  "arming",
  "running",
  "draining",
  "delivering",
] as const satisfies readonly RunState[];
export type FaultState = (typeof FAULT_STATES)[number];

export type Fault =
  /** SIGKILL of whoever leads; a new process on the same host after `backMs`, never where null. */
  | { readonly kind: "kill-leader"; readonly backMs: number | null }
  /** SIGSTOP and SIGCONT. */
  | { readonly kind: "pause-leader"; readonly forMs: number }
  | { readonly kind: "pause-agent"; readonly agent: number; readonly forMs: number }
  | {
      readonly kind: "partition";
      readonly of: "leader" | number;
      readonly direction: "in" | "out" | "both";
      readonly forMs: number;
    }
  | { readonly kind: "restart-nats"; readonly forMs: number }
  | { readonly kind: "kill-agent"; readonly agent: number }
  | { readonly kind: "stop"; readonly level: "drain" | "cut" };

/** What happens, and when: `afterMs` after the store shows the state. */
export interface Planned {
  readonly state: FaultState;
  readonly afterMs: number;
  readonly fault: Fault;
}

export interface Scenario {
  readonly plan: PlanInput;
  readonly agents: number;
  readonly standbys: number;
  readonly link: LinkFaults;
  readonly syncMaxUs: number;
  /** Memory for unconfirmed results at an agent, bytes. */
  readonly retainBytes: number;
  readonly faults: readonly Planned[];
}

/** All of it from one seed. */
export function drawScenario(random: Random): Scenario {
  const agents = random.int(2, 3);
  const lossPolicy = random.pick(["fail", "fail", "continue", "reshard"] as const);
  const faults = Array.from({ length: random.bool(0.1) ? 0 : random.int(1, 3) }, () =>
    drawFault(random, agents, lossPolicy),
  );
  // Somebody must be left to lead.
  const isLeaderMortal = faults.some(({ fault }) => fault.kind === "kill-leader" && fault.backMs === null);
  const isTroubled = random.bool(0.7);
  return {
    plan: drawPlan(random, agents, lossPolicy),
    agents,
    standbys: isLeaderMortal ? random.int(1, 2) + faults.length : random.int(0, 1),
    link: {
      lossShare: isTroubled ? random.pick([0, 0.02, 0.1]) : 0,
      duplicateShare: isTroubled ? random.pick([0, 0.05]) : 0,
      delayMaxUs: random.pick([0, 2000, 60_000]),
      ackLossShare: isTroubled ? random.pick([0, 0.1]) : 0,
      entryLossShare: isTroubled ? random.pick([0, 0.05]) : 0,
      repeatShare: isTroubled ? random.pick([0, 0.1]) : 0,
      answerLossShare: isTroubled ? random.pick([0, 0.03]) : 0,
    },
    syncMaxUs: random.pick([1000, 20_000, 400_000]),
    retainBytes: random.bool(0.2) ? 1 : 64 * 1024 * 1024,
    faults,
  };
}

type LossPolicy = NonNullable<PlanInput["lossPolicy"]>;

function drawPlan(random: Random, agents: number, lossPolicy: LossPolicy): PlanInput {
  return {
    version: 1,
    target: { urls: ["http://127.0.0.1:8000"], model: "sim" },
    workload: { inputTokens: 8, outputTokens: 2 },
    lossPolicy,
    load: lossPolicy === "reshard" ? drawLadder(random) : drawLoad(random),
    warmUp: { requests: random.pick([0, 4]), users: 2 },
    agents: { min: agents, waitMs: 30_000 },
    seed: random.int(1, 1000),
    gracePeriodMs: 3000,
    deliverMs: random.pick([5000, 30_000]),
    orphanMs: lossPolicy === "reshard" ? 13_000 : random.pick([15_000, 60_000]),
    intervalMs: random.pick([500, 1000]),
  };
}

function drawLoad(random: Random): PlanInput["load"] {
  const durationMs = random.int(3, 8) * 1000;
  switch (random.pick(["users", "requests", "arrivals"] as const)) {
    case "users":
      return {
        kind: "users",
        stages: [
          { users: random.int(3, 5), rampUpMs: 500, settleMs: 0, durationMs },
          { users: 2, rampUpMs: 0, settleMs: 0, durationMs: 2000 },
        ],
      };
    case "requests":
      return {
        kind: "users",
        stages: [
          { users: 4, rampUpMs: 0, settleMs: 0, requests: random.int(20, 60), maxDurationMs: 60_000 },
          { users: 3, rampUpMs: 0, settleMs: 0, durationMs: 2000 },
        ],
      };
    case "arrivals":
      return {
        kind: "arrival-rate",
        spacing: "poisson",
        maxInFlight: 60,
        stages: [{ durationMs, fromRps: 12, toRps: 12 }],
      };
  }
}

/** Long enough that a shard can change hands: stages before, in and after the time in which nobody has it. */
function drawLadder(random: Random): PlanInput["load"] {
  const durationMs = random.int(8, 14) * 1000;
  switch (random.pick(["users", "requests", "arrivals"] as const)) {
    case "users":
      return {
        kind: "users",
        stages: [5, 3, 4, 6].map((users) => ({ users, rampUpMs: 500, settleMs: 0, durationMs })),
      };
    case "requests":
      return {
        kind: "users",
        stages: [
          { users: 4, rampUpMs: 0, settleMs: 0, requests: random.int(60, 120), maxDurationMs: 60_000 },
          { users: 3, rampUpMs: 0, settleMs: 0, requests: random.int(60, 120), maxDurationMs: 60_000 },
          { users: 5, rampUpMs: 500, settleMs: 0, durationMs },
        ],
      };
    case "arrivals":
      return {
        kind: "arrival-rate",
        spacing: random.pick(["poisson", "even"]),
        maxInFlight: 60,
        stages: [12, 6, 9, 12].map((fromRps) => ({ durationMs, fromRps })),
      };
  }
}

function drawFault(random: Random, agents: number, lossPolicy: LossPolicy): Planned {
  // Where a run survives its agents, they are lost while it runs.
  if (lossPolicy !== "fail" && random.bool(0.6)) {
    const fault = drawLoss(random, random.int(0, agents - 1));
    return { state: "running", afterMs: random.int(0, 10_000), fault };
  }
  const state = random.pick(FAULT_STATES);
  return {
    state,
    // Agents arm within milliseconds.
    afterMs: random.bool(0.3) ? 0 : random.int(0, state === "arming" ? 4 : 4000),
    fault: drawKind(random, agents),
  };
}

function drawLoss(random: Random, agent: number): Fault {
  const forMs = random.int(1000, 40_000);
  switch (random.pick(["kill", "pause", "partition"] as const)) {
    case "kill":
      return { kind: "kill-agent", agent };
    case "pause":
      return { kind: "pause-agent", agent, forMs };
    case "partition":
      return { kind: "partition", of: agent, direction: random.pick(["in", "out", "both"]), forMs };
  }
}

function drawKind(random: Random, agents: number): Fault {
  const roll = random.int(1, 100);
  const agent = random.int(0, agents - 1);
  if (roll <= 45) return { kind: "kill-leader", backMs: random.bool(0.4) ? null : random.int(100, 8000) };
  if (roll <= 57) return { kind: "pause-leader", forMs: random.int(1000, 20_000) };
  if (roll <= 63) return { kind: "pause-agent", agent, forMs: random.int(500, 4000) };
  if (roll <= 85)
    return {
      kind: "partition",
      of: random.bool() ? "leader" : agent,
      direction: random.pick(["in", "out", "both"]),
      forMs: random.bool(0.6) ? random.int(500, 4000) : random.int(4000, 20_000),
    };
  if (roll <= 91) return { kind: "restart-nats", forMs: random.int(500, 6000) };
  if (roll <= 95) return { kind: "kill-agent", agent };
  return { kind: "stop", level: random.pick(["drain", "cut"]) };
}
