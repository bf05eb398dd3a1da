// Writes docs/plan.md and docs/plan.schema.json from the plan's schema, docs/openapi.json from the API's routes, and the
// table of metrics in docs/http-api.md: node scripts/generate-docs.mjs [--check]
// With --check nothing is written, and a stale file is named with exit code 1. Needs a build.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { metricsTable, openApiDocument } from "../packages/api/dist/index.js";
import { planJsonSchema, planReference } from "../packages/core/dist/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheck = process.argv.includes("--check");

const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

/** The page with what stands between its marks made anew. */
function withTable(name, table) {
  const [begin, end] = ["<!-- made by scripts/generate-docs.mjs: metrics -->\n", "\n<!-- end -->"];
  const page = contentOf(root + name);
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${name} has no place for its table`);
  return page.slice(0, from) + begin + table + page.slice(to);
}

const files = {
  "docs/plan.md": planReference(),
  "docs/plan.schema.json": `${JSON.stringify(planJsonSchema(), null, 2)}\n`,
  "docs/openapi.json": `${JSON.stringify(openApiDocument({ version, isTokenNeeded: true }), null, 2)}\n`,
  "docs/http-api.md": withTable("docs/http-api.md", metricsTable()),
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
    console.error(`error: ${name} is not what the code says; run node scripts/generate-docs.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(root + name, content);
    console.log(`wrote ${name}`);
  }
}
