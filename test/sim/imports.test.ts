import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../sim", import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
const IMPORT = /^import\s+(type )?([\s\S]*?) from "(@tokenstorm\/[a-z/]+)";$/gm;

/** `import "x"`, `import ... from "x"`, `export ... from "x"`: what is named; and how each begins. */
const STATIC = /^(?:import\b(?:[^;"'`(]*?\bfrom)?|export\b[^;="'`(]*?\bfrom)\s*(["'])([^"']+)\1/gm;
const STATEMENT = /^(?:import\b(?!\s*[(.])|export\s*(?:type\s*)?[*{])/gm;
/** At run time, of a name that stands there. */
const DYNAMIC = /\b(?:import|require)\s*\(\s*(["'`])([^"'`]+)\1\s*\)/g;
const CALL = /\b(?:import|require)\s*\(/g;

const PACKAGES = ["core", "protocol", "testkit", "agent", "coordinator"].map((name) => `@tokenstorm/${name}`);

/** What is imported as a value, by package; types vanish. */
function valuesOf(name: string): readonly string[] {
  return files
    .flatMap(({ text }) => [...text.matchAll(IMPORT)])
    .filter(([, isType, , from]) => isType === undefined && from === name)
    .flatMap(([, , what = ""]) => what.replace(/[{}]/g, "").split(","))
    .map((word) => word.trim())
    .filter((word) => word !== "" && !word.startsWith("type "));
}

test("simulated clusters are built from createAgent and createCoordinator, and nothing else of those packages", () => {
  assert.deepEqual(valuesOf("@tokenstorm/agent"), ["createAgent"]);
  assert.deepEqual(valuesOf("@tokenstorm/coordinator"), ["createCoordinator"]);
});

test("simulated clusters reach nothing but their own files, node, and five packages by their exact names", () => {
  const count = (text: string, what: RegExp) => [...text.matchAll(what)].length;
  for (const { name, text } of files) {
    assert.equal(
      count(text, STATIC),
      count(text, STATEMENT),
      `${name}: an import that this test cannot read`,
    );
    assert.equal(count(text, DYNAMIC), count(text, CALL), `${name}: an import that names nothing`);
    const named = [STATIC, DYNAMIC]
      .flatMap((what) => [...text.matchAll(what)])
      .map(([, , from = ""]) => from);
    const others = named.filter((from) => !/^(\.\/|node:)/.test(from) && !PACKAGES.includes(from));
    assert.deepEqual(others, [], `${name} imports what whole clusters must not be built from`);
  }
});
