import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "../errors.js";
import { checkFlag } from "./flag-values.js";
import { RUN_FLAGS, type RunFlagValues } from "./flags.js";
import { schemaAt } from "./json-schema.js";
import { requirePlan } from "./parse-plan.js";
import { planFromFlags } from "./plan-from-flags.js";

const URL = "http://h:8000";
const base = {
  version: 1,
  name: "base",
  target: { urls: [URL], apiKeyEnv: "KEY", headers: { A: "1" } },
  load: {
    kind: "users",
    thinkMs: 5,
    stages: [
      { name: "few", users: 1, requests: 4 },
      { users: 2, settleMs: 0, durationMs: "9s" },
    ],
  },
  thresholds: ["ttft.p99 < 1s"],
};

test("a target alone makes a plan: one user for a minute", () => {
  assert.deepEqual(planFromFlags(URL, {}), {
    version: 1,
    target: { urls: [URL] },
    load: { kind: "users", stages: [{ users: 1, durationMs: "1m" }] },
  });
  requirePlan(planFromFlags(URL, {}));
});

test("a list of users is a ladder of held levels", () => {
  const plan = requirePlan(
    planFromFlags([URL, "http://i"], {
      users: "1, 10,100",
      duration: "2m",
      rampUp: "0s",
      settle: "2s",
      think: "1s",
    }),
  );
  assert.deepEqual(plan.target.urls, [URL, "http://i"]);
  assert.ok(plan.load.kind === "users" && plan.load.thinkMs === 1000);
  const level = { rampUpMs: 0, settleMs: 2000, durationMs: 120_000, maxDurationMs: 3_600_000 };
  assert.deepEqual(
    plan.load.stages,
    [1, 10, 100].map((users) => ({ users, ...level })),
  );
});

test("a list of rates is an open load, a pair with a dash a slope", () => {
  assert.deepEqual(
    planFromFlags(URL, { rps: "10,10-50,0.5", spacing: "even", maxInFlight: "7", duration: "5s" }).load,
    {
      kind: "arrival-rate",
      spacing: "even",
      maxInFlight: 7,
      stages: [
        { fromRps: 10, durationMs: "5s" },
        { fromRps: 10, toRps: 50, durationMs: "5s" },
        { fromRps: 0.5, durationMs: "5s" },
      ],
    },
  );
});

test("every simple flag lands at its key", () => {
  const flags: RunFlagValues = {
    inputTokens: "uniform:100-500",
    outputTokens: "lognormal:64,0.5",
    prompts: "shared-prefix",
    sharedPrefixTokens: "50",
    respectEos: true,
    temperature: "0.7",
    api: "completions",
    model: "m",
    apiKeyFile: "/key",
    header: ["X-A: b: c", "Y:d"],
    insecure: true,
    gpus: "8",
    metricsUrl: ["http://m/1", "http://m/2"],
    agents: "3",
    agentsWait: "2m",
    warmUpRequests: "0",
    threshold: ["ttft.p99 < 1s", "success.rate >= 0.9"],
    grace: "5s",
    seed: "42",
    salt: "abc",
    name: "n",
  };
  assert.deepEqual(planFromFlags(URL, flags), {
    version: 1,
    target: {
      urls: [URL],
      api: "openai-completions",
      model: "m",
      apiKeyFile: "/key",
      headers: { "X-A": "b: c", Y: "d" },
      tls: { insecureSkipVerify: true },
      gpus: 8,
    },
    workload: {
      inputTokens: { kind: "uniform", min: 100, max: 500 },
      outputTokens: { kind: "lognormal", median: 64, sigma: 0.5 },
      prompts: "shared-prefix",
      sharedPrefixTokens: 50,
      ignoreEos: false,
      temperature: 0.7,
    },
    load: { kind: "users", stages: [{ users: 1, durationMs: "1m" }] },
    agents: { min: 3, waitMs: "2m" },
    warmUp: { requests: 0 },
    thresholds: ["ttft.p99 < 1s", "success.rate >= 0.9"],
    metricsUrls: ["http://m/1", "http://m/2"],
    gracePeriodMs: "5s",
    seed: 42,
    salt: "abc",
    name: "n",
  });
  requirePlan(planFromFlags(URL, flags));
});

test("every flag of the table names a key that the plan has", () => {
  for (const { flag, key, name } of RUN_FLAGS) {
    if (key === "") continue;
    const isTrace = name === "trace" || name === "speed";
    const isRate = ["rps", "spacing", "maxInFlight"].includes(name);
    const kind = isTrace ? "trace" : isRate ? "arrival-rate" : "users";
    const path = key.split(".").flatMap((step) => (step.endsWith("[]") ? [step.slice(0, -2), 0] : [step]));
    const workload = name === "dataset" ? { kind: "dataset" } : undefined;
    assert.ok(schemaAt({ load: { kind }, workload }, path) !== undefined, `${flag} stands for ${key}`);
  }
  assert.equal(new Set(RUN_FLAGS.map(({ flag }) => flag)).size, RUN_FLAGS.length);
});

test("flags win over a plan file, and leave what they do not name", () => {
  const plan = planFromFlags("http://other", { threshold: "e2e.p50 < 9s", header: "B: 2", seed: "3" }, base);
  assert.deepEqual(plan, {
    ...base,
    target: { urls: ["http://other"], apiKeyEnv: "KEY", headers: { A: "1", B: "2" } },
    thresholds: ["e2e.p50 < 9s"],
    seed: 3,
  });
  assert.equal(base.target.urls[0], URL, "the plan handed in is not changed");
});

