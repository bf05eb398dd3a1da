import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestKey } from "../load/keys.js";
import { requirePlan } from "../plan/parse-plan.js";
import type { SyntheticTextInput } from "../plan/schema.js";
import { type Calibration, NO_CALIBRATION } from "./calibration.js";
import { shortestLength } from "./lengths.js";
import type { RequestSpec } from "./request-spec.js";
import { WORDS } from "./words.js";
import { createWorkload } from "./workload.js";

type Apis = "openai-chat" | "openai-completions";

interface Asked {
  readonly api?: Apis;
  readonly workload?: SyntheticTextInput;
  readonly seed?: number;
  readonly salt?: string;
  readonly warmUp?: number;
  readonly calibration?: Calibration;
}

function source({ api, workload, seed, salt, warmUp, calibration }: Asked = {}) {
  const plan = requirePlan({
    version: 1,
    target: { urls: ["http://h:8000"], api: api ?? "openai-chat" },
    workload: workload ?? {},
    load: { kind: "users", stages: [{ users: 1000, durationMs: 1000 }] },
    warmUp: { requests: warmUp ?? 0 },
    seed: seed ?? 1,
  });
  return createWorkload(plan, { salt: salt ?? "abc123", calibration: calibration ?? NO_CALIBRATION });
}

const key = (user: number, j = 0, stage = 0): RequestKey => ({ kind: "closed", stage, user, j });

/** The prompt's units: words or ids. */
function units({ prompt }: RequestSpec): readonly (string | number)[] {
  assert.ok(prompt.kind !== "messages");
  return prompt.kind === "text" ? prompt.text.split(" ") : prompt.ids;
}

const apis: readonly { readonly api: Apis; readonly head: number }[] = [
  { api: "openai-chat", head: 7 },
  { api: "openai-completions", head: 5 },
];

test("the words are 512 different ones of at most six letters", () => {
  assert.equal(new Set(WORDS).size, 512);
  for (const word of WORDS) assert.match(word, /^[a-z]{2,6}$/);
});

