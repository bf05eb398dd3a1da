import assert from "node:assert/strict";
import { test } from "node:test";
import { requirePlan } from "../plan/parse-plan.js";
import type { PlanInput } from "../plan/schema.js";
import { NO_CALIBRATION } from "./calibration.js";
import { walkDigest } from "./walk-digest.js";

const text = {
  inputTokens: { kind: "uniform", min: 5, max: 40 },
  outputTokens: 10,
} as const;
const closed: PlanInput = {
  version: 1,
  target: { urls: ["http://h:8000"] },
  workload: text,
  load: {
    kind: "users",
    stages: [
      { users: 20, durationMs: 1000 },
      { users: 7, requests: 30 },
    ],
  },
};
const open: PlanInput = {
  ...closed,
  load: {
    kind: "arrival-rate",
    stages: [
      { durationMs: 2000, fromRps: 0, toRps: 800 },
      { durationMs: 2000, fromRps: 800 },
    ],
  },
};

const digest = (plan: PlanInput, salt = "abc", calibration = NO_CALIBRATION) =>
  walkDigest(requirePlan(plan), { salt, calibration });

test("a digest is frozen: a saved salt and seed must send the same requests for ever", () => {
  assert.equal(digest(closed), "7d8763354bf4edff2fc8efab2da99da6");
  assert.equal(digest(open), "a2fd3f00c05aa201a9228a9770bae95d");
  assert.equal(
    digest({ ...open, target: { ...open.target, api: "openai-completions" } }),
    "7ca41cd2e813d6fd3247b3219d49ab35",
  );
});

const changes: Readonly<Record<string, () => string>> = {
  "the salt": () => digest(closed, "abd"),
  "the seed": () => digest({ ...closed, seed: 2 }),
  "the API": () => digest({ ...closed, target: { ...closed.target, api: "openai-completions" } }),
  "a length": () => digest({ ...closed, workload: { ...text, outputTokens: 11 } }),
  "the number of users": () =>
    digest({
      ...closed,
      load: {
        kind: "users",
        stages: [
          { users: 21, durationMs: 1000 },
          { users: 7, requests: 30 },
        ],
      },
    }),
  "the warm-up": () => digest({ ...closed, warmUp: { requests: 9 } }),
  "words per token": () => digest(closed, "abc", { wordsPerToken: 0.9, templateTokens: null }),
  "the template": () => digest(closed, "abc", { wordsPerToken: null, templateTokens: 4 }),
};

for (const [what, changed] of Object.entries(changes)) {
  test(`a digest changes with ${what}`, () => assert.notEqual(changed(), digest(closed)));
}

test("an open load's digest holds due times past the first thousand requests", () => {
  const later: PlanInput = {
    ...open,
    load: {
      kind: "arrival-rate",
      stages: [
        { durationMs: 2000, fromRps: 0, toRps: 800 },
        { durationMs: 2001, fromRps: 800 },
      ],
    },
  };
  assert.notEqual(digest(later), digest(open));
});

test("the name of the run, the target's address and its agents are not part of a digest", () => {
  const elsewhere: PlanInput = {
    ...closed,
    name: "x",
    target: { urls: ["http://other:1"] },
    agents: { min: 9 },
  };
  assert.equal(digest(elsewhere), digest(closed));
});

test("plans with few requests have a digest", () => {
  const few: PlanInput = {
    ...closed,
    load: { kind: "users", stages: [{ users: 3, requests: 2 }] },
    warmUp: { requests: 0 },
  };
  assert.match(digest(few), /^[0-9a-f]{32}$/);
});
