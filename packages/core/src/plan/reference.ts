import { PLAN_DEFAULTS } from "./defaults.js";
import { RUN_FLAGS } from "./flags.js";
import { alternatives, childOf, type JsonSchema, sharedPlanJsonSchema } from "./json-schema.js";
import { PLAN_VERSION } from "./parse-plan.js";
import { formatDurationMs } from "./schema-parts.js";

/** docs/plan.md: every key of a plan, from the same schema that checks one. */
export function planReference(): string {
  const schema = sharedPlanJsonSchema();
  return `${[INTRODUCTION, ...sections("", schema), LENGTHS, flagSection(), defaultsSection()].join("\n\n")}\n`;
}

const INTRODUCTION = `# The plan

<!-- Written by scripts/generate-docs.mjs from the plan's schema: change packages/core/src/plan, then run it. -->

A plan is YAML or JSON. It says what is loaded, with what, how much, and what the result must meet. An unknown key is a
problem, and \`tokenstorm validate plan.yaml\` names every problem at once. [plan.schema.json](plan.schema.json) is the
same as a JSON Schema: with \`# yaml-language-server: $schema=docs/plan.schema.json\` in its first line an editor checks
a plan while it is written. Plans to start from are in [plans/](../plans).

The least that makes a plan:

\`\`\`yaml
version: ${PLAN_VERSION}
target:
  urls: [http://127.0.0.1:8000]
load:
  kind: users
  stages:
    - { users: 10, durationMs: 1m }
\`\`\`

A *duration* is a whole number of milliseconds or a text: \`500ms\`, \`30s\`, \`1.5m\`, \`2h\`. A *length* is a number of
tokens or a distribution, see [Lengths](#lengths). Secrets never stand in a plan: it names a variable or a file on the agents.`;

const LENGTHS = `## Lengths

| written as | on the command line | means |
|---|---|---|
| \`512\` | \`512\` | always 512 |
| \`{ kind: fixed, tokens: 512 }\` | | the same |
| \`{ kind: uniform, min: 100, max: 500 }\` | \`uniform:100-500\` | every length from 100 to 500 is as likely |
| \`{ kind: normal, mean: 512, sd: 64, min: 300, max: 700 }\` | \`normal:512,64\` | rounded; beyond min or max it is min or max. Both may be left out |
| \`{ kind: lognormal, median: 512, sigma: 0.5, min: 16, max: 4096 }\` | \`lognormal:512,0.5\` | e^(ln 512 + 0.5 z), z standard normal; min and max as above |

Lengths are drawn from the seed and the request's key: the same plan asks for the same lengths whatever the number of
agents, and whatever the salt.`;

/** The keys of an object as a section, then those of the objects within; `isSkipped` leaves out what stands elsewhere. */
export function sections(path: string, node: JsonSchema, isSkipped: IsSkipped = () => false): string[] {
  if (isSkipped(path)) return [];
  const options = alternatives(node).filter((option) => option.properties !== undefined);
  if (options.length > 1) {
    return options.flatMap((option) => sectionOf(path, option, { kind: kindOf(option), isSkipped }));
  }
  return sectionOf(path, options[0] ?? node, { kind: undefined, isSkipped });
}

type IsSkipped = (path: string) => boolean;

function sectionOf(
  path: string,
  node: JsonSchema,
  { kind, isSkipped }: { readonly kind: string | undefined; readonly isSkipped: IsSkipped },
): string[] {
  const keys = Object.keys(node.properties ?? {});
  const title = `${path === "" ? "Top level" : `\`${path}\``}${kind === undefined ? "" : `, kind: ${kind}`}`;
  const words = childOf(node, "kind")?.description;
  const rows = keys.map((key) => row(key, childOf(node, key) ?? {}, node.required?.includes(key) === true));
  const table = [
    "| key | type | unit | default | meaning | example |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
  const text = [`## ${title}`, ...(kind === undefined || words === undefined ? [] : [words]), table].join(
    "\n\n",
  );
  return [
    text,
    ...keys.flatMap((key) =>
      sectionsWithin(`${path === "" ? "" : `${path}.`}${key}`, childOf(node, key), isSkipped),
    ),
  ];
}