for (const { api, head } of apis) {
  test(`a prompt has the asked number of units of its own vocabulary, ${api}`, () => {
    const request = source({ api, workload: { inputTokens: 300, outputTokens: 40 } }).requestFor(key(1));
    assert.equal(request.promptTokens, 300);
    assert.equal(request.outputTokens, 40);
    assert.equal(units(request).length, 300);
    for (const unit of units(request)) {
      if (typeof unit === "number") assert.ok(Number.isInteger(unit) && unit >= 1000 && unit < 30_000);
      else assert.ok(WORDS.includes(unit), unit);
    }
    for (const inputTokens of [1, 2, 3]) {
      assert.equal(units(source({ api, workload: { inputTokens } }).requestFor(key(1))).length, inputTokens);
    }
  });

  test(`the same key gives the same request, whoever asks and in whatever order, ${api}`, () => {
    const asked: Asked = { api, workload: { inputTokens: { kind: "uniform", min: 5, max: 90 } } };
    const keys = Array.from({ length: 50 }, (_, i) => key(i % 10, Math.floor(i / 10)));
    const forwards = source(asked);
    const backwards = source(asked);
    const expected = keys.map((one) => forwards.requestFor(one));
    const found = keys.toReversed().map((one) => backwards.requestFor(one));
    assert.deepEqual(found.toReversed(), expected);
  });

  test(`unique prompts differ within their first units, from key to key and from salt to salt, ${api}`, () => {
    const heads = new Set<string>();
    for (const salt of ["abc123", "abc124", "c", "cc"]) {
      const requests = source({ api, workload: { inputTokens: 20 }, salt });
      for (let user = 0; user < 2000; user += 1) {
        heads.add(
          units(requests.requestFor(key(user)))
            .slice(0, head)
            .join(),
        );
      }
    }
    assert.equal(heads.size, 4 * 2000);
  });

  test(`the first unit alone already tells salts apart, for most keys, ${api}`, () => {
    const [one, other] = ["run1", "run2"].map((salt) => source({ api, workload: { inputTokens: 20 }, salt }));
    let equal = 0;
    for (let user = 0; user < 1000; user += 1) {
      if (one && other && units(one.requestFor(key(user)))[0] === units(other.requestFor(key(user)))[0])
        equal += 1;
    }
    assert.ok(equal < 12, `${equal} of 1000 begin alike; two are expected of 512 words`);
  });

  test(`another salt changes the head alone: lengths and the rest stay, ${api}`, () => {
    const workload: SyntheticTextInput = {
      inputTokens: { kind: "lognormal", median: 60, sigma: 0.5, min: 10 },
      outputTokens: { kind: "uniform", min: 1, max: 500 },
    };
    const one = source({ api, workload, salt: "one" });
    const other = source({ api, workload, salt: "other" });
    for (let user = 0; user < 100; user += 1) {
      const a = one.requestFor(key(user));
      const b = other.requestFor(key(user));
      assert.deepEqual([a.promptTokens, a.outputTokens], [b.promptTokens, b.outputTokens]);
      assert.deepEqual(units(a).slice(head), units(b).slice(head));
      assert.notDeepEqual(units(a).slice(0, head), units(b).slice(0, head));
    }
  });

  test(`another seed changes the rest and leaves the head, ${api}`, () => {
    const one = source({ api, seed: 1 }).requestFor(key(3));
    const other = source({ api, seed: 2 }).requestFor(key(3));
    assert.deepEqual(units(one).slice(0, head), units(other).slice(0, head));
    assert.notDeepEqual(units(one).slice(head), units(other).slice(head));
  });

  test(`shared prefixes are alike within a run and only within it, ${api}`, () => {
    const asked: Asked = {
      api,
      workload: { inputTokens: 100, prompts: "shared-prefix", sharedPrefixTokens: 60 },
      warmUp: 4,
    };
    const requests = source(asked);
    const first = units(requests.requestFor(key(0, 0, 1)));
    const rests = new Set<string>();
    for (const one of [key(1, 0, 1), key(0, 1, 1), key(0, 0, 0)]) {
      const found = units(requests.requestFor(one));
      assert.equal(found.length, 100);
      assert.deepEqual(found.slice(0, 60), first.slice(0, 60));
      assert.notDeepEqual(found.slice(60, 60 + head), first.slice(60, 60 + head));
      rests.add(found.slice(60).join());
    }
    assert.equal(rests.size, 3);
    const otherRun = units(source({ ...asked, salt: "other" }).requestFor(key(0, 0, 1)));
    assert.notDeepEqual(otherRun.slice(0, head), first.slice(0, head));
    assert.deepEqual(otherRun.slice(head, 60), first.slice(head, 60));
  });

  test(`a prompt no longer than the shared prefix keeps a unit of its own, ${api}`, () => {
    const workload: SyntheticTextInput = {
      inputTokens: { kind: "normal", mean: 40, sd: 30 },
      prompts: "shared-prefix",
      sharedPrefixTokens: 39,
    };
    const requests = source({ api, workload });
    const common = units(requests.requestFor(key(0)));
    let short = 0;
    let endAlike = 0;
    for (let user = 1; user < 300; user += 1) {
      const request = requests.requestFor(key(user));
      const found = units(request);
      assert.equal(found.length, request.promptTokens);
      const shared = Math.min(39, common.length - 1, found.length - 1);
      assert.deepEqual(found.slice(0, shared), common.slice(0, shared));
      if (found.length > 39) continue;
      short += 1;
      if (found.at(-1) === common[found.length - 1]) endAlike += 1;
    }
    assert.ok(short > 50);
    assert.ok(endAlike < 5, `${endAlike} of ${short} have no unit of their own`);
  });

  test(`identical prompts are one prompt for all keys, runs and salts, with outputs of their own, ${api}`, () => {
    const workload: SyntheticTextInput = {
      inputTokens: { kind: "uniform", min: 10, max: 400 },
      outputTokens: { kind: "uniform", min: 1, max: 400 },
      prompts: "identical",
    };
    const requests = source({ api, workload, warmUp: 4, salt: "one" });
    const first = requests.requestFor(key(0, 0, 1));
    assert.equal(units(first).length, first.promptTokens);
    const outputs = new Set<number>();
    for (const one of [key(7, 3, 1), key(0, 0, 0), key(999, 0, 1)]) {
      const { outputTokens, promptTokens, prompt } = requests.requestFor(one);
      assert.deepEqual({ promptTokens, prompt }, { promptTokens: first.promptTokens, prompt: first.prompt });
      outputs.add(outputTokens);
    }
    assert.equal(outputs.size, 3);
    assert.deepEqual(source({ api, workload, salt: "two" }).requestFor(key(5)).prompt, first.prompt);
  });
}

