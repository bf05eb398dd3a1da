// Does a green interval mean good stamps? Agents beside a busy process, stopped now and then, against the simulator's
// own stamps just before each write: same host, same clock.
//
//   node benchmarks/verdict-against-truth.mjs [--seconds 75] [--agents 2] [--seed N] [--reader undici|raw] [--out FILE]
//   node benchmarks/verdict-against-truth.mjs --judge FILE     judges what an earlier --out kept by the rules of today
//
// Simulator, NATS and coordinator run on core 0, agents on core 1 and there the hog, in phases of some seconds: quiet,
// hog, stops (SIGSTOP for 20 to 300 ms), both. For each interval of each agent the true stamp error is the agent's stamp
// of an event less the stamp of its write, over the events that the agent stamped in it. The rule, with f = median ITL of
// the level / 20 ms within 0.5 and 4: of intervals with a p90 error > 3f ms at least 95 % are not green, and none with
// > 10f ms is. Exit codes: 0 it holds, 1 it does not, 3 it could not be tried (the last line says why).
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { confusion, matrixText } from "./verdict/confusion.mjs";
import { gatherEvidence, NotTried } from "./verdict/gather-evidence.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "75" },
    agents: { type: "string", default: "2" },
    seed: { type: "string" },
    reader: { type: "string", default: "undici" },
    out: { type: "string" },
    judge: { type: "string" },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));

try {
  const evidence =
    values.judge === undefined
      ? await gatherEvidence({
          seconds: Number(values.seconds),
          agents: Number(values.agents),
          reader: values.reader,
          seed,
        })
      : JSON.parse(readFileSync(values.judge, "utf8"));
  const found = confusion(evidence);
  const text = matrixText(evidence, found);
  if (values.out !== undefined) {
    writeFileSync(values.out, JSON.stringify({ ...evidence, matrix: found.matrix, text: text.split("\n") }));
  }
  console.log(text);
  process.exitCode = found.problems.length > 0 ? 1 : 0;
  if (found.problems.length === 0 && found.bad < 5) {
    console.log(`SKIPPED: only ${found.bad} intervals had an error over 3f ms: too few to try the rule`);
    process.exitCode = 3;
  }
} catch (error) {
  if (!(error instanceof NotTried)) throw error;
  console.log(`SKIPPED: the verdict against the truth was not tried: ${error.message}`);
  process.exitCode = 3;
}
