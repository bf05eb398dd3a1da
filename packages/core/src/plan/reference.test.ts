import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PLAN_DEFAULTS } from "./defaults.js";
import { RUN_FLAGS } from "./flags.js";
import { alternatives, childOf, type JsonSchema, planJsonSchema } from "./json-schema.js";
import { requirePlan } from "./parse-plan.js";
import { planReference } from "./reference.js";

const file = (name: string) => readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), "utf8");
const REMEDY = "is stale: run node scripts/generate-docs.mjs";

test("docs/plan.md and docs/plan.schema.json are what the schema says", () => {
  assert.equal(file("plan.md"), planReference(), `docs/plan.md ${REMEDY}`);
  assert.equal(
    file("plan.schema.json"),
    `${JSON.stringify(planJsonSchema(), null, 2)}\n`,
    `plan.schema.json ${REMEDY}`,
  );
});

/** Every key of the schema, with its node. */
function keys(node: JsonSchema, path = ""): [string, JsonSchema][] {
  return alternatives(node).flatMap((option) => {
    const items = childOf(option, 0);
    if (items !== undefined) return keys(items, `${path}[]`);
    return Object.keys(option.properties ?? {}).flatMap((key): [string, JsonSchema][] => {
      const child = childOf(option, key);
      return child === undefined ? [] : [[`${path}.${key}`, child], ...keys(child, `${path}.${key}`)];
    });
  });
}

test("every key has a meaning, and every duration a unit and an example", () => {
  for (const [path, node] of keys(planJsonSchema())) {
    // The parts of a length have a section of their own.
    if (/(input|output)Tokens\./.test(path)) continue;
    assert.ok((node.description ?? "").length > 5, `${path} has no meaning`);
    if (/Ms$/.test(path)) assert.ok(node.examples?.length === 1 && node["x-unit"] !== undefined, path);
  }
});

test("the schema's defaults are those of the table", () => {
  const plan = requirePlan({
    version: 1,
    target: { urls: ["http://h:8000"] },
    load: { kind: "users", stages: [{ users: 1, durationMs: 1000 }] },
  });
  const { agents, warmUp, timeouts, workload, seed, intervalMs, gracePeriodMs } = plan;
  assert.deepEqual(
    { agents, warmUp, timeouts, workload, seed, intervalMs, gracePeriodMs },
    {
      agents: PLAN_DEFAULTS.agents,
      warmUp: PLAN_DEFAULTS.warmUp,
      timeouts: PLAN_DEFAULTS.timeouts,
      workload: PLAN_DEFAULTS.workload,
      seed: PLAN_DEFAULTS.seed,
      intervalMs: PLAN_DEFAULTS.intervalMs,
      gracePeriodMs: PLAN_DEFAULTS.gracePeriodMs,
    },
  );
});

test("the reference has every flag and every top-level key", () => {
  const text = planReference();
  for (const { flag } of RUN_FLAGS) assert.ok(text.includes(`\`${flag}`), flag);
  for (const key of Object.keys(planJsonSchema().properties ?? {}))
    assert.ok(text.includes(`| \`${key}\` |`), key);
});
