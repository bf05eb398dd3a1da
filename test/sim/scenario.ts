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
  /** SIGKILL of whoever leads, perhaps with its lease; a new process on the same host after `backMs`, never where null. */
  | { readonly kind: "kill-leader"; readonly backMs: number | null; readonly withLease: boolean }
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
  /** Every agent's connection, both ways. */
  | { readonly kind: "cut-agents"; readonly forMs: number }
  | { readonly kind: "kill-agent"; readonly agent: number }
  | { readonly kind: "stop"; readonly level: "drain" | "cut" }
  /** SIGTERM: it ends its run, and lets the next one lead. */
  | { readonly kind: "close-leader" }
  /** The store forgets everything, or the lease's key alone. */
  | { readonly kind: "wipe-state" }
  | { readonly kind: "delete-lease" }
  /** The log forgets everything. */
  | { readonly kind: "wipe-log" }
  /** Somebody appends further results of this agent, of another admission than that of the run. */
  | { readonly kind: "other-epoch"; readonly agent: number }
  /** Somebody sets a host's wall clock. */
  | { readonly kind: "step-wall"; readonly of: "leader" | number; readonly byMs: number };

/** What happens, and when: `afterMs` after the store shows the state, or after another one has taken the lead. */
export interface Planned {
  readonly state: FaultState | "taken over";
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
      heldShare: random.pick([0, 0.5]),
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
    // Of the shortest a run has more than leaders allow for in advance.
    intervalMs: random.pick([100, 500, 1000, 1000]),
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
  // What a leader has said into a dead connection comes when another one leads, in a run that is long enough.
  if (lossPolicy === "reshard" && random.bool(0.3)) {
    const fault = {
      kind: "partition",
      of: "leader",
      direction: "out",
      forMs: random.int(10_500, 15_000),
    } as const;
    return { state: "running", afterMs: random.int(0, 10_000), fault };
  }
  if (random.bool(0.2))
    return { state: "taken over", afterMs: random.int(0, 500), fault: drawSecond(random) };
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

/** What hits whoever has just taken over. */
function drawSecond(random: Random): Fault {
  return random.bool(0.7)
    ? { kind: "cut-agents", forMs: random.int(2500, 4500) }
    : { kind: "kill-leader", backMs: random.int(100, 8000), withLease: random.bool(0.2) };
}

/** Each kind with its weight. */
function drawKind(random: Random, agents: number): Fault {
  const agent = random.int(0, agents - 1);
  const who = random.bool() ? ("leader" as const) : agent;
  const kinds: readonly (readonly [number, () => Fault])[] = [
    [40, () => drawKill(random)],
    [10, () => ({ kind: "pause-leader", forMs: random.int(1000, 20_000) })],
    [6, () => ({ kind: "pause-agent", agent, forMs: random.int(500, 4000) })],
    [20, () => ({ kind: "partition", of: who, direction: drawDirection(random), forMs: drawCutMs(random) })],
    [5, () => ({ kind: "restart-nats", forMs: random.int(500, 6000) })],
    [3, () => ({ kind: "cut-agents", forMs: random.int(500, 4500) })],
    [4, () => ({ kind: "kill-agent", agent })],
    [4, () => ({ kind: "stop", level: random.pick(["drain", "cut"]) })],
    [2, () => ({ kind: "close-leader" })],
    [8, () => ({ kind: "wipe-state" })],
    [3, () => ({ kind: "delete-lease" })],
    [4, () => ({ kind: "wipe-log" })],
    [3, () => ({ kind: "other-epoch", agent })],
    [3, () => ({ kind: "step-wall", of: who, byMs: random.int(-900_000, 900_000) })],
  ];
  let roll = random.int(
    1,
    kinds.reduce((sum, [weight]) => sum + weight, 0),
  );
  const drawn = kinds.find(([weight]) => {
    roll -= weight;
    return roll <= 0;
  });
  if (drawn === undefined) throw new Error("no kind was drawn");
  return drawn[1]();
}

function drawKill(random: Random): Fault {
  const backMs = random.bool(0.4) ? null : random.int(100, 8000);
  return { kind: "kill-leader", backMs, withLease: random.bool(0.2) };
}

const drawDirection = (random: Random) => random.pick(["in", "out", "both"] as const);

const drawCutMs = (random: Random) => (random.bool(0.6) ? random.int(500, 4000) : random.int(4000, 20_000));
