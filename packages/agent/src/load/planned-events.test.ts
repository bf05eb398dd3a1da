import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "@tokenstorm/core";
import { aPlan } from "@tokenstorm/testkit";
import { plannedEventsPerS } from "./planned-events.js";

const plannedOf = (change: Parameters<typeof aPlan>[0], count = 1, index = 0) => {
  const plan = aPlan(change);
  return plannedEventsPerS(plan, resolveStages(plan), { index, count });
};
const users = (...levels: number[]) => ({
  load: { kind: "users" as const, stages: levels.map((level) => ({ users: level, durationMs: 1000 })) },
});

test("users are taken to receive a token each 20 ms, at their largest level, and are shared among the agents", () => {
  assert.equal(plannedOf(users(10, 1000, 100)), 50_000);
  assert.equal(plannedOf(users(1000), 4), 12_500);
  assert.equal(plannedOf(users(961), 2, 0), plannedOf(users(961), 2, 1));
});

test("arrivals bring their mean output length, at the highest rate of any stage", () => {
  const load = {
    kind: "arrival-rate" as const,
    stages: [
      { fromRps: 10, toRps: 200, durationMs: 1000 },
      { fromRps: 50, toRps: 50, durationMs: 1000 },
    ],
  };
  assert.equal(plannedOf({ load, workload: { outputTokens: 128 } }, 2), 12_800);
  assert.equal(
    plannedOf({ load, workload: { outputTokens: { kind: "uniform", min: 100, max: 300 } } }),
    40_000,
  );
});
