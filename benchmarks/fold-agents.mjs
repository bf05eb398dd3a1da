// What 200 agents cost the coordinator: their snapshots of 1 s decoded, checked, folded, written to a run directory and
// synced, and the live message merged, by the coordinator's own code; only the network is left out.
//
//   node benchmarks/fold-agents.mjs [--agents 200] [--seconds 20] [--rounds 3] [--accept] [--smoke]
//
// Promised: at most half a core, and a cost that does not depend on the number of requests. The latter is asked by
// giving each agent 5 and 500 requests a second. Exits with 1 where the median round falls short.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DiskRoom } from "../packages/coordinator/dist/disk-room.js";
import { ResultFold } from "../packages/coordinator/dist/result-fold.js";
import { createRunDirectory } from "../packages/coordinator/dist/run-directory.js";
import { buildLiveUpdate, resolveStages } from "../packages/core/dist/index.js";
import { encodeSnapshot, systemClock } from "../packages/protocol/dist/index.js";
import { accept, load, median, medianOf } from "./lib/figures.mjs";
import { benchPlan, factsOf, recordAgent, shard } from "./lib/recorded.mjs";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "200" },
    seconds: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
    accept: { type: "boolean", default: false },
    smoke: { type: "boolean", default: false },
  },
});

const agents = values.smoke ? 5 : Number(values.agents);
const seconds = values.smoke ? 3 : Number(values.seconds);
const rounds = values.smoke ? 1 : Number(values.rounds);
const MAX_CORES = 0.5;
/** Twice the buckets may be hit, not a hundred times the work be done. */
const MAX_GROWTH = 2;
/** Books of so many agents are made; the others have copies of them under their own names. */
const DISTINCT = 4;
const TOKENS = 32;
const FEW = 5;
const MANY = 500;

const shards = Array.from({ length: agents }, (_, index) => shard(index));
const plan = benchPlan({ users: agents * 50, seconds });
const stages = resolveStages(plan);
const clock = systemClock();

const loads = [FEW, MANY].map((requestsPerS) => ({
  requestsPerS,
  messages: messagesOf(requestsPerS),
  rows: [],
}));
for (let round = 0; round <= rounds; round++) {
  for (const { messages, rows } of loads) {
    const row = await fold(messages);
    // The first round warms up.
    if (round > 0) rows.push(row);
  }
}
report();

/** By second, of all agents. */
function messagesOf(requestsPerS) {
  const books = Array.from({ length: DISTINCT }, (_, index) =>
    recordAgent({ plan, index, seconds, requestsPerS, tokens: TOKENS }),
  );
  return Array.from({ length: seconds }, (_, second) =>
    shards.map(({ agent, index }) => {
      const { snapshots } = books[index % DISTINCT];
      return { agent, data: encodeSnapshot({ ...snapshots[second], agent }) };
    }),
  );
}

async function fold(messages) {
  const out = mkdtempSync(join(tmpdir(), "fold-agents-"));
  const directory = await createRunDirectory(out).open("run");
  let take;
  const refusals = [];
  const results = new ResultFold({
    run: "bench",
    stages,
    shards,
    clock,
    log: {
      follow: async (_run, handler) => {
        take = handler;
        return { close: () => undefined };
      },
    },
    directory,
    room: new DiskRoom({ clock, onNote: () => undefined }),
    highestSeq: () => seconds + 1,
    onConfirmed: () => undefined,
    onRefusal: (reason) => refusals.push(reason),
    onFailure: (error) => refusals.push(error.message),
    onNote: (text) => refusals.push(text),
  });
  await results.follow();
  const cpuBefore = process.cpuUsage();
  for (const [second, ofAll] of messages.entries()) {
    for (const { agent, data } of ofAll) take({ position: 0, run: "bench", agent, kind: "snapshot", data });
    live(results.aggregate, second + 1);
    await results.flush();
  }
  const cpu = process.cpuUsage(cpuBefore);
  results.close();
  await directory.close();
  rmSync(out, { recursive: true });
  if (refusals.length > 0) throw new Error(`not folded: ${refusals[0]}`);
  const bytes = messages.flat().reduce((sum, { data }) => sum + data.length, 0);
  return { cores: (cpu.user + cpu.system) / 1e6 / seconds, bytesPerSnapshot: bytes / (agents * seconds) };
}

function live(aggregate, runTimeS) {
  buildLiveUpdate({
    record: factsOf({ plan, shards, endUs: 0 }).record,
    stages,
    transport: "memory",
    runTimeUs: runTimeS * 1e6,
    agents: [],
    givenUp: [],
    aggregate,
    server: null,
    notes: [],
  });
}

function report() {
  console.log(`${agents} agents, ${seconds} intervals of 1 s, ${rounds} rounds, load ${load()}`);
  const figures = {};
  for (const { requestsPerS, rows } of loads) {
    const figure = { cores: medianOf(rows, (row) => row.cores), bytesPerSnapshot: rows[0].bytesPerSnapshot };
    figures[`${requestsPerS} requests/s and agent`] = figure;
    check(
      figure.cores <= MAX_CORES,
      `${requestsPerS} requests/s and agent: ${figure.cores.toFixed(3)} of a core, ` +
        `${Math.round(figure.bytesPerSnapshot)} bytes a snapshot (at most ${MAX_CORES})`,
    );
  }
  const [few, many] = loads;
  const growth = median(many.rows.map((row, i) => row.cores / few.rows[i].cores));
  check(
    growth <= MAX_GROWTH,
    `${MANY / FEW} x the requests cost ${growth.toFixed(2)} x (at most ${MAX_GROWTH})`,
  );
  if (values.accept) accept("fold-agents", { [`${agents} agents`]: { rounds, growth, ...figures } });
}

function check(holds, text) {
  if (!holds && !values.smoke) process.exitCode = 1;
  console.log(`${holds ? "ok  " : "MISS"} ${text}`);
}
