// How long `tokenstorm report` takes for a run of 1,000,000 requests: 16 agents, 300 intervals, folded anew from its lines.
//
//   node benchmarks/report-million.mjs [--rounds 3] [--accept]
//
// Promised: within 2 s, from the command to the last line of the report. Exits with 1 where the median is above.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { resultToLine } from "../packages/protocol/dist/index.js";
import { accept, load, median } from "./lib/figures.mjs";
import { benchPlan, factsOf, recordAgent, shard } from "./lib/recorded.mjs";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, accept: { type: "boolean", default: false } },
});
const rounds = Number(values.rounds);
const AGENTS = 16;
const SECONDS = 300;
const REQUESTS_PER_S = 209;
const TOKENS = 4;
const MAX_MS = 2000;
const cli = fileURLToPath(new URL("../packages/cli/bin/tokenstorm.mjs", import.meta.url));

const directory = mkdtempSync(join(tmpdir(), "report-million-"));
process.once("exit", () => rmSync(directory, { recursive: true }));
const lines = writeRun();
const times = [];
let requests = 0;
for (let round = 0; round < rounds; round++) {
  const fromMs = performance.now();
  const run = spawnSync(process.execPath, [cli, "report", directory, "--json"], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  times.push(performance.now() - fromMs);
  if (run.status !== 0) throw new Error(run.stderr);
  requests = JSON.parse(run.stdout).stages[0].requests.completed;
}
const ms = median(times);
if (requests < 1e6) throw new Error(`the report tells of ${requests} requests`);
const holds = ms <= MAX_MS;
if (!holds) process.exitCode = 1;
console.log(
  `${holds ? "ok  " : "MISS"} report of ${requests} requests (${lines} lines): ${(ms / 1000).toFixed(2)} s, ` +
    `at most ${MAX_MS / 1000} s; ${rounds} rounds, load ${load()}`,
);
if (values.accept) accept("report-million", { report: { rounds, requests, lines, ms } });

function writeRun() {
  const plan = benchPlan({ users: REQUESTS_PER_S * AGENTS, seconds: SECONDS });
  const shards = Array.from({ length: AGENTS }, (_, index) => shard(index));
  const text = [];
  for (const { index } of shards) {
    const { snapshots, final } = recordAgent({
      plan,
      index,
      seconds: SECONDS,
      requestsPerS: REQUESTS_PER_S,
      tokens: TOKENS,
    });
    for (const snapshot of snapshots) text.push(resultToLine({ kind: "snapshot", snapshot }));
    text.push(resultToLine({ kind: "final", final }));
  }
  writeFileSync(join(directory, "snapshots.ndjson"), `${text.join("\n")}\n`);
  const facts = factsOf({ plan, shards, endUs: SECONDS * 1e6 });
  writeFileSync(join(directory, "run.json"), JSON.stringify({ schemaVersion: 1, facts }));
  return text.length;
}
