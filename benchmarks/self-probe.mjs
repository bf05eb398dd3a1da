// What the self-probe costs: CPU of an agent-like process with it and without it, in turn.
//
//   node benchmarks/self-probe.mjs [rounds=5] [seconds=4] [busyShare=0.3]
//
// The loop works in pieces of 1 ms for `busyShare` of the time, as one that reads answers does. CPU is that of the whole
// process, the probe's thread included.
import { createVitals } from "../packages/agent/dist/index.js";
import { systemClock } from "../packages/protocol/dist/index.js";

const [rounds = 5, seconds = 4, busyShare = 0.3] = process.argv.slice(2, 5).map(Number);
const vitals = createVitals({
  nowUs: systemClock().nowUs,
  onNoProbe: (why) => {
    throw new Error(`no self-probe: ${why}`);
  },
});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const without = [];
const withIt = [];
let last;
for (let round = 0; round < rounds; round += 1) {
  without.push(await coresUsed());
  vitals.beginProbe();
  await pause(1000);
  vitals.read();
  withIt.push(await coresUsed());
  last = vitals.read().selfProbe;
  vitals.endProbe();
  await pause(500);
}
vitals.close();
const costs = withIt.map((cores, i) => cores - without[i]);
const percent = (cores) => `${(cores * 100).toFixed(2)} %`;
console.log(
  `busy for ${percent(busyShare)} of the time, ${rounds} rounds of ${seconds} s: ${percent(median(without))} of a core without, ` +
    `${percent(median(withIt))} with: the probe costs ${percent(median(costs))} (rounds: ${costs.map(percent).join(", ")})`,
);
console.log(`the last interval: ${JSON.stringify({ ...last, buckets: undefined })}`);

async function coresUsed() {
  const from = process.cpuUsage();
  const startedMs = performance.now();
  while (performance.now() - startedMs < seconds * 1000) {
    // Work of a fixed amount, not of a fixed time: else a machine that is slow for a moment would hide the cost.
    if (busyShare > 0) burn();
    await pause(busyShare > 0 ? Math.max(1, 1 / busyShare - 1) : 100);
  }
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1e3 / (performance.now() - startedMs);
}

/** About a millisecond of work. */
function burn() {
  let sum = 0;
  for (let i = 0; i < 1_000_000; i += 1) sum += i;
  return sum;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
