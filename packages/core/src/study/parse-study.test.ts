import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LoadError } from "../errors.js";
import { problemText } from "../plan/problem.js";
import { parseStudy, planFilesOf, requireStudy, studyJsonSchema } from "./parse-study.js";
import { studyReference } from "./study-reference.js";
import { aStudy, aSuite } from "./testing/a-study.js";

const file = (name: string) => readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), "utf8");

test("docs/study-file.md and docs/study-file.schema.json are what the schema says", () => {
  const remedy = "is stale: run node scripts/generate-docs.mjs";
  assert.equal(file("study-file.md"), studyReference(), `docs/study-file.md ${remedy}`);
  const schema = `${JSON.stringify(studyJsonSchema(), null, 2)}\n`;
  assert.equal(file("study-file.schema.json"), schema, `study-file.schema.json ${remedy}`);
});

function problemsOf(input: unknown, planFiles?: ReadonlyMap<string, unknown>): string[] {
  const parsed = parseStudy(input, planFiles);
  return parsed.ok ? [] : parsed.problems.map(problemText);
}

test("a study file that is right is taken, with its defaults", () => {
  const { file: study } = requireStudy(aStudy());
  assert.equal(study.repeats, 1);
  assert.equal(study.order, "sequential");
  assert.deepEqual(study.modes, { quick: 0.5, default: 1, thorough: 3 });
  assert.equal(study.conditions[0]?.hooks.kind, "none");
});

const wrong: readonly (readonly [string, unknown, RegExp])[] = [
  ["an empty file", null, /the study file is empty/],
  ["a list", [], /must be an object/],
  ["a plan", { version: 1, load: {} }, /this is a plan, not a study file/],
  ["another version", { ...aStudy(), version: 2 }, /version 2 is not supported/],
  [
    "an unknown key",
    { ...aStudy(), repeat: 5 },
    /^repeat: is no key of a study file \(did you mean repeats\?\)/,
  ],
  [
    "an unknown key of a suite's plan",
    aStudy({ suites: [{ ...aSuite(), plan: { load: { kind: "users", stages: [{ user: 1 }] } } } as never] }),
    /suites\[0\]\.plan\.load\.stages\[0\]\.user: is no key of a study file/,
  ],
  ["a suite without a plan", aStudy({ suites: [{ name: "x", phase: "ab" }] }), /suites\[0\]: has no plan/],
  [
    "both plan and planFile",
    aStudy({ suites: [aSuite({ planFile: "p.yaml" })] }),
    /suites\[0\]: has both plan and planFile/,
  ],
  [
    "a plan that no stage bounds",
    aStudy({ suites: [aSuite({ plan: { load: { kind: "users", stages: [{ users: 3 }] } } })] }),
    /suites\[0\]\.plan\.load\.stages\[0\]: has neither durationMs nor requests, under a/,
  ],
  [
    "a mode that leaves no stage",
    aStudy({ suites: [aSuite({ modes: { quick: { maxUsers: 5 } } })] }),
    /must have at least 1 entry, has 0, under a, mode quick/,
  ],
  [
    "a condition that is not there",
    aStudy({ suites: [aSuite({ conditions: ["a", "bb"] })] }),
    /suites\[0\]\.conditions\[1\]: "bb" is no condition: did you mean b\?/,
  ],
  [
    "a pair of one",
    aStudy({ suites: [aSuite({ pairs: [{ a: "a", b: "a" }] })] }),
    /pairs\[0\]: compares a with itself/,
  ],
  [
    "a name twice",
    aStudy({ suites: [aSuite(), aSuite()] }),
    /suites\[1\]\.name: "levels" is the name of suites\[0\] too/,
  ],
  [
    "hooks without a command",
    aStudy({ conditions: [{ ...aStudy().conditions[0], hooks: { kind: "command" } } as never] }),
    /conditions\[0\]\.hooks: has no command/,
  ],
  [
    "a place that is misspelt",
    aStudy({
      conditions: [
        { ...aStudy().conditions[0], hooks: { kind: "command", switch: ["x", "{timescale}"] } } as never,
      ],
    }),
    /hooks\.switch: \{timescale\} is not filled in \(did you mean \{timeScale\}\?\)/,
  ],
  [
    "series without published rows",
    aStudy({ suites: [aSuite({ published: { a: "multirun" } })] }),
    /names series, but the study pins no publishedRows/,
  ],
  [
    "too many runs",
    aStudy({ repeats: 1000, suites: Array.from({ length: 6 }, (_, i) => aSuite({ name: `s${i}` })) }),
    /has 12000 runs, more than 10000/,
  ],
];

for (const [what, input, says] of wrong) {
  test(`${what} is one clear problem`, () => {
    const problems = problemsOf(input);
    assert.ok(problems.length >= 1, "it was taken");
    assert.match(problems.join("\n"), says);
    assert.throws(
      () => requireStudy(input),
      (error) => error instanceof LoadError && error.code.startsWith("PLAN_"),
    );
  });
}

test("a plan of a file is checked with the target of the condition, and its problems name the suite", () => {
  const input = aStudy({ suites: [{ name: "x", phase: "ab", planFile: "p.yaml" }] });
  assert.deepEqual(planFilesOf(input), ["p.yaml"]);
  const plan = { version: 1, load: { kind: "users", stages: [{ users: 1, durationMs: "5s" }] } };
  assert.deepEqual(problemsOf(input, new Map([["p.yaml", plan]])), []);
  const [problem = ""] = problemsOf(input, new Map([["p.yaml", { ...plan, thresholds: ["fast"] }]]));
  assert.match(problem, /^suites\[0\]\.planFile\.thresholds\[0\]: .*under a/);
  assert.match(
    problemsOf(input).join(),
    /suites\[0\]\.planFile\.load/,
    "a file that was not read is a problem",
  );
});