test("new levels take the bounds of the base's stages, not their names", () => {
  assert.deepEqual(planFromFlags(undefined, { users: "5,6,7" }, base).load, {
    kind: "users",
    thinkMs: 5,
    stages: [
      { users: 5, requests: 4 },
      { users: 6, settleMs: 0, durationMs: "9s" },
      { users: 7, settleMs: 0, durationMs: "9s" },
    ],
  });
  assert.deepEqual(planFromFlags(undefined, { rps: "4" }, base).load, {
    kind: "arrival-rate",
    stages: [{ fromRps: 4, durationMs: "1m" }],
  });
});

test("a duration takes the place of requests in every stage, and the other way round", () => {
  assert.deepEqual(planFromFlags(undefined, { duration: "3s" }, base).load, {
    ...base.load,
    stages: [
      { name: "few", users: 1, durationMs: "3s" },
      { users: 2, settleMs: 0, durationMs: "3s" },
    ],
  });
  assert.deepEqual(planFromFlags(undefined, { requests: "40" }, base).load, {
    ...base.load,
    stages: [
      { name: "few", users: 1, requests: 40 },
      { users: 2, settleMs: 0, requests: 40 },
    ],
  });
});

test("--set reaches any key, with JSON values, else texts, after the other flags", () => {
  const set = [
    "timeouts.ttftMs=30s",
    "load.stages[1].rampUpMs=0",
    "load.stages[2].users=9",
    "workload.ignoreEos=false",
    'workload.inputTokens={"kind":"uniform","min":1,"max":2}',
    "metricsUrls[0]=http://m?a=b",
    "target.headers.X-Y=1",
    "seed=5",
  ];
  const plan = planFromFlags(undefined, { set, seed: "4" }, base);
  assert.deepEqual(plan["timeouts"], { ttftMs: "30s" });
  assert.deepEqual(plan["load"], {
    ...base.load,
    stages: [...base.load.stages.slice(0, 1), { ...base.load.stages[1], rampUpMs: 0 }, { users: 9 }],
  });
  assert.deepEqual(plan["workload"], { ignoreEos: false, inputTokens: { kind: "uniform", min: 1, max: 2 } });
  assert.deepEqual(plan["metricsUrls"], ["http://m?a=b"]);
  assert.deepEqual(plan["target"], { ...base.target, headers: { A: "1", "X-Y": 1 } });
  assert.equal(plan["seed"], 5);
});

const bad: readonly (readonly [RunFlagValues, RegExp])[] = [
  [{ users: "x" }, /^--users: "x" is no list of numbers of users, such as 1,10,100$/],
  [{ users: "1,0" }, /^--users: "1,0" is no list/],
  [{ users: "1.5" }, /^--users/],
  [{ users: "" }, /^--users/],
  [{ rps: "1-2-3" }, /^--rps: "1-2-3" is no list of rates/],
  [{ rps: "1,," }, /^--rps/],
  [{ duration: "30" }, /^--duration: "30" is no duration: write 500ms, 30s, 2m, 1h$/],
  [{ gpus: "8x" }, /^--gpus: "8x" is no number$/],
  [{ inputTokens: "uniform:5" }, /^--input-tokens: "uniform:5" is no length/],
  [{ inputTokens: "triangle:1,2" }, /^--input-tokens/],
  [{ outputTokens: "normal:1,2,3" }, /^--output-tokens/],
  [{ users: "1", rps: "1" }, /^--users: cannot stand beside --rps/],
  [{ duration: "1s", requests: "1" }, /^--duration: cannot stand beside --requests/],
  [{ rps: "1", requests: "1" }, /^--rps: cannot stand beside --requests/],
  [{ rps: "1", rampUp: "3s" }, /^--ramp-up: is for users, not for an arrival rate$/],
  [{ spacing: "even" }, /^--spacing: is for an arrival rate: give --rps$/],
  [{ header: ["x"] }, /^--header: "x" is no header/],
  [{ set: ["a"] }, /^--set: "a" is no setting/],
  [{ set: ["=1"] }, /^--set/],
  [{ set: ["a..b=1"] }, /^--set/],
  [{ set: ["__proto__.x=1"] }, /^--set/],
  [{ set: ["load.stages[4].users=1"] }, /^--set: "load.stages\[4\].users=1" names an entry past the end/],
];

for (const [flags, message] of bad) {
  test(`a flag that cannot be used is named: ${JSON.stringify(flags)}`, () => {
    assert.throws(
      () => planFromFlags(URL, flags),
      (error: unknown) =>
        error instanceof LoadError && error.code === "PLAN_INVALID" && message.test(error.message),
    );
  });
}

test("--requests on a plan of rates, and a base that is no plan, are refused", () => {
  const open = {
    version: 1,
    target: { urls: [URL] },
    load: { kind: "arrival-rate", stages: [{ durationMs: 1, fromRps: 1 }] },
  };
  assert.throws(() => planFromFlags(undefined, { requests: "5" }, open), /--requests: is for users/);
  for (const nothing of [null, "", [1], "text"]) {
    assert.throws(() => planFromFlags(URL, {}, nothing), /the plan is empty|the plan must be an object/);
  }
});

test("a plan file with mistakes keeps them through the flags", () => {
  const plan = planFromFlags(undefined, { duration: "3s", seed: "1" }, { ...base, load: "much", lod: 1 });
  assert.throws(() => requirePlan(plan), /load: must be an object[\s\S]*lod: is no key/);
});

test("a flag's text can be checked before there is a plan", () => {
  assert.equal(checkFlag({ name: "duration", kind: "duration" }, "2m"), undefined);
  assert.match(checkFlag({ name: "duration", kind: "duration" }, "2 weeks") ?? "", /is no duration/);
  for (const text of ["512", "uniform:1-2", "normal:5,1.5", "lognormal:5,0.1"]) {
    assert.equal(checkFlag({ name: "inputTokens", kind: "length" }, text), undefined, text);
  }
});
