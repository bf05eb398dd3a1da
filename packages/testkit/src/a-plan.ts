import { type PlanInput, PlanSchema, type TestPlan } from "@tokenstorm/core";

/** A parsed plan: two users for one second, changed as asked for. */
export function aPlan(change: Partial<PlanInput> = {}): TestPlan {
  return PlanSchema.parse({
    version: 1,
    target: { urls: ["http://127.0.0.1:8000"], model: "test-model" },
    load: { kind: "users", stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 1000 }] },
    ...change,
  });
}