function sectionsWithin(path: string, node: JsonSchema | undefined, isSkipped: IsSkipped): string[] {
  if (node === undefined || isLength(node)) return [];
  const items = childOf(node, 0);
  if (node.type === "array" && items !== undefined) return sectionsWithin(`${path}[]`, items, isSkipped);
  const isObject = alternatives(node).some((option) => option.properties !== undefined);
  return isObject ? sections(path, node, isSkipped) : [];
}

function row(key: string, node: JsonSchema, isRequired: boolean): string {
  const unit = node["x-unit"];
  const cells = [
    `\`${key}\``,
    typeText(node),
    typeof unit === "string" ? unit : "",
    isRequired ? "*required*" : defaultText(key, node),
    node.description ?? "",
    node.examples?.[0] === undefined ? "" : `\`${yamlFlow(node.examples[0])}\``,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function typeText(node: JsonSchema): string {
  if (isLength(node)) return "length";
  if (isDuration(node)) return "duration";
  const options = alternatives(node);
  if (options.length > 1) return `object, ${options.map((option) => `\`${kindOf(option)}\``).join(" or ")}`;
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(", ");
  const items = childOf(node, 0);
  if (node.type === "array" && items !== undefined) return `list of ${typeText(items)}`;
  if (node.type === "object") return node.properties === undefined ? "object of texts" : "object";
  if (node.type === "integer" || node.type === "number") return numberText(node);
  return node.type === "boolean" ? "true, false" : "text";
}

function numberText({ type, minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  const name = type === "integer" ? "whole number" : "number";
  if (exclusiveMinimum !== undefined) return `${name} > ${exclusiveMinimum}`;
  return `${name}${minimum === undefined ? "" : `, ${minimum}`}${maximum === undefined ? "" : ` to ${maximum}`}`;
}

function defaultText(key: string, node: JsonSchema): string {
  const { default: value } = node;
  if (value === undefined) return "";
  if (node.properties !== undefined) return "see below";
  if (typeof value === "number" && key.endsWith("Ms")) return `\`${formatDurationMs(value)}\``;
  return `\`${yamlFlow(value)}\``;
}

function isLength(node: JsonSchema): boolean {
  return node.anyOf?.some((option) => option.oneOf !== undefined) === true;
}

function isDuration(node: JsonSchema): boolean {
  return typeof node["x-unit"] === "string" && node["x-unit"].startsWith("ms, or");
}

function kindOf(node: JsonSchema): string {
  return String(childOf(node, "kind")?.const);
}

/** A value in YAML's flow style, on one line. */
function yamlFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(yamlFlow).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return `{ ${Object.entries(value)
    .map(([key, part]) => `${key}: ${yamlFlow(part)}`)
    .join(", ")} }`;
}

function flagSection(): string {
  const rows = RUN_FLAGS.map(
    ({ flag, placeholder, key, help }) =>
      `| \`${flag}${placeholder === null ? "" : ` ${placeholder}`}\` | ${key === "" ? "any key" : `\`${key}\``} | ${help} |`,
  );
  return [
    "## Flags of `run`",
    "Every flag is a key of the plan; with a plan file the flags win. `--print-plan` shows the plan that they make.",
    [
      "| flag | key | |",
      "|---|---|---|",
      "| `--target <url>` | `target.urls` | server to load (may be repeated) |",
      ...rows,
    ].join("\n"),
  ].join("\n\n");
}

function defaultsSection(): string {
  const rows = flattened("", PLAN_DEFAULTS).map(([key, value]) => `| \`${key}\` | \`${value}\` |`);
  return [
    "## Defaults",
    "All of them, as they stand in `packages/core/src/plan/defaults.ts`. `stage` are those of a stage of users; `flags`\n" +
      "are what `run --target URL` does without `--users`, `--rps`, `--duration` and `--requests`.",
    ["| default | value |", "|---|---|", ...rows].join("\n"),
  ].join("\n\n");
}

function flattened(path: string, value: object): [string, string][] {
  return Object.entries(value).flatMap(([key, part]: [string, unknown]) => {
    const name = path === "" ? key : `${path}.${key}`;
    return typeof part === "object" && part !== null ? flattened(name, part) : [[name, String(part)]];
  });
}
