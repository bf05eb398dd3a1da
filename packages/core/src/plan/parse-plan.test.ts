import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "../errors.js";
import { parsePlan, requirePlan } from "./parse-plan.js";
import { problemText } from "./problem.js";

const stage = { users: 2, durationMs: 1000 };
const load = { kind: "users", stages: [stage] };
const good = { version: 1, target: { urls: ["http://h:8000"] }, load };

/** The problems of a plan, one line each. */
function lines(plan: unknown): string[] {
  const parsed = parsePlan(plan);
  return parsed.ok ? [] : parsed.problems.map(problemText);
}

const withStages = (...stages: unknown[]) => ({ ...good, load: { kind: "users", stages } });
const withRates = (...stages: unknown[]) => ({ ...good, load: { kind: "arrival-rate", stages } });
const withTarget = (more: object) => ({ ...good, target: { ...good.target, ...more } });
const withUrl = (url: unknown) => withTarget({ urls: [url] });
const withWorkload = (workload: object) => ({ ...good, workload });
const oneBound = "(a stage needs exactly one, such as durationMs: 30s)";

const table: Readonly<Record<string, readonly [plan: unknown, ...expected: string[]]>> = {
  "no plan": [null, "the plan is empty"],
  "an empty text": ["", "the plan is empty"],
  "a list": [[], "the plan must be an object with keys such as target and load, is a list"],
  "a text": ["run", 'the plan must be an object with keys such as target and load, is "run"'],
  "an empty object": [
    {},
    "version: is missing: it must be 1",
    'target: is missing: it must be an object of keys and values (such as target: {"urls":["http://127.0.0.1:8000"]})',
    'load: is missing: it must be an object of keys and values (such as load: {"kind":"users","stages":[{"users":100,"durationMs":"2m"}]})',
  ],
  "another version": [
    { version: 7 },
    "version: plan version 7 is not supported: this tokenstorm reads version 1",
  ],
  "another version as text": [
    { ...good, version: "2.1" },
    'version: plan version "2.1" is not supported: this tokenstorm reads version 1',
  ],
  "the version as text": [{ ...good, version: "1" }, 'version: must be 1, is "1" (without quotes)'],
  "three mistakes in one stage": [
    withStages({ usres: 2, durationMs: "soon", users: 0 }),
    "load.stages[0].users: must be at least 1, is 0",
    'load.stages[0].durationMs: "soon" is no duration: write milliseconds, or 500ms, 30s, 2m, 1h',
    "load.stages[0].usres: is no key of a plan (did you mean users?)",
  ],
  "a key that is half written": [
    withStages({ ...stage, rampUp: 3 }),
    "load.stages[0].rampUp: is no key of a plan (did you mean rampUpMs?)",
  ],
  "a key in another case": [{ ...good, seeD: 1 }, "seeD: is no key of a plan (did you mean seed?)"],
  "a key at the wrong place": [
    { ...good, model: "m" },
    "model: is no key of a plan (did you mean target.model?)",
  ],
  "a key like nothing": [
    withTarget({ tls: { zzz: 1 } }),
    "target.tls.zzz: is no key of a plan (known here: caFile, serverName, insecureSkipVerify)",
  ],
  "a key that is a property of all objects": [
    JSON.parse(
      '{"version":1,"target":{"urls":["http://h"]},"load":{"kind":"users","stages":[{"users":1,"durationMs":1}]},"__proto__":1,"toString":2}',
    ),
    "__proto__: is no key of a plan (known here: version, name, target, workload, load, agents, warmUp, thresholds, slos, timeouts, seed, salt, intervalMs, gracePeriodMs, maxLatenessMs, deliverMs, lossPolicy, orphanMs, metricsUrls)",
    "toString: is no key of a plan (known here: version, name, target, workload, load, agents, warmUp, thresholds, slos, timeouts, seed, salt, intervalMs, gracePeriodMs, maxLatenessMs, deliverMs, lossPolicy, orphanMs, metricsUrls)",
  ],
  "wrong types": [
    { ...good, seed: "a", thresholds: "x", agents: null, name: 3, target: { urls: "http://h", gpus: 1.5 } },
    "name: must be a text, is 3",
    'target.urls: must be a list, is "http://h"',
    "target.gpus: must be a whole number, is 1.5",
    "agents: must be an object of keys and values, is null",
    'thresholds: must be a list, is "x"',
    'seed: must be a whole number, is "a"',
  ],
  "a misspelt choice": [
    withWorkload({ prompts: "uniqe", ignoreEos: "yes" }),
    'workload.ignoreEos: must be true or false, is "yes"',
    'workload.prompts: must be one of unique, shared-prefix, identical, is "uniqe" (did you mean unique?)',
  ],
  "a misspelt kind of load, with what is wrong in its stages": [
    { ...good, load: { kind: "userz", stages: [{ users: 1.5, durationMs: -5 }] } },
    'load.kind: must be one of users, arrival-rate, trace, is "userz" (did you mean users?)',
    "load.stages[0].users: must be a whole number, is 1.5",
    "load.stages[0].durationMs: must be between 1ms and 720h, is -5",
  ],
  "no kind of load, with what is wrong in its stages": [
    { ...good, load: { stages: [{ fromRps: "a", durationMs: 1 }] } },
    "load.kind: is missing: it must be one of users, arrival-rate, trace",
    'load.stages[0].fromRps: must be a number, is "a"',
  ],
  "no stages": [withStages(), "load.stages: must have at least 1 entry, has 0"],
  "a length that is none": [
    withWorkload({ inputTokens: "long", outputTokens: [3] }),
    'workload.inputTokens: "long" is no length: write a number of tokens, or kind fixed, uniform, normal or lognormal with its values',
    "workload.outputTokens: a list is no length: write a number of tokens, or kind fixed, uniform, normal or lognormal with its values",
  ],
  "a length of no kind, one of none known": [
    withWorkload({ inputTokens: { kind: "unform", min: 1, max: 2 }, outputTokens: { min: 3 } }),
    'workload.inputTokens.kind: must be one of fixed, uniform, normal, lognormal, is "unform" (did you mean uniform?)',
    "workload.outputTokens.kind: is missing: it must be one of fixed, uniform, normal, lognormal",
  ],
  "a length with wrong values": [
    withWorkload({ inputTokens: { kind: "uniform", min: 1, mx: 3 }, outputTokens: 0 }),
    "workload.inputTokens.max: is missing: it must be a whole number",
    "workload.inputTokens.mx: is no key of a plan (did you mean max?)",
    "workload.outputTokens: must be at least 1, is 0",
  ],
  "lengths whose min is above their max, beside another mistake": [
    withWorkload({
      inputTokens: { kind: "uniform", min: 500, max: 100 },
      outputTokens: { kind: "normal", mean: 5, sd: -1, min: 9, max: 4 },
    }),
    "workload.outputTokens.sd: must be at least 0, is -1",
    "workload.inputTokens: min 500 is greater than max 100",
    "workload.outputTokens: min 9 is greater than max 4",
  ],
  "neither duration nor requests": [
    withStages({ users: 1 }),
    `load.stages[0]: has neither durationMs nor requests ${oneBound}`,
  ],
  "both duration and requests": [
    withStages({ ...stage, requests: 5 }),
    `load.stages[0]: has both durationMs and requests ${oneBound}`,
  ],
  "requests from a pool where there are none": [
    withStages({ ...stage, requestsFrom: "pool" }),
    "load.stages[0].requestsFrom: says who sends `requests`, and the stage has durationMs instead",
  ],
  "no requests, no length": [
    withStages({ users: 1, requests: 0 }, { users: 1, durationMs: 0 }),
    "load.stages[0].requests: must be at least 1, is 0",
    "load.stages[1].durationMs: must be between 1ms and 720h, is 0",
  ],
  "two stages of one name, and the warm-up's": [
    withStages(
      { ...stage, name: "a" },
      { ...stage, name: "a" },
      { ...stage, name: "warm-up" },
      { ...stage, name: "b c" },
    ),
    'load.stages[3].name: "b c" is no name: letters, digits, . _ -, at most 64',
    'load.stages[1].name: "a" is the name of stages[0] too',
    "load.stages[2].name: warm-up is the name of the warm-up's own stage",
  ],
  "a rate of nothing": [
    withRates(
      { durationMs: 1000, fromRps: 0 },
      { durationMs: 1000, fromRps: 0, toRps: 0 },
      { durationMs: 1, fromRps: 0, toRps: 1 },
    ),
    "load.stages[0]: sends nothing: fromRps or toRps must be greater than 0",
    "load.stages[1]: sends nothing: fromRps or toRps must be greater than 0",
  ],
  "keys of the other kind of load": [
    withRates({ ...stage, fromRps: 1 }),
    "load.stages[0].users: is no key of a plan (did you mean load.stages[].users or warmUp.users?)",
  ],
  "a shared prefix without shared prompts": [
    withWorkload({ sharedPrefixTokens: 5 }),
    "workload.sharedPrefixTokens: is only for prompts: shared-prefix",
  ],
  "a shared prefix as long as the prompt": [
    withWorkload({ prompts: "shared-prefix", sharedPrefixTokens: 512 }),
    "workload.sharedPrefixTokens: must be smaller than the input of 512 tokens, is 512",
  ],
  "a shared prefix longer than the shortest prompt": [
    withWorkload({
      prompts: "shared-prefix",
      sharedPrefixTokens: 60,
      inputTokens: { kind: "uniform", min: 50, max: 99 },
    }),
    "workload.sharedPrefixTokens: must be smaller than the input of 50 tokens, is 60",
  ],
  "a shared prefix of prompts of one token": [
    withWorkload({ prompts: "shared-prefix", inputTokens: 1 }),
    "workload.inputTokens: must be at least 2 for a shared prefix and a rest of its own",
  ],
  "a key that stands in the plan itself is not repeated": [
    withTarget({ apiKeyEnv: "sk-secret" }),
    "target.apiKeyEnv: is no name of an environment variable: the key itself never stands in a plan",
  ],
  "two ways to the key": [
    withTarget({ apiKeyEnv: "KEY", apiKeyFile: "/key" }),
    "target.apiKeyFile: stands beside apiKeyEnv (name the key in one way)",
  ],
  headers: [
    withTarget({
      headers: { "X-Ok": "fine", a: 1, Host: "x", "b c": "d", q: "a\nb", Authorization: "Bearer s" },
    }),
    "target.headers.a: must be a text, is 1",
    "target.headers.Host: is set by tokenstorm itself",
    'target.headers["b c"]: is no name of a header',
    "target.headers.q: has a value with characters that no header can carry",
    "target.headers.Authorization: holds a secret: name it by target.apiKeyEnv or target.apiKeyFile",
  ],
  "a URL of another protocol": [
    withUrl("ftp://h"),
    'target.urls[0]: "ftp://h" is no http or https URL, such as http://127.0.0.1:8000',
  ],
  "a URL without protocol": [
    withUrl("h:8000"),
    'target.urls[0]: "h:8000" is no http or https URL: did you mean http://h:8000?',
  ],
  "a URL with a bad port": [
    withUrl("http://h:99999"),
    'target.urls[0]: "http://h:99999" is no http or https URL',
  ],
  "a URL with a password, which is not repeated": [
    withUrl("http://me:secret@h:8000"),
    'target.urls[0]: "http://***@h:8000" carries credentials: name the key by target.apiKeyEnv or target.apiKeyFile',
  ],
  "a URL of an endpoint": [
    withUrl("http://h/v1/chat/completions"),
    'target.urls[0]: "http://h/v1/chat/completions" names an endpoint: give the base URL, the API\'s own path is added',
  ],
  "a URL with a query": [
    withUrl("http://h?a=1"),
    'target.urls[0]: "http://h?a=1" has a query or fragment: give the base URL alone',
  ],
  "no URL": [withTarget({ urls: [] }), "target.urls: must have at least 1 entry, has 0"],
  "a secret among the facts": [
    withTarget({ urls: ["http://h"], facts: { env: { VLLM_ROCM_USE_AITER: "1", HF_TOKEN: "hf_x" } } }),
    "target.facts.env.HF_TOKEN: looks like a secret (leave it out: facts are for readers)",
  ],
  "a fact that nobody knows": [
    withTarget({ urls: ["http://h"], facts: { aiter: "maybe" } }),
    'target.facts.aiter: must be one of on, off, default, is "maybe"',
  ],
  "a URL that is no text": [withUrl(8000), "target.urls[0]: must be a text, is 8000"],
  "metrics that are nowhere": [
    { ...good, metricsUrls: ["h"] },
    'metricsUrls[0]: "h" is no http or https URL',
  ],
  "metrics behind a password": [
    { ...good, metricsUrls: ["http://me:secret@h:9090/metrics"] },
    'metricsUrls[0]: "http://***@h:9090/metrics" carries credentials, which a plan never does',
  ],
  "metrics behind a password without slashes": [
    { ...good, metricsUrls: ["http:me:secret@h"] },
    'metricsUrls[0]: "***@h" is no http or https URL',
  ],
  "metrics with what no URL has inside": [
    { ...good, metricsUrls: ["http://h\u0000"] },
    'metricsUrls[0]: "http://h\\u0000" has spaces or control characters',
  ],
  "timeouts and graces out of bounds": [
    {
      ...good,
      timeouts: { connectMs: 0, stallMs: "99h" },
      gracePeriodMs: "2h",
      intervalMs: 1,
      slos: { ttftMs: 0 },
    },
    "slos.ttftMs: must be greater than 0, is 0",
    "timeouts.connectMs: must be between 1ms and 24h, is 0",
    'timeouts.stallMs: must be between 1ms and 24h, is "99h"',
    "intervalMs: must be between 10ms and 1m, is 1",
    'gracePeriodMs: must be between 0ms and 1h, is "2h"',
  ],
  "a duration that is no number": [
    { ...good, intervalMs: Number.NaN },
    "intervalMs: NaN is no duration: write milliseconds, or 500ms, 30s, 2m, 1h",
  ],
  "resharding where there is no stage's edge": [
    {
      ...good,
      warmUp: { requests: 0 },
      load: { kind: "users", stages: [{ users: 2, durationMs: 1000 }] },
      thresholds: [],
      lossPolicy: "reshard",
    },
    "lossPolicy: reshard gives a lost agent's shard to the others at the edge of a stage, and this plan has a single stage (use lossPolicy: continue, or cut the load into several stages)",
  ],
  "a policy that is unknown": [
    { ...good, lossPolicy: "retry" },
    'lossPolicy: must be one of fail, continue, reshard, is "retry"',
  ],
  "a threshold that cannot be read, beside another mistake": [
    { ...good, thresholds: ["ttft.p99 < 500ms", "ttft.p99 < soon"], seed: -1 },
    "seed: must be at least 0, is -1",
    'thresholds[1]: "soon" is no duration: write 500ms or 2s',
  ],
  "a threshold of a stage that is not there": [
    { ...good, thresholds: ["ttft.p99{stage=u2} < 1s", "ttft.p99{stage=u22} < 1s"] },
    'thresholds[1]: names the stage "u22", which is not measured (did you mean u2?)',
  ],
  "a threshold of a slope": [
    {
      ...withRates({ durationMs: 1, fromRps: 1, toRps: 30 }, { durationMs: 1, fromRps: 300 }),
      thresholds: ["ttft.p99{stage=r1-30} < 1s"],
    },
    'thresholds[0]: names the stage "r1-30", which is not measured (measured are r300)',
  ],
  "a salt that is none": [{ ...good, salt: "ABC" }, 'salt: "ABC" is no salt: 1 to 32 of a-z and 0-9'],
  "a long value is shortened": [
    { ...good, seed: "x".repeat(200) },
    `seed: must be a whole number, is "${"x".repeat(59)}...`,
  ],
};

