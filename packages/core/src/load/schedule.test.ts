import assert from "node:assert/strict";
import { test } from "node:test";
import { requirePlan } from "../plan/parse-plan.js";
import type { PlanInput, SyntheticTextInput, TestPlan } from "../plan/schema.js";
import { Random, randomState, STREAMS } from "../random/random.js";
import { NO_CALIBRATION } from "../workload/calibration.js";
import { createWorkload } from "../workload/workload.js";
import { arrivals } from "./arrivals.js";
import type { RequestKey, Shard } from "./keys.js";
import { resolveStages } from "./resolve-stages.js";
import { usersOfShard } from "./users.js";

const OPTIONS = { salt: "s1", calibration: NO_CALIBRATION };
/** Stands in for what a user of a stage bounded by duration gets done. */
const ROUNDS = 3;

/** A plan from a seed: open or closed, lengths of every kind, with and without warm-up. */
function randomPlan(seed: number): TestPlan {
  const random = new Random(randomState(seed, STREAMS.promptBody, [99]));
  const pick = <Choice>(choices: readonly Choice[]): Choice => {
    const choice = choices[random.nextBelow(choices.length)];
    assert.ok(choice !== undefined);
    return choice;
  };
  const length = () =>
    pick<NonNullable<SyntheticTextInput["inputTokens"]>>([
      5 + random.nextBelow(30),
      { kind: "uniform", min: 4, max: 4 + random.nextBelow(60) },
      { kind: "normal", mean: 30, sd: 12, min: 4 },
      { kind: "lognormal", median: 20, sigma: 0.7, min: 4, max: 200 },
    ]);
  const rate = () => pick([0, 1, 7.5, 40, 120]);
  const stageCount = 1 + random.nextBelow(4);
  const stages = <Stage>(make: () => Stage) => Array.from({ length: stageCount }, make);
  const load: PlanInput["load"] =
    random.nextBelow(2) === 0
      ? {
          kind: "arrival-rate",
          spacing: pick(["even", "poisson"] as const),
          stages: stages(() => ({
            durationMs: 100 + random.nextBelow(2000),
            fromRps: rate(),
            toRps: 1 + rate(),
          })),
        }
      : {
          kind: "users",
          stages: stages(() => ({
            users: 1 + random.nextBelow(40),
            rampUpMs: random.nextBelow(3000),
            ...pick([{ durationMs: 1000 }, { requests: 1 + random.nextBelow(100) }]),
          })),
        };
  return requirePlan({
    version: 1,
    target: { urls: ["http://h:8000"], api: pick(["openai-chat", "openai-completions"]) },
    load,
    workload: {
      inputTokens: length(),
      outputTokens: length(),
      prompts: pick(["unique", "unique", "shared-prefix", "identical"]),
    },
    warmUp: { requests: pick([0, 1, 5]), users: pick([1, 3]) },
    seed: random.nextBelow(1000),
  });
}

/** All that one agent would send: key, when it is due (its user's start for closed load), lengths, prompt. */
function sentBy(plan: TestPlan, shard: Shard): Map<string, string> {
  const stages = resolveStages(plan);
  const source = createWorkload(plan, OPTIONS);
  const sent = new Map<string, string>();
  const add = (key: RequestKey, dueUs: number) => {
    const name = JSON.stringify(key);
    assert.ok(!sent.has(name), `${name} is sent twice`);
    sent.set(name, JSON.stringify([dueUs, source.requestFor(key)]));
  };
  for (const stage of stages) {
    if (stage.kind !== "users") continue;
    for (const { user, startOffsetUs, quota } of usersOfShard(stage, shard)) {
      for (let j = 0; j < (quota ?? ROUNDS); j += 1) {
        add({ kind: "closed", stage: stage.index, user, j }, startOffsetUs);
      }
    }
  }
  if (plan.load.kind === "arrival-rate") {
    const { spacing } = plan.load;
    for (const { key, dueUs } of arrivals({ stages, spacing, seed: plan.seed, shard })) add(key, dueUs);
  }
  return sent;
}

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

for (let seed = 1; seed <= 40; seed += 1) {
  test(`any number of agents together sends what one alone would, random plan ${seed}`, () => {
    const plan = randomPlan(seed);
    const alone = sentBy(plan, { index: 0, count: 1 });
    assert.ok(alone.size > 0);
    for (let count = 2; count <= 7; count += 1) {
      const together = new Map<string, string>();
      for (let index = 0; index < count; index += 1) {
        for (const [key, request] of sentBy(plan, { index, count })) {
          assert.ok(!together.has(key), `${key} belongs to two of ${count} agents`);
          together.set(key, request);
        }
      }
      assert.deepEqual(sorted(together), sorted(alone), `${count} agents, ${JSON.stringify(plan.load)}`);
    }
  });

  test(`stages bounded by requests send exactly those, random plan ${seed}`, () => {
    const plan = randomPlan(seed);
    const sent = [...sentBy(plan, { index: 0, count: 1 }).keys()];
    for (const stage of resolveStages(plan)) {
      if (stage.kind !== "users" || stage.bound.kind !== "requests") continue;
      const here = sent.filter((key) => JSON.parse(key).stage === stage.index);
      assert.equal(here.length, stage.bound.requests);
    }
  });
}
