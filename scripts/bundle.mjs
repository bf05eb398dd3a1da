// Bundles the built packages and what they depend on into one ESM file: node scripts/bundle.mjs OUT (see bundle.sh).
// Nothing of the outcome depends on the folder, the time or the machine.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { pageTemplate } from "./build-page.mjs";
import { licenceComment } from "./bundled-licences.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [out] = process.argv.slice(2);
if (out === undefined) {
  console.error("usage: bundle.mjs OUT");
  process.exit(2);
}
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/**
 * Node's own modules are looked up when the module that imports them runs. As imports of the file they would all be
 * loaded at every start, and an old Node.js that lacks one of their names would fail before it could say that it is old.
 */
const builtinsWhenWanted = {
  name: "builtins-when-wanted",
  setup({ onResolve, onLoad }) {
    const names = new Set(builtinModules);
    onResolve({ filter: /^[a-z]/ }, ({ path }) =>
      path.startsWith("node:") || names.has(path) ? { path, namespace: "builtin" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `const found = process.getBuiltinModule(${JSON.stringify(path)});
if (found === undefined) throw new Error("this Node.js has no module " + ${JSON.stringify(path)});
module.exports = found;`,
      loader: "js",
    }));
  },
};

/** Its start for Node.js looks beside the file for an addon that reads strings faster; a single file has none. */
const withoutAddons = {
  name: "without-addons",
  setup({ onResolve }) {
    onResolve({ filter: /^msgpackr$/ }, () => ({ path: join(root, "node_modules/msgpackr/index.js") }));
  },
};

const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["packages/cli/bin/single-file.mjs"],
  write: false,
  outfile: "tokenstorm.mjs",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.18",
  // Their licences stand at the end, all of them.
  legalComments: "none",
  define: {
    TOKENSTORM_SINGLE_FILE_VERSION: JSON.stringify(version),
    TOKENSTORM_PAGE_TEMPLATE: JSON.stringify(await pageTemplate()),
  },
  plugins: [builtinsWhenWanted, withoutAddons],
  metafile: true,
  logLevel: "warning",
});
const head = `#!/usr/bin/env node\n// tokenstorm ${version}, Apache-2.0. The licences of the packages in it stand at its end.\n`;
const text = `${head}${outputFiles[0].text}${licenceComment(root, metafile)}`;
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, text);
chmodSync(out, 0o755);
console.error(`${out}: ${(Buffer.byteLength(text) / 1e6).toFixed(1)} MB`);
