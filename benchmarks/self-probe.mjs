// What the self-probe costs: CPU of an idle agent-like process with it and without it, in turn.
//
//   node benchmarks/self-probe.mjs [rounds=4] [seconds=4] [busy]
//
// CPU by the kernel's own count for each thread (Linux), so that the probe's thread stands alone. The loop-delay monitor,
// which wakes 1,000 times a second, is in both: what one of its wakes costs says how fast this machine is just now. An idle
// loop is the dearest case, for each probe wakes it; with `busy` the loop never sleeps, and the thread's cost alone is shown.
import { readdirSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { createVitals } from "../packages/agent/dist/index.js";
import { systemClock } from "../packages/protocol/dist/index.js";

const [rounds = 4, seconds = 4] = process.argv.slice(2, 4).map(Number);
const isBusy = process.argv[4] === "busy";
const vitals = createVitals({
  nowUs: systemClock().nowUs,
  onNoProbe: (why) => {
    throw new Error(`no self-probe: ${why}`);
  },
});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const own = String(process.pid);

const turn = () => setImmediate(turn).unref();
if (isBusy) turn();

const figures = { without: [], main: [], thread: [], wakeUs: [] };
for (let round = 0; round < rounds; round += 1) {
  const known = threads();
  const without = await usage(known);
  vitals.beginProbe();
  await pause(1500);
  const withIt = await usage(known);
  vitals.endProbe();
  await pause(300);
  figures.without.push(without.main);
  figures.wakeUs.push((without.main * 1e6) / without.wakesPerS);
  figures.main.push(withIt.main - without.main);
  figures.thread.push(withIt.others);
}
vitals.close();
const thread = median(figures.thread);
const total = median(figures.main) + thread;
console.log(
  isBusy
    ? `load ${loadavg()[0].toFixed(1)}, ${rounds} rounds of ${seconds} s, medians: the probe's thread ${percent(thread)} of a core beside a busy loop`
    : `load ${loadavg()[0].toFixed(1)}, ${rounds} rounds of ${seconds} s, medians: idle with the monitor ${percent(median(figures.without))} of a core ` +
        `(${median(figures.wakeUs).toFixed(0)} us a wake); the probe's thread ${percent(thread)}, waking for it and reading it ` +
        `${percent(median(figures.main))}, together ${percent(total)}: ${(total / median(figures.without)).toFixed(2)} of the monitor`,
);

/** Cores used by the main thread and by threads that are not among the known ones, and the main thread's wakes. */
async function usage(known) {
  const before = threads();
  const startedMs = performance.now();
  await pause(seconds * 1000);
  const ns = (performance.now() - startedMs) * 1e6;
  let main = 0;
  let others = 0;
  let wakes = 0;
  for (const [thread, [busyNs, , turns]] of threads()) {
    const [busyBefore = 0, , turnsBefore = 0] = before.get(thread) ?? [];
    if (thread === own) {
      main = (busyNs - busyBefore) / ns;
      wakes = turns - turnsBefore;
    } else if (!known.has(thread)) others += (busyNs - busyBefore) / ns;
  }
  return { main, others, wakesPerS: (wakes / ns) * 1e9 };
}

function threads() {
  const folder = "/proc/self/task";
  const read = (thread) => readFileSync(`${folder}/${thread}/schedstat`, "utf8").split(" ").map(Number);
  return new Map(readdirSync(folder).map((thread) => [thread, read(thread)]));
}

function percent(cores) {
  return `${(cores * 100).toFixed(2)} %`;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