test("warm-up prompts are their own, and whether there is a warm-up changes no other request", () => {
  const workload: SyntheticTextInput = { inputTokens: { kind: "uniform", min: 20, max: 200 } };
  const without = source({ workload });
  const withOne = source({ workload, warmUp: 4 });
  for (let user = 0; user < 20; user += 1) {
    assert.deepEqual(withOne.requestFor(key(user, 0, 1)), without.requestFor(key(user, 0, 0)));
    const warm = withOne.requestFor(key(user, 0, 0));
    assert.notDeepEqual(units(warm).slice(0, 7), units(without.requestFor(key(user, 0, 0))).slice(0, 7));
  }
});

test("open and closed keys have prompts of their own, also far out", () => {
  const requests = source();
  const keys: RequestKey[] = [
    key(0),
    key(1),
    key(0, 1),
    key(0, 0, 1),
    key(0, 2 ** 32),
    { kind: "open", stage: 0, k: 0 },
    { kind: "open", stage: 0, k: 2 ** 32 },
    { kind: "open", stage: 1, k: 0 },
  ];
  const heads = keys.map((one) => units(requests.requestFor(one)).slice(0, 7).join());
  assert.equal(new Set(heads).size, keys.length);
});

test("drawn lengths have their distribution, and input and output know nothing of each other", () => {
  const workload: SyntheticTextInput = {
    inputTokens: { kind: "normal", mean: 200, sd: 20 },
    outputTokens: { kind: "lognormal", median: 100, sigma: 0.5 },
  };
  const requests = source({ api: "openai-completions", workload });
  const count = 4000;
  const drawn = Array.from({ length: count }, (_, user) => requests.requestFor(key(user)));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const inputs = drawn.map(({ promptTokens }) => (promptTokens ?? 0) - 200);
  const outputs = drawn.map(({ outputTokens }) => Math.log(outputTokens / 100));
  const sd = (values: readonly number[]) => Math.sqrt(mean(values.map((value) => value * value)));
  assert.ok(Math.abs(mean(inputs)) < (4 * 20) / Math.sqrt(count), `mean ${mean(inputs)}`);
  assert.ok(Math.abs(sd(inputs) / 20 - 1) < 0.05, `sd ${sd(inputs)}`);
  assert.ok(Math.abs(mean(outputs)) < (4 * 0.5) / Math.sqrt(count), `log mean ${mean(outputs)}`);
  assert.ok(Math.abs(sd(outputs) / 0.5 - 1) < 0.05, `log sd ${sd(outputs)}`);
  const correlation = mean(inputs.map((value, i) => (value / 20) * ((outputs[i] ?? 0) / 0.5)));
  assert.ok(Math.abs(correlation) < 4 / Math.sqrt(count), `correlation ${correlation}`);
});

test("uniform lengths reach both ends, and stated bounds hold", () => {
  const uniform = source({ workload: { inputTokens: { kind: "uniform", min: 3, max: 6 } } });
  const found = new Set(Array.from({ length: 200 }, (_, user) => uniform.requestFor(key(user)).promptTokens));
  assert.deepEqual([...found].sort(), [3, 4, 5, 6]);
  const bounded = source({
    workload: {
      inputTokens: { kind: "normal", mean: 10, sd: 50, min: 5, max: 20 },
      outputTokens: { kind: "normal", mean: 3, sd: 50 },
    },
  });
  for (let user = 0; user < 300; user += 1) {
    const { promptTokens, outputTokens } = bounded.requestFor(key(user));
    assert.ok(promptTokens !== null && promptTokens >= 5 && promptTokens <= 20);
    assert.ok(outputTokens >= 1);
  }
});

test("the shortest length is the one that a plan states", () => {
  assert.equal(shortestLength(7), 7);
  assert.equal(shortestLength({ kind: "fixed", tokens: 8 }), 8);
  assert.equal(shortestLength({ kind: "uniform", min: 3, max: 9 }), 3);
  assert.equal(shortestLength({ kind: "normal", mean: 50, sd: 5 }), 50);
  assert.equal(shortestLength({ kind: "normal", mean: 50, sd: 5, min: 20 }), 20);
  assert.equal(shortestLength({ kind: "lognormal", median: 40, sigma: 1 }), 40);
});
