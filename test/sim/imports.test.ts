import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../sim", import.meta.url));
const IMPORT = /^import (type )?([\s\S]*?) from "(@tokenstorm\/[a-z/]+)";$/gm;

/** What is imported as a value, by package; types vanish. */
function valuesOf(name: string): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [...readFileSync(join(folder, file), "utf8").matchAll(IMPORT)])
    .filter(([, isType, , from]) => isType === undefined && from === name)
    .flatMap(([, , what = ""]) => what.replace(/[{}]/g, "").split(","))
    .map((word) => word.trim())
    .filter((word) => word !== "" && !word.startsWith("type "));
}

test("simulated clusters are built from createAgent and createCoordinator, and nothing else of those packages", () => {
  assert.deepEqual(valuesOf("@tokenstorm/agent"), ["createAgent"]);
  assert.deepEqual(valuesOf("@tokenstorm/coordinator"), ["createCoordinator"]);
});
