// Whether anything grows: 1,000 users for a quarter of an hour by the real `run` (simulator, nats-server, coordinator, agent
// processes), RSS of each process and schedule lag of each agent every 10 s, and once a minute what is left of each heap
// after it was collected whole (lib/live-heap.mjs). nats-server has no such heap: there RSS alone is judged.
//
//   node benchmarks/soak.mjs [--minutes 15] [--users 1000] [--processes 4] [--accept]
//
// A line is laid through the samples after the first quarter (heaps fill up to their size at first), by the median of the
// slopes between all pairs. Exits with 1 where RSS or the live heap of a process would grow by more than 10 % of its RSS
// (or 16 MiB, if that is more) in the time of the run, or an agent's schedule lag p99 by more than 1 ms.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { accept, load, median } from "./lib/figures.mjs";
import { descendants, nameOf, rssBytes } from "./lib/processes.mjs";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "15" },
    users: { type: "string", default: "1000" },
    processes: { type: "string", default: "4" },
    accept: { type: "boolean", default: false },
  },
});
const SAMPLE_MS = 10_000;
const SETTLING_SHARE = 0.25;
const MAX_GROWTH_SHARE = 0.1;
const MAX_GROWTH_BYTES = 16 * 2 ** 20;
const MAX_LAG_GROWTH_US = 1000;
const minutes = Number(values.minutes);
const cli = fileURLToPath(new URL("../packages/cli/bin/tokenstorm.mjs", import.meta.url));

const scratch = mkdtempSync(join(tmpdir(), "soak-"));
const out = join(scratch, "runs");
const heaps = join(scratch, "heaps");
mkdirSync(heaps);
const preload = new URL("lib/live-heap.mjs", import.meta.url).href;
const simulator = start(
  "simulate",
  "--port",
  "0",
  "--profile",
  "deepseek-v3.2",
  "--data-parallel-size",
  "4",
  "--json",
);
const { url } = JSON.parse(await firstLine(simulator));
const length = `${Math.round(minutes * 60)}s`;
const plan = [
  "--target",
  url,
  "--users",
  values.users,
  "--duration",
  length,
  "--processes",
  values.processes,
];
const run = start("run", ...plan, "--ui", "none", "--json", "--out", out);
const series = new Map();
const sampler = setInterval(sample, SAMPLE_MS);
run.stdout.resume();
const code = await new Promise((resolve) => run.once("exit", resolve));
clearInterval(sampler);
simulator.kill("SIGTERM");
report();
rmSync(scratch, { recursive: true });

function start(...words) {
  const child = spawn(process.execPath, [cli, ...words], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_OPTIONS: `--import=${preload}`, LIVE_HEAP_FOLDER: heaps },
  });
  process.once("exit", () => child.kill("SIGTERM"));
  return child;
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (status) => reject(new Error(`the simulator ended with code ${status}`)));
  });
}

function sample() {
  for (const pid of [simulator.pid, run.pid, ...descendants(run.pid)]) {
    const bytes = rssBytes(pid);
    if (bytes === null) continue;
    const name = `${nameOf(pid)} ${pid}`;
    if (!series.has(name)) series.set(name, []);
    series.get(name).push(bytes);
  }
}

/** By agent, of each tenth interval: what it said itself. */
function lags() {
  const byAgent = new Map();
  const [directory] = readdirSync(out);
  for (const line of readFileSync(join(out, directory, "snapshots.ndjson"), "utf8")
    .trimEnd()
    .split("\n")) {
    const { kind, agent, seq, vitals } = JSON.parse(line);
    if (kind !== "snapshot" || seq % (SAMPLE_MS / 1000) !== 0) continue;
    if (!byAgent.has(agent)) byAgent.set(agent, []);
    byAgent.get(agent).push(vitals.scheduleLagP99Us);
  }
  return byAgent;
}

function report() {
  console.log(
    `${values.users} users, ${minutes} minutes, ${values.processes} agents, load ${load()}; run ended with ${code}`,
  );
  // A verdict that the host spoilt (110) is no leak; anything else that is not 0 is a run that did not happen.
  if (code !== 0 && code !== 110) process.exitCode = 1;
  const figures = {};
  for (const [name, samples] of series) {
    const size = median(samples);
    const growth = growthOf(samples);
    const limit = Math.max(size * MAX_GROWTH_SHARE, MAX_GROWTH_BYTES);
    const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
    const text = `${name}: RSS ${mib(size)} MiB, grows by ${mib(growth)} (at most ${mib(limit)})`;
    // What grows at the target is shown, and is no fault of the load generator.
    const judge = name.startsWith("simulate ") ? (_holds, words) => console.log(`     ${words}`) : check;
    judge(growth <= limit, text);
    const live = liveBytes(name);
    if (live.length > 0) {
      const words = `${name}: live heap ${mib(median(live))} MiB, grows by ${mib(growthOf(live))} (at most ${mib(limit)})`;
      judge(growthOf(live) <= limit, words);
    }
    const alike = Object.keys(figures).filter((one) => one.startsWith(name.replace(/\d+$/, ""))).length;
    figures[name.replace(/\d+$/, String(alike + 1))] = {
      rssBytes: Math.round(size),
      growthBytes: Math.round(growth),
      ...(live.length > 0 && { liveBytes: median(live), liveGrowthBytes: Math.round(growthOf(live)) }),
    };
  }
  for (const [agent, samples] of lags()) {
    const growth = growthOf(samples);
    check(
      growth <= MAX_LAG_GROWTH_US,
      `${agent}: schedule lag p99 ${median(samples)} us (median), grows by ${Math.round(growth)} us (at most ${MAX_LAG_GROWTH_US})`,
    );
  }
  if (values.accept) accept("soak", { [`${values.users} users, ${minutes} minutes`]: figures });
}

/** Of a process, after each full collection; none where it is no Node. */
function liveBytes(name) {
  const file = join(heaps, `${name.split(" ").at(-1)}.ndjson`);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line).liveBytes);
}

/** In the time of the whole run, by the median of all slopes. */
function growthOf(samples) {
  const settled = samples.slice(Math.floor(samples.length * SETTLING_SHARE));
  const slopes = settled.flatMap((one, i) => settled.slice(i + 1).map((other, j) => (other - one) / (j + 1)));
  return slopes.length === 0 ? Number.NaN : median(slopes) * samples.length;
}

function check(holds, text) {
  if (!holds) process.exitCode = 1;
  console.log(`${holds ? "ok  " : "MISS"} ${text}`);
}
