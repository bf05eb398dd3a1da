import assert from "node:assert/strict";
import { test } from "node:test";
import { type PlanInput, PlanSchema } from "../plan/schema.js";
import { resolveStages } from "./resolve-stages.js";

function resolved(load: PlanInput["load"], warmUp: PlanInput["warmUp"] = { requests: 0 }) {
  return resolveStages(PlanSchema.parse({ version: 1, target: { urls: ["http://h:8000"] }, load, warmUp }));
}

test("the warm-up is the first stage, bounded by its requests, without ramp", () => {
  const load: PlanInput["load"] = { kind: "users", thinkMs: 7, stages: [{ users: 2, durationMs: 1000 }] };
  const [warmUp, first] = resolved(load, { requests: 3, users: 10 });
  assert.deepEqual(warmUp, {
    kind: "users",
    index: 0,
    name: "warm-up",
    isWarmUp: true,
    users: 3,
    staying: 0,
    rampUpUs: 0,
    settleUs: 0,
    thinkUs: 0,
    bound: { kind: "requests", requests: 3, maxDurationUs: 3_600_000_000 },
  });
  assert.equal(first?.index, 1);
  assert.equal(resolved(load)[0]?.isWarmUp, false);
  assert.deepEqual(
    resolved({ kind: "arrival-rate", stages: [{ durationMs: 1000, fromRps: 1 }] }, { requests: 8 }).map(
      ({ index, isWarmUp }) => [index, isWarmUp],
    ),
    [
      [0, true],
      [1, false],
    ],
  );
});

test("users stay over an edge only from a measured stage bounded by duration", () => {
  const stages = resolved(
    {
      kind: "users",
      stages: [
        { users: 10, durationMs: 1000 },
        { users: 50, durationMs: 1000 },
        { users: 20, durationMs: 1000 },
        { users: 30, requests: 5 },
        { users: 40, durationMs: 1000 },
      ],
    },
    { requests: 8, users: 4 },
  );
  assert.deepEqual(
    stages.map((stage) => (stage.kind === "users" ? stage.staying : -1)),
    [0, 0, 10, 20, 20, 0],
  );
  assert.deepEqual(
    stages.map((stage) => (stage.kind === "users" ? stage.rampUpUs : -1)),
    [0, 200_000, 800_000, 0, 200_000, 800_000],
    "20 ms for each added user",
  );
});

test("what a stage says wins over the defaults, in microseconds", () => {
  const [stage] = resolved({
    kind: "users",
    thinkMs: "250ms",
    stages: [{ name: "peak", users: 10, rampUpMs: 0, settleMs: "1.5s", durationMs: "2m" }],
  });
  assert.deepEqual(stage, {
    kind: "users",
    index: 0,
    name: "peak",
    isWarmUp: false,
    users: 10,
    staying: 0,
    rampUpUs: 0,
    settleUs: 1_500_000,
    thinkUs: 250_000,
    bound: { kind: "duration", durationUs: 120_000_000 },
  });
});

test("a stage bounded by requests has no settling time and keeps its limit", () => {
  const [stage] = resolved({ kind: "users", stages: [{ users: 5, requests: 12, maxDurationMs: "10m" }] });
  assert.ok(stage?.kind === "users");
  assert.equal(stage.settleUs, 0);
  assert.deepEqual(stage.bound, { kind: "requests", requests: 12, maxDurationUs: 600_000_000 });
});

test("stages without a name are called after their level, each name once", () => {
  const users = (count: number, name?: string) => ({
    users: count,
    durationMs: 1000,
    ...(name === undefined ? {} : { name }),
  });
  assert.deepEqual(
    resolved({
      kind: "users",
      stages: [users(100), users(5), users(100), users(1, "u100-2"), users(100)],
    }).map(({ name }) => name),
    ["u100", "u5", "u100-3", "u100-2", "u100-4"],
  );
  const rate = (fromRps: number, toRps?: number) => ({
    durationMs: 1000,
    fromRps,
    ...(toRps === undefined ? {} : { toRps }),
  });
  const rates = resolved({
    kind: "arrival-rate",
    stages: [rate(50), rate(50, 100), rate(0.5), rate(50, 50)],
  });
  assert.deepEqual(
    rates.map(({ name }) => name),
    ["r50", "r50-100", "r0.5", "r50-2"],
  );
  assert.deepEqual(rates[2], {
    kind: "rate",
    index: 2,
    name: "r0.5",
    isWarmUp: false,
    fromRps: 0.5,
    toRps: 0.5,
    durationUs: 1_000_000,
  });
});
