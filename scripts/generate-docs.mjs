// Writes docs/plan.md and docs/plan.schema.json from the plan's schema: node scripts/generate-docs.mjs [--check]
// With --check nothing is written, and a stale file is named with exit code 1. Needs a build.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { planJsonSchema, planReference } from "../packages/core/dist/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheck = process.argv.includes("--check");

const files = {
  "docs/plan.md": planReference(),
  "docs/plan.schema.json": `${JSON.stringify(planJsonSchema(), null, 2)}\n`,
};

function contentOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

for (const [name, content] of Object.entries(files)) {
  if (contentOf(root + name) === content) continue;
  if (isCheck) {
    console.error(`error: ${name} is not what the schema says; run node scripts/generate-docs.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(root + name, content);
    console.log(`wrote ${name}`);
  }
}
