// The licences that must travel with the single file: those of the packages that really are in it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A comment with each package's name, version, licence and notice, ordered by name. Throws for one without a licence. */
export function licenceComment(root, metafile) {
  const sections = packageFolders(metafile).map((folder) => section(root, folder));
  const lines = ["The packages in this file, and their licences.", ...sections.flat()];
  return `${lines.map((line) => `// ${line}`.trimEnd()).join("\n")}\n`;
}

/** `node_modules/a/node_modules/@b/c/d.js` is in `node_modules/a/node_modules/@b/c`; what lies elsewhere is our own. */
function packageFolders({ inputs }) {
  const folders = Object.keys(inputs).map(
    (file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0],
  );
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

function section(root, folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const files = readdirSync(join(root, folder))
    .filter((file) => /^(licen[cs]e|copying|notice)([.-]|$)/i.test(file))
    .sort();
  if (typeof license !== "string" && files.length === 0) throw new Error(`${folder} names no licence`);
  const texts = files.map((file) => readFileSync(join(root, folder, file), "utf8").trim());
  return [
    "",
    "-".repeat(80),
    `${name} ${version}: ${license}`,
    ...texts.flatMap((text) => ["", ...text.split(/\r?\n/)]),
  ];
}
