// The reference study in virtual time, every published row beside ours: node scripts/study-virtual.mjs [--json FILE]
// Prints Markdown. The whole client runs, from the submitted plan to the report, before the simulator's engine; nothing
// is random and nothing depends on this machine. Build first: npx tsc -b
import { writeFileSync } from "node:fs";
import { runStudy, studyMarkdown } from "../test/dist/study/study-table.js";

const words = process.argv.slice(2);
const jsonAt = words.indexOf("--json");
if ((jsonAt < 0 && words.length > 0) || (jsonAt >= 0 && (jsonAt !== 0 || words.length !== 2))) {
  console.error("usage: node scripts/study-virtual.mjs [--json FILE]");
  process.exit(2);
}
const started = performance.now();
const result = await runStudy((text) => console.error(text));
const { user, system } = process.cpuUsage();
if (jsonAt >= 0) writeFileSync(words[1], `${JSON.stringify(result, null, 1)}\n`);
console.log(studyMarkdown(result));
console.error(
  `took ${((performance.now() - started) / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU`,
);