for (const [name, [plan, ...expected]] of Object.entries(table)) {
  test(`problems of a plan: ${name}`, () => assert.deepEqual(lines(plan), expected));
}

test("a good plan comes back with every default, and passes again as it is", () => {
  const plan = requirePlan({
    ...good,
    target: { urls: ["http://a:8000/", "https://b/v1/", "http://c/openai/v1"] },
    workload: { prompts: "shared-prefix", inputTokens: { kind: "uniform", min: 101, max: 300 } },
    timeouts: { ttftMs: "1.5m" },
    metricsUrls: ["http://a:9090", "http://a:9090/m?x=1"],
  });
  assert.deepEqual(plan.target.urls, ["http://a:8000", "https://b", "http://c/openai"]);
  assert.ok(plan.workload.kind === "synthetic-text");
  assert.equal(plan.workload.sharedPrefixTokens, 50);
  assert.equal(plan.timeouts.ttftMs, 90_000);
  assert.deepEqual(plan.metricsUrls, ["http://a:9090/metrics", "http://a:9090/m?x=1"]);
  assert.equal(plan.warmUp.requests, 8);
  assert.deepEqual(requirePlan(plan), plan);
  assert.deepEqual(requirePlan(JSON.parse(JSON.stringify(plan))), plan);
});

