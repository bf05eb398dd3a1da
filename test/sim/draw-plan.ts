import type { PlanInput } from "@tokenstorm/core";
import type { Random } from "@tokenstorm/testkit";

export type LossPolicy = NonNullable<PlanInput["lossPolicy"]>;

export function drawPlan(random: Random, agents: number, lossPolicy: LossPolicy): PlanInput {
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
