// Clusters in virtual time from many seeds: node scripts/sim.mjs [--seeds 2000] [--from 1] [--seed N]
// The first failure names its seed, what happened in it, and what the processes said. Build first: npx tsc -b.
import { parseArgs } from "node:util";
import { CoverageSum, runSeed } from "../test/dist/sim/run-seeds.js";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    "keep-going": { type: "boolean", default: false },
  },
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const sum = new CoverageSum();
const failed = [];
const began = Date.now();
for (let seed = from; seed < from + count; seed += 1) {
  try {
    sum.add(await runSeed(seed));
  } catch (error) {
    failed.push(seed);
    console.error(values["keep-going"] ? error.message.split("\n")[0] : error.message);
    if (!values["keep-going"]) break;
  }
}
const seconds = ((Date.now() - began) / 1000).toFixed(1);
console.log(
  `${count} seeds from ${from} in ${seconds} s: ${failed.length} failed${failed.length > 0 ? ` (${failed.join(" ")})` : ""}`,
);
console.log(`covered: ${sum.text()}`);
if (count > 1 && sum.never().length > 0) console.log(`never: ${sum.never().join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