test("a plan's error has every problem on a line, or the one in its sentence", () => {
  const isInvalid = (message: string) => (error: unknown) =>
    error instanceof LoadError && error.code === "PLAN_INVALID" && error.message === message;
  assert.throws(
    () => requirePlan({ ...good, seed: -1 }),
    isInvalid("the plan is invalid: seed: must be at least 0, is -1"),
  );
  assert.throws(
    () => requirePlan({ ...good, seed: -1, salt: "-", lod: 1 }),
    isInvalid(
      [
        "the plan has 3 problems:",
        "  seed: must be at least 0, is -1",
        '  salt: "-" is no salt: 1 to 32 of a-z and 0-9',
        "  lod: is no key of a plan (did you mean load?)",
      ].join("\n"),
    ),
  );
});

test("a plan with hundreds of mistakes gives a bounded message", () => {
  const plan = withStages(...Array.from({ length: 900 }, () => ({ users: -1, durationMs: 1 })));
  assert.throws(
    () => requirePlan(plan),
    (error: unknown) =>
      error instanceof LoadError &&
      error.message.split("\n").length === 52 &&
      error.message.endsWith("  and 850 more"),
  );
});

test("an unknown version has its own code and names both versions", () => {
  assert.throws(
    () => requirePlan({ ...good, version: 7, lod: 1 }),
    (error: unknown) =>
      error instanceof LoadError &&
      error.code === "PLAN_UNSUPPORTED_VERSION" &&
      error.message === "plan version 7 is not supported: this tokenstorm reads version 1",
  );
});

test("how long an agent goes on without a leader stands in every plan, by its policy where nothing is said", () => {
  const stages = [1000, 1000].map((durationMs) => ({ users: 1, durationMs }));
  for (const [said, orphanMs] of [
    [{}, 60_000],
    [{ lossPolicy: "continue" }, 60_000],
    [{ lossPolicy: "reshard" }, 15_000],
    [{ lossPolicy: "reshard", orphanMs: "20s" }, 20_000],
  ] as const) {
    const plan = requirePlan({ ...withStages(...stages), ...said });
    assert.equal(plan.orphanMs, orphanMs, JSON.stringify(said));
    assert.deepEqual(requirePlan(plan), plan, "read again it is the same");
  }
});
