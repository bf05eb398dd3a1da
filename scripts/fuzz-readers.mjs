// Plays random answers to both readers until the time is over or they differ.
//
//   node scripts/fuzz-readers.mjs [--seconds 60] [--seed 1] [--count N]
//
// Every answer has a seed of its own, the first one --seed, and each after it one more. A difference is shrunk and
// printed with the command that replays it, and the exit code is 1. Answers are played on loopback, one at a time.
import { parseArgs } from "node:util";
import { randomAnswer } from "../packages/agent/dist/testing/random-answer.js";
import { shrinkAnswer } from "../packages/agent/dist/testing/shrink-answer.js";
import { TwoReaders } from "../packages/agent/dist/testing/two-readers.js";
import { seededRandom } from "../packages/testkit/dist/index.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "Infinity" },
  },
});
const first = Number(values.seed);
const endsAt = performance.now() + Number(values.seconds) * 1000;
const most = first + Number(values.count);

let seed = first;
// What no handler catches has a seed too: a reader that ends the process is worth knowing.
process.on("uncaughtException", (error) => {
  console.error(error);
  replay();
  process.exit(1);
});

const readers = await TwoReaders.start();
for (; seed < most && performance.now() < endsAt; seed++) {
  const answer = randomAnswer(seededRandom(seed));
  if ((await readers.difference(answer)) === null) continue;
  const small = await shrinkAnswer(
    answer,
    async (candidate) => (await readers.difference(candidate)) !== null,
  );
  console.error(`the readers differ; server ${small.end}, asked length ${small.exact}, writes:`);
  for (const write of small.writes) console.error(`  ${JSON.stringify(write.toString("latin1"))}`);
  console.error((await readers.difference(small)) ?? "(the second time they did not)");
  replay();
  process.exit(1);
}
await readers.close();
console.log(`${seed - first} random answers from seed ${first} on: no difference`);

function replay() {
  console.error(`replay: node scripts/fuzz-readers.mjs --seed ${seed} --count 1`);
}
