import assert from "node:assert/strict";
import { test } from "node:test";
import { requireStudy } from "./parse-study.js";
import { runsOf, type StudyStep, scheduleStudy } from "./schedule.js";
import type { StudyInput } from "./schema.js";
import { aStudy, aSuite } from "./testing/a-study.js";

const keys = (input: StudyInput, options: Partial<Parameters<typeof scheduleStudy>[1]> = {}) =>
  runsOf(scheduleStudy(requireStudy(input), { mode: "default", ...options })).map(({ key }) => key);

const switches = (steps: readonly StudyStep[]) =>
  steps.flatMap((step) => (step.kind === "switch" ? [step.condition] : []));

const serving = (words: readonly string[]) => ({ kind: "command" as const, serve: [...words] });
const target = { urls: ["http://127.0.0.1:8000"] };

test("sequential order takes one condition after the other, with all its suites and repeats", () => {
  const suites = [aSuite({ name: "x" }), aSuite({ name: "y" })];
  assert.deepEqual(keys(aStudy({ repeats: 2, suites })), [
    "x/a/1",
    "x/a/2",
    "y/a/1",
    "y/a/2",
    "x/b/1",
    "x/b/2",
    "y/b/1",
    "y/b/2",
  ]);
});

test("interleaved order goes repeat by repeat, every second time backwards, so that a drift falls on both", () => {
  const study = aStudy({ repeats: 4, order: "interleaved" });
  const order = keys(study).map((key) => key.split("/")[1]);
  assert.deepEqual(order, ["a", "b", "b", "a", "a", "b", "b", "a"]);
});

test("random order is the same for the same seed, another for another, and has every run once", () => {
  const conditions = ["a", "b", "c", "d", "e"].map((name) => ({ name, target }));
  const of = (seed: number) => keys(aStudy({ repeats: 6, order: "random", seed, conditions }));
  assert.deepEqual(of(7), of(7));
  assert.notDeepEqual(of(7), of(8));
  const inOrder = keys(aStudy({ repeats: 6, order: "interleaved", conditions }));
  assert.deepEqual(of(7).toSorted(), inOrder.toSorted());
  // Each repeat is a block: no condition comes a second time before all have come once.
  for (let repeat = 0; repeat < 6; repeat += 1) {
    const block = of(7).slice(repeat * 5, repeat * 5 + 5);
    assert.equal(new Set(block.map((key) => key.split("/")[1])).size, 5);
  }
});

test("the server is switched before the first run and whenever the words of its hooks are others", () => {
  const conditions = [
    { name: "a", target, hooks: serving(["serve", "{condition}", "{timeScale}"]) },
    { name: "b", target, hooks: serving(["serve", "{condition}", "{timeScale}"]) },
  ];
  const suites = [aSuite({ name: "x", repeats: 3 }), aSuite({ name: "y", timeScale: 10 })];
  const steps = scheduleStudy(requireStudy(aStudy({ conditions, suites })), { mode: "default" });
  assert.deepEqual(switches(steps), ["a", "a", "b", "b"], "a time scale of its own is a server of its own");
  const words = steps.flatMap((step) => (step.kind === "switch" ? [step.serve?.join(" ")] : []));
  assert.deepEqual(words, ["serve a 1", "serve a 10", "serve b 1", "serve b 10"]);
  for (const [i, step] of steps.entries())
    if (step.kind === "switch")
      assert.equal(steps[i + 1]?.kind, "health", "and is healthy before it is loaded");
});

test("words with the repeat in them start the server anew for each repeat", () => {
  const hooks = serving(["serve", "--seed", "{seed}"]);
  const conditions = [
    { name: "a", target, hooks },
    { name: "b", target, hooks },
  ];
  const steps = scheduleStudy(requireStudy(aStudy({ repeats: 3, seed: 40, conditions })), {
    mode: "default",
  });
  const words = steps.flatMap((step) => (step.kind === "switch" ? [step.serve?.at(-1)] : []));
  assert.deepEqual(words.slice(0, 3), ["41", "42", "43"]);
  assert.equal(new Set(words).size, 6, "and no two conditions draw alike");
});

test("what is done is left out, and the server is switched anew all the same", () => {
  const conditions = [{ name: "a", target, hooks: { kind: "manual" as const } }];
  const study = requireStudy(aStudy({ repeats: 3, conditions }));
  const steps = scheduleStudy(study, { mode: "default", done: new Set(["levels/a/1"]) });
  assert.deepEqual(
    runsOf(steps).map(({ key }) => key),
    ["levels/a/2", "levels/a/3"],
  );
  assert.deepEqual(switches(steps), ["a"]);
  const none = new Set(["levels/a/1", "levels/a/2", "levels/a/3"]);
  assert.deepEqual(scheduleStudy(study, { mode: "default", done: none }), []);
});

