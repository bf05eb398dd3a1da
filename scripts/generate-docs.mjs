// Writes what is said twice: docs/plan.md and docs/plan.schema.json from the plan's schema, docs/study-file.md and its schema
// from the study file's, the hours in docs/study.md from plans/study, docs/openapi.json from the API's
// routes, the tables in docs/http-api.md, docs/doctor.md and docs/conformance.md, docker/nats.conf and its copy in docker/kubernetes.yaml from the roles'
// permissions: node scripts/generate-docs.mjs [--check]
// With --check nothing is written, and a stale file is named with exit code 1. Needs a build.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { metricsTable, openApiDocument } from "../packages/api/dist/index.js";
import {
  conformanceTable,
  doctorRuleTable,
  planJsonSchema,
  planReference,
  studyJsonSchema,
  studyReference,
} from "../packages/core/dist/index.js";
import { natsConf, natsConfigMap } from "./nats-conf.mjs";
import { studyHours } from "./study-hours.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheck = process.argv.includes("--check");

const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

const files = {
  "docs/plan.md": planReference(),
  "docs/plan.schema.json": `${JSON.stringify(planJsonSchema(), null, 2)}\n`,
  "docs/study-file.md": studyReference(),
  "docs/study-file.schema.json": `${JSON.stringify(studyJsonSchema(), null, 2)}\n`,
  "docs/study.md": between(
    "docs/study.md",
    ["<!-- made by scripts/generate-docs.mjs: hours -->\n", "\n<!-- end -->"],
    await studyHours(`${root}plans/study`),
  ),
  "docs/openapi.json": `${JSON.stringify(openApiDocument({ version, isTokenNeeded: true }), null, 2)}\n`,
  "docs/http-api.md": between(
    "docs/http-api.md",
    ["<!-- made by scripts/generate-docs.mjs: metrics -->\n", "\n<!-- end -->"],
    metricsTable(),
  ),
  "docs/doctor.md": between(
    "docs/doctor.md",
    ["<!-- made by scripts/generate-docs.mjs: rules -->\n", "\n<!-- end -->"],
    doctorRuleTable(),
  ),
  "docs/conformance.md": between(
    "docs/conformance.md",
    ["<!-- made by scripts/generate-docs.mjs: checks -->\n", "\n<!-- end -->"],
    conformanceTable(),
  ),
  "docker/nats.conf": natsConf(),
  "docker/kubernetes.yaml": between(
    "docker/kubernetes.yaml",
    ["# made by scripts/generate-docs.mjs, as docker/nats.conf\n", "# end\n"],
    natsConfigMap(),
  ),
};

function contentOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The file with what stands between its two marks made anew. */
function between(name, [begin, end], content) {
  const text = contentOf(root + name);
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`${name} has lost its marks "${begin.trim()}" and "${end.trim()}"`);
  return text.slice(0, from) + begin + content + text.slice(to);
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
