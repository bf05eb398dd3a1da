// Clusters in virtual time from many seeds: node scripts/sim.mjs [--seeds 2000] [--from 1] [--seed N] [--keep-going] [--each]
// A failure names its seed, the command that replays it, what happened in it, and what the processes said. --each tells what
// every seed covered. Build first: npx tsc -b.
import { parseArgs } from "node:util";
import { CoverageSum, textOf } from "../test/dist/sim/coverage.js";
import { runSeed } from "../test/dist/sim/run-seeds.js";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    "keep-going": { type: "boolean", default: false },
    each: { type: "boolean", default: false },
  },
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const sum = new CoverageSum();
const failed = [];
const began = Date.now();
for (let seed = from; seed < from + count; seed += 1) {
  try {
    const coverage = await runSeed(seed);
    sum.add(coverage);
    if (values.each || count === 1) console.log(`seed ${seed}: ${textOf(coverage)}`);
  } catch (error) {
    failed.push(seed);
    console.error(values["keep-going"] ? error.message.split("\n").slice(0, 2).join(" · ") : error.message);
    if (!values["keep-going"]) break;
  }
}
const seconds = ((Date.now() - began) / 1000).toFixed(1);
console.log(
  `${count} seeds from ${from} in ${seconds} s: ${failed.length} failed${failed.length > 0 ? ` (${failed.join(" ")})` : ""}`,
);
if (count > 1) {
  console.log(`covered: ${sum.text()}`);
  console.log(`never: ${sum.never().join(", ") || "nothing"}`);
}
process.exitCode = failed.length > 0 ? 1 : 0;