test("a warm-up comes after each switch, as a run of its own that the suite's requests make", () => {
  const hooks = { kind: "none" as const, warmUp: { requests: 6, users: 4 } };
  const plan = {
    workload: { inputTokens: 77 },
    load: { kind: "users" as const, stages: [{ users: 50, durationMs: "1m" }] },
    thresholds: ["success.rate >= 0.9"],
  };
  const study = aStudy({ conditions: [{ name: "a", target, hooks }], suites: [aSuite({ plan })] });
  const warmUp = scheduleStudy(requireStudy(study), { mode: "default" }).find(
    ({ kind }) => kind === "warm-up",
  );
  assert.ok(warmUp?.kind === "warm-up");
  const { workload, load, thresholds } = warmUp.run.plan;
  assert.ok(workload.kind === "synthetic-text");
  assert.equal(workload.inputTokens, 77);
  assert.deepEqual(thresholds, [], "nothing is judged by it");
  assert.ok(load.kind === "users");
  assert.deepEqual([load.stages[0]?.users, load.stages[0]?.requests], [4, 6]);
});

test("a mode multiplies requests, holds them to the users where the study did, and leaves out levels", () => {
  const stages = [10, 150, 500].map((users) => ({ users, requests: 150 }));
  const suite = aSuite({
    scaleRequests: true,
    requestsAtMostUsers: true,
    modes: { quick: { maxUsers: 150 } },
    plan: { load: { kind: "users", stages } },
  });
  const study = requireStudy(aStudy({ suites: [suite] }));
  const requests = (mode: "quick" | "default" | "thorough") => {
    const load = runsOf(scheduleStudy(study, { mode }))[0]?.plan.load;
    return load?.kind === "users" ? load.stages.map((stage) => stage.requests) : [];
  };
  assert.deepEqual(requests("quick"), [10, 75], "min(users, 75), and no level past 150");
  assert.deepEqual(requests("default"), [10, 150, 150]);
  assert.deepEqual(requests("thorough"), [10, 150, 450], "min(users, 450)");
});

test("overrides are laid over the plan for their condition alone", () => {
  const overrides = { b: { workload: { inputTokens: 9 } } };
  const plan = {
    workload: { outputTokens: 5 },
    load: { kind: "users" as const, stages: [{ users: 1, requests: 1 }] },
  };
  const runs = runsOf(
    scheduleStudy(requireStudy(aStudy({ suites: [aSuite({ plan, overrides })] })), { mode: "default" }),
  );
  assert.deepEqual(
    runs.map(({ plan: { workload } }) => {
      assert.ok(workload.kind === "synthetic-text");
      return [workload.inputTokens, workload.outputTokens];
    }),
    [
      [512, 5],
      [9, 5],
    ],
  );
});

test("only the named suites and conditions are scheduled, and a name that is not there is an error", () => {
  const suites = [aSuite({ name: "x" }), aSuite({ name: "y" })];
  assert.deepEqual(keys(aStudy({ suites }), { only: ["y"], conditions: ["b"] }), ["y/b/1"]);
  assert.throws(() => keys(aStudy({ suites }), { only: ["yy"] }), /"yy" is no suite: did you mean y\?/);
  assert.throws(() => keys(aStudy({ suites }), { conditions: ["q"] }), /"q" is no condition/);
});

test("the plan carries no salt, so that every repeat gets a fresh one", () => {
  const planFiles = new Map([
    ["p.yaml", { version: 1, salt: "aaaa", load: { kind: "users", stages: [{ users: 1, requests: 1 }] } }],
  ]);
  const study = requireStudy(aStudy({ suites: [{ name: "x", phase: "ab", planFile: "p.yaml" }] }), planFiles);
  for (const { plan } of runsOf(scheduleStudy(study, { mode: "default" })))
    assert.equal(plan.salt, undefined);
});

test("what is known of a condition's deployment stands in the plan of each of its runs", () => {
  const study = requireStudy(
    aStudy({
      conditions: [
        {
          name: "a",
          target: { urls: ["http://127.0.0.1:8000"] },
          facts: { precision: "FP8", aiter: "on", gpus: 8 },
        },
      ],
    }),
  );
  const [run] = runsOf(scheduleStudy(study, { mode: "default" }));
  assert.deepEqual(run?.plan.target.facts, { precision: "FP8", aiter: "on" });
  assert.equal(run?.plan.target.gpus, 8);
});
