// The plans that `tokenstorm init --example NAME` writes, as a module: from plans/, so that both are the same.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const plans = fileURLToPath(new URL("../plans", import.meta.url));

/** Name of the example -> files that it needs beside it. */
const EXAMPLES = {
  images: [],
  dataset: ["data/questions.jsonl"],
  mixture: ["data/questions.jsonl"],
  "long-context": [],
  conversation: [],
  trace: ["data/made-up-trace.jsonl"],
  "open-loop": [],
  "prefix-cache": [],
};

export function examplePlans() {
  const read = (path) => readFileSync(`${plans}/${path}`, "utf8");
  const examples = Object.entries(EXAMPLES).map(([name, files]) => ({
    name,
    // An editor's line that names a place in this repository.
    text: read(`${name}.yaml`).replace(/^# yaml-language-server:.*\n/, ""),
    files: files.map((path) => ({ path, text: read(path) })),
  }));
  return `// Written by scripts/generate-docs.mjs from plans/: change it there.

export interface ExamplePlan {
  readonly name: string;
  readonly text: string;
  /** What it names, relative to its own folder. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

// biome-ignore format: made by a script.
export const EXAMPLE_PLANS: readonly ExamplePlan[] = ${JSON.stringify(examples, null, 2)};
`;
}
