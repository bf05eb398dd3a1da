import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestKey } from "../load/keys.js";
import { requirePlan } from "../plan/parse-plan.js";
import type { PlanInput } from "../plan/schema.js";
import { NO_CALIBRATION } from "./calibration.js";
import { parseDataSet } from "./data-set.js";
import { hasOnlyUniquePrompts, longestAsked, meanOutputTokens, workloadMembers } from "./members.js";
import type { RequestSpec } from "./request-spec.js";
import { walkDigest } from "./walk-digest.js";
import { createWorkload, type DataSets } from "./workload.js";

const planOf = (workload: PlanInput["workload"], change: Partial<PlanInput> = {}) =>
  requirePlan({
    version: 1,
    target: { urls: ["http://h:8000"] },
    workload,
    load: { kind: "users", stages: [{ users: 3, durationMs: 1000 }] },
    warmUp: { requests: 0 },
    ...change,
  });

const LINES =
  '{"prompt":"one"}\n{"prompt":"two","output_tokens":9}\n{"messages":[{"role":"user","content":"three"}]}\n';
const FILE = { kind: "dataset", file: "p.jsonl" } as const;

function dataSets(plan: ReturnType<typeof planOf>, text = LINES): DataSets {
  return new Map(
    workloadMembers(plan).flatMap(({ workload }, member) =>
      workload.kind === "dataset" ? [[member, parseDataSet(text, workload, { isChat: true })] as const] : [],
    ),
  );
}

function source(plan: ReturnType<typeof planOf>, salt = "s") {
  return createWorkload(plan, { salt, calibration: NO_CALIBRATION, dataSets: dataSets(plan) });
}

const key = (user: number, j = 0): RequestKey => ({ kind: "closed", stage: 0, user, j });

function text({ prompt }: RequestSpec): string {
  assert.ok(prompt.kind !== "token-ids");
  return prompt.kind === "text" ? prompt.text : prompt.messages.map(({ content }) => content).join("|");
}

test("a file's lines are sent in order, users taking turns, and from the beginning again", () => {
  const requests = source(planOf({ ...FILE, prompts: "as-is", outputTokens: 5 }));
  const sent = [key(0), key(1), key(2), key(0, 1), key(1, 1), key(2, 1)].map((one) =>
    requests.requestFor(one),
  );
  assert.deepEqual(sent.map(text), ["one", "two", "three", "one", "two", "three"]);
  assert.deepEqual(
    sent.slice(0, 3).map(({ outputTokens, promptTokens }) => [outputTokens, promptTokens]),
    [
      [5, null],
      [9, null],
      [5, null],
    ],
  );
  const open = planOf(
    { ...FILE, prompts: "as-is" },
    { load: { kind: "arrival-rate", stages: [{ fromRps: 1, durationMs: 9000 }] } },
  );
  assert.deepEqual(
    [0, 1, 2, 3].map((k) => text(source(open).requestFor({ kind: "open", stage: 0, k }))),
    ["one", "two", "three", "one"],
  );
});

test("a file's unique prompts begin with words of the salt and the request, and go on as the line", () => {
  const plan = planOf(FILE);
  const one = text(source(plan, "a").requestFor(key(0)));
  const again = text(source(plan, "a").requestFor(key(0, 1)));
  const otherRun = text(source(plan, "b").requestFor(key(0)));
  for (const prompt of [one, again, otherRun]) assert.match(prompt, /^([a-z]+ ){6}[a-z]+\none$/);
  assert.equal(new Set([one, again, otherRun]).size, 3);
  assert.match(text(source(plan).requestFor(key(2))), /\nthree$/);
});

test("lines drawn at random are each as likely, and the same whoever asks", () => {
  const plan = planOf({ ...FILE, order: "random", prompts: "as-is" });
  const drawn = Array.from({ length: 3000 }, (_, j) => text(source(plan).requestFor(key(0, j))));
  for (const line of ["one", "two", "three"]) {
    const count = drawn.filter((one) => one === line).length;
    assert.ok(Math.abs(count - 1000) < 4 * Math.sqrt(3000 * (2 / 9)), `${line}: ${count} of 3000`);
  }
});

const MIXTURE = {
  kind: "mixture",
  of: [
    { weight: 3, name: "chat", inputTokens: 20, outputTokens: 10 },
    { weight: 1, inputTokens: 200, outputTokens: 90, images: { count: 2, size: "64x32" }, ignoreEos: false },
    { ...FILE, weight: 1 },
  ],
} as const satisfies PlanInput["workload"];

test("a mixture's members come by their weights, each with its own lengths", () => {
  const requests = source(planOf(MIXTURE));
  const drawn = Array.from({ length: 5000 }, (_, user) => requests.requestFor(key(user)));
  for (const [member, expected] of [3000, 1000, 1000].entries()) {
    const own = drawn.filter((one) => one.member === member);
    const sd = Math.sqrt((expected * (5000 - expected)) / 5000);
    assert.ok(Math.abs(own.length - expected) < 4 * sd, `member ${member}: ${own.length} of 5000`);
  }
  for (const { member, promptTokens, outputTokens, images, ignoreEos } of drawn) {
    if (member === 0)
      assert.deepEqual([promptTokens, outputTokens, images.length, ignoreEos], [20, 10, 0, true]);
    if (member === 1)
      assert.deepEqual([promptTokens, outputTokens, images.length, ignoreEos], [200, 90, 2, false]);
    if (member === 2) assert.equal(promptTokens, null);
  }
});

