import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

function testFiles(): string[] {
  return ["packages", "test"].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts") && !/(^|\/)(node_modules|dist)\//.test(name))
      .map((name) => `${top}/${name}`),
  );
}

test("each test that docs/reliability.md cites is there, and is the only one of that name", () => {
  const files = testFiles();
  const cited = readFileSync(join(root, "docs/reliability.md"), "utf8").match(
    /(?<=`)[\w/.-]+\.test\.ts(?=`)/g,
  );
  assert.ok(cited !== null && cited.length > 20, `${cited?.length} are cited`);
  for (const name of new Set(cited)) {
    const found = files.filter((file) => file === name || file.endsWith(`/${name}`));
    assert.equal(found.length, 1, `${name}: ${found.join(", ") || "no such file"}`);
  }
});
