// Makes the report page's template, one file with its script and style in it: node scripts/build-page.mjs
// After tsc -b. The same sources give the same bytes. Takes a tenth of a second.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "packages/dashboard");

/** Text of the template. Throws where a part is missing, or more than the page's own code would come into it. */
export async function pageTemplate() {
  const [script, style] = await Promise.all([
    bundled("dist/main.js", { format: "iife", target: "es2022", charset: "utf8" }),
    bundled("src/style.css", { target: ["chrome111", "firefox115", "safari16.4"] }),
  ]);
  const page = readFileSync(join(folder, "src/page.html"), "utf8");
  return place(place(page, "/*STYLE*/", style), "/*SCRIPT*/", script.replaceAll("</script", "<\\/script"));
}

async function bundled(entry, options) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [join("packages/dashboard", entry)],
    bundle: true,
    minify: true,
    write: false,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
    ...options,
  });
  // Whose code a page carries, that one's licence it must carry as well: it is ours alone.
  const foreign = Object.keys(metafile.inputs).filter((file) => file.includes("node_modules/"));
  if (foreign.length > 0) throw new Error(`the page would carry ${foreign[0]}: give it its licence first`);
  return outputFiles[0].text.trim();
}

/** Not by a pattern: `$&` in a script would be read as one. */
function place(text, mark, content) {
  const parts = text.split(mark);
  if (parts.length !== 2) throw new Error(`page.html has ${mark} ${parts.length - 1} times`);
  return parts.join(content);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = await pageTemplate();
  const out = join(folder, "dist/page.html");
  mkdirSync(join(folder, "dist"), { recursive: true });
  writeFileSync(out, text);
  console.error(`${out}: ${(Buffer.byteLength(text) / 1e3).toFixed(0)} KB`);
}
