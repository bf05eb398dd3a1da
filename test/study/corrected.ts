import type { PlanInput } from "@tokenstorm/core";
import type { SimulatorOptions } from "@tokenstorm/simulator";
import { runInVirtualCluster, type VirtualRun } from "./virtual-cluster.js";

/** Levels that are held: each user's next request follows its last for as long as the window is open. */
export interface HeldLevels {
  readonly simulator: SimulatorOptions;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly prompts: "unique" | "identical";
  readonly levels: readonly { readonly users: number; readonly windowS: number }[];
  readonly agents?: number;
}

/**
 * The corrected form: measured in-flight in a steady window after ramp and settling, and the length of every answer
 * fixed, so that levels differ by nothing but what is in flight.
 */
export function heldPlan(held: HeldLevels): PlanInput {
  return {
    version: 1,
    name: "corrected",
    target: { api: "openai-completions", urls: ["http://127.0.0.1:8000"] },
    workload: {
      inputTokens: held.promptTokens,
      outputTokens: held.outputTokens,
      ignoreEos: true,
      prompts: held.prompts,
    },
    warmUp: { requests: 4, users: 4 },
    intervalMs: "5s",
    gracePeriodMs: "30m",
    timeouts: { ttftMs: "1h", stallMs: "1h", totalMs: "1h" },
    load: {
      kind: "users",
      stages: held.levels.map(({ users, windowS }) => ({
        users,
        rampUpMs: "10s",
        settleMs: "10s",
        durationMs: Math.round(windowS * 1000),
      })),
    },
  };
}

export function runHeld(held: HeldLevels): Promise<VirtualRun> {
  return runInVirtualCluster({
    plan: heldPlan(held),
    simulator: held.simulator,
    agents: held.agents ?? 1,
  });
}