test("members have names and shares; a plan that is no mixture has one", () => {
  const plan = planOf(MIXTURE);
  assert.deepEqual(
    workloadMembers(plan).map(({ name, share }) => [name, share]),
    [
      ["chat", 0.6],
      ["synthetic-text-2", 0.2],
      ["dataset-3", 0.2],
    ],
  );
  assert.deepEqual(
    workloadMembers(planOf({})).map(({ name, share }) => [name, share]),
    [["synthetic-text", 1]],
  );
  assert.equal(meanOutputTokens(plan), 0.6 * 10 + 0.2 * 90 + 0.2 * 128);
  assert.deepEqual(longestAsked(plan), { prompt: null, output: null });
  assert.deepEqual(longestAsked(planOf({})), { prompt: 512, output: 128 });
  assert.equal(hasOnlyUniquePrompts(plan), true);
  assert.equal(hasOnlyUniquePrompts(planOf({ ...FILE, prompts: "as-is" })), false);
});

test("identical prompts of two members are two prompts", () => {
  const same = { weight: 1, prompts: "identical", inputTokens: 30 } as const;
  const requests = source(planOf({ kind: "mixture", of: [same, same] }));
  const drawn = Array.from({ length: 50 }, (_, user) => requests.requestFor(key(user)));
  const prompts = (member: number) => new Set(drawn.filter((one) => one.member === member).map(text));
  assert.deepEqual([prompts(0).size, prompts(1).size], [1, 1]);
  assert.notDeepEqual(prompts(0), prompts(1));
});

test("unique images differ by request, image and salt; identical ones by their place in a request alone", () => {
  const images = { count: 2, size: "64x64" } as const;
  const states = (content: "unique" | "identical", salt: string, user: number) =>
    source(planOf({ images: { ...images, content } }), salt)
      .requestFor(key(user))
      .images.map(({ state }) => state.join());
  const unique = [...states("unique", "a", 0), ...states("unique", "a", 1), ...states("unique", "b", 0)];
  assert.equal(new Set(unique).size, 6);
  const identical = [...states("identical", "a", 0), ...states("identical", "b", 7)];
  assert.equal(new Set(identical).size, 2);
});

test("image counts and sizes have their distributions", () => {
  const plan = planOf({
    images: {
      count: { kind: "uniform", min: 1, max: 3 },
      size: [
        { size: "32x16", weight: 3 },
        { size: "8x64", weight: 1 },
      ],
    },
  });
  const requests = source(plan);
  const drawn = Array.from({ length: 2000 }, (_, user) => requests.requestFor(key(user)).images);
  for (const count of [1, 2, 3]) {
    const share = drawn.filter(({ length }) => length === count).length / 2000;
    assert.ok(Math.abs(share - 1 / 3) < 4 * Math.sqrt(2 / 9 / 2000), `${count}: ${share}`);
  }
  const all = drawn.flat();
  const wide = all.filter(({ width, height }) => width === 32 && height === 16).length / all.length;
  assert.ok(Math.abs(wide - 0.75) < 4 * Math.sqrt(0.1875 / all.length), `${wide} of ${all.length}`);
  assert.ok(all.every(({ width }) => width === 32 || width === 8));
});

const changes: Readonly<Record<string, (plan: typeof MIXTURE) => NonNullable<PlanInput["workload"]>>> = {
  "a weight": (plan) => ({ ...plan, of: [{ ...plan.of[0], weight: 1 }, plan.of[1], plan.of[2]] }),
  "the size of images": (plan) => ({
    ...plan,
    of: [plan.of[0], { ...plan.of[1], images: { count: 2, size: "64x33" } }, plan.of[2]],
  }),
  "their number": (plan) => ({
    ...plan,
    of: [plan.of[0], { ...plan.of[1], images: { count: 3, size: "64x32" } }, plan.of[2]],
  }),
  "the order of a file's lines": (plan) => ({
    ...plan,
    of: [plan.of[0], plan.of[1], { ...plan.of[2], order: "random" as const }],
  }),
};
const digest = (plan: ReturnType<typeof planOf>, text = LINES) =>
  walkDigest(plan, { salt: "s", calibration: NO_CALIBRATION, dataSets: dataSets(plan, text) });

for (const [what, change] of Object.entries(changes)) {
  test(`a digest changes with ${what}`, () =>
    assert.notEqual(digest(planOf(change(MIXTURE))), digest(planOf(MIXTURE))));
}

test("agents with unequal files have unequal digests, and with equal ones equal digests", () => {
  const plan = planOf(FILE);
  assert.equal(digest(plan), digest(plan));
  assert.notEqual(digest(plan, LINES.replace("two", "2wo")), digest(plan));
  assert.notEqual(digest(plan, LINES.replace("three", "3")), digest(plan));
});
