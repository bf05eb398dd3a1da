import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const packages = fileURLToPath(new URL("../../../packages", import.meta.url));

/** Who may use whom, by package folder; what is not listed is forbidden. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  protocol: ["core"],
  agent: ["core", "protocol"],
  coordinator: ["core", "protocol"],
  report: ["core"],
  simulator: ["core"],
  api: ["core", "protocol", "report"],
  dashboard: ["core", "report"],
  testkit: ["core", "protocol"],
  cli: ["core", "protocol", "agent", "coordinator", "report", "dashboard", "simulator", "api"],
};

/** Outside packages, by package folder: its own heavy dependencies and no others. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  core: ["hdr-histogram-js", "zod"],
  protocol: [
    "@nats-io/jetstream",
    "@nats-io/kv",
    "@nats-io/obj",
    "@nats-io/nats-core",
    "@nats-io/transport-node",
    "msgpackr",
    "zod",
  ],
  agent: ["undici"],
  coordinator: [],
  report: [],
  dashboard: [],
  simulator: [],
  api: ["fastify", "zod"],
  testkit: ["testcontainers"],
  cli: ["commander", "pino", "yaml", "zod"],
};

const folderOf = (name: string): string | undefined =>
  name === "tokenstorm"
    ? "cli"
    : name.startsWith("@tokenstorm/")
      ? name.slice("@tokenstorm/".length)
      : undefined;

/** `a/b/c` of a scoped name is `a/b`; of a plain one, `a`. */
function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}

/** The formatter puts `from` and what it names at the end of a line of its own, or of the whole statement. */
const IMPORT = /^(?:import .*|export .*|\}) from "([^"]+)";$|^import "([^"]+)";$|\bimport\("([^"]+)"\)/gm;

function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

for (const [folder, allowed] of Object.entries(ARROWS)) {
  test(`${folder} depends only on what the design lets it depend on`, () => {
    const manifest: { dependencies?: Record<string, string> } = JSON.parse(
      readFileSync(join(packages, folder, "package.json"), "utf8"),
    );
    const declared = Object.keys(manifest.dependencies ?? {});
    for (const name of declared) {
      const inside = folderOf(name);
      if (inside === undefined) assert.ok(OUTSIDE[folder]?.includes(name), `${folder} declares ${name}`);
      else assert.ok(allowed.includes(inside), `${folder} declares ${name}`);
    }
    for (const file of sources(join(packages, folder, "src"))) {
      // Helpers of tests live in folders of their own.
      const isTest = file.endsWith(".test.ts") || file.includes("/testing/");
      for (const specifier of importsOf(file)) {
        if (specifier.startsWith(".")) continue;
        if (specifier.startsWith("node:")) {
          assert.ok(folder !== "core" || isTest, `${file} imports ${specifier}: core is pure`);
          continue;
        }
        const name = packageOf(specifier);
        const inside = folderOf(name);
        // Tests may use the testkit; nothing else may.
        if (inside === "testkit" && isTest) continue;
        if (inside === folder) assert.fail(`${file} imports its own package by name`);
        if (inside === undefined)
          assert.ok(declared.includes(name) || isTest, `${file} imports ${specifier}`);
        else assert.ok(allowed.includes(inside), `${file} imports ${specifier}`);
      }
    }
  });
}

test("the NATS client is imported in one directory only", () => {
  for (const folder of Object.keys(ARROWS)) {
    for (const file of sources(join(packages, folder, "src"))) {
      if (file.includes("/protocol/src/nats/")) continue;
      for (const specifier of importsOf(file)) {
        assert.ok(!specifier.startsWith("@nats-io/"), `${file} imports ${specifier}`);
      }
    }
  }
});

test("every package has an entry in the table of arrows", () => {
  assert.deepEqual(readdirSync(packages).sort(), Object.keys(ARROWS).sort());
});
