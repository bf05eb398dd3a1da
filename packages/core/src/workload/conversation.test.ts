import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestKey } from "../load/keys.js";
import { parsePlan, requirePlan } from "../plan/parse-plan.js";
import type { PlanInput } from "../plan/schema.js";
import { NO_CALIBRATION } from "./calibration.js";
import { createWorkload } from "./workload.js";

const input = (workload: object, change: object = {}): unknown => ({
  version: 1,
  target: { urls: ["http://h:8000"] },
  workload: { kind: "conversation", ...workload },
  load: { kind: "users", stages: [{ users: 3, durationMs: 1000 }] },
  warmUp: { requests: 0 },
  ...change,
});
const source = (workload: object, salt = "s") =>
  createWorkload(requirePlan(input(workload)), { salt, calibration: NO_CALIBRATION });
const key = (user: number, j: number): RequestKey => ({ kind: "closed", stage: 0, user, j });

test("request j of a user is a turn of a conversation, and asks for all that was asked for before it", () => {
  const requests = source({ turns: 3, systemTokens: 50, inputTokens: 20, outputTokens: 7 });
  const asked = [0, 1, 2, 3, 4].map((j) => requests.requestFor(key(1, j)));
  assert.deepEqual(
    asked.map(({ turn, promptTokens }) => [turn?.conversation, turn?.turn, promptTokens]),
    [
      [0, 0, 70],
      [0, 1, 97],
      [0, 2, 124],
      [1, 0, 70],
      [1, 1, 97],
    ],
  );
  assert.equal(new Set(asked.map(({ turn }) => turn?.system)).size, 1, "one system message for all");
  assert.equal(asked[0]?.turn?.system.split(" ").length, 50);
});

test("drawn numbers of turns are the same in whatever order requests are asked for", () => {
  const workload = {
    turns: { kind: "uniform", min: 1, max: 6 },
    inputTokens: { kind: "uniform", min: 1, max: 9 },
  };
  const inOrder = source(workload);
  const keys = Array.from({ length: 80 }, (_, j) => key(2, j));
  const expected = keys.map((one) => inOrder.requestFor(one));
  const backwards = source(workload);
  assert.deepEqual(
    keys.toReversed().map((one) => backwards.requestFor(one)),
    expected.toReversed(),
  );
  const lengths = new Map<number, number>();
  for (const { turn } of expected.slice(0, 70))
    lengths.set(turn?.conversation ?? -1, (lengths.get(turn?.conversation ?? -1) ?? 0) + 1);
  assert.ok(Math.max(...lengths.values()) <= 6);
  assert.ok(new Set(lengths.values()).size > 3, [...lengths.values()].join());
});

test("conversations begin with words of the run's salt; what follows is the plan's", () => {
  const workload = { turns: 2, inputTokens: 30 };
  const text = (salt: string, j: number) => {
    const { prompt } = source(workload, salt).requestFor(key(0, j));
    assert.ok(prompt.kind === "text");
    return prompt.text.split(" ");
  };
  assert.notDeepEqual(text("a", 0).slice(0, 7), text("b", 0).slice(0, 7));
  assert.deepEqual(text("a", 0).slice(7), text("b", 0).slice(7));
  assert.deepEqual(text("a", 1), text("b", 1));
  assert.notDeepEqual(text("a", 1), text("a", 3));
});

const refused: Readonly<Record<string, readonly [unknown, RegExp]>> = {
  "an arrival rate": [
    input({}, { load: { kind: "arrival-rate", stages: [{ fromRps: 1, durationMs: 10 }] } }),
    /workload\.kind|only for load\.kind: users/,
  ],
  completions: [
    input({}, { target: { urls: ["http://h"], api: "openai-completions" } } satisfies Partial<PlanInput>),
    /openai-chat/,
  ],
  "turns the wrong way round": [
    input({ turns: { kind: "uniform", min: 5, max: 2 } }),
    /min 5 is greater than max 2/,
  ],
  "no turns": [input({ turns: 0 }), /turns/],
};

for (const [what, [plan, message]] of Object.entries(refused)) {
  test(`a conversation is refused with ${what}`, () => {
    const parsed = parsePlan(plan);
    assert.ok(!parsed.ok);
    assert.match(parsed.problems.map(({ path, message: text }) => `${path} ${text}`).join(), message);
  });
}
