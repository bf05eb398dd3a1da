import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { vitalsFactor } from "../../packages/core/dist/index.js";
import { lineToResult } from "../../packages/protocol/dist/index.js";
import { findNatsServer, startNatsServer } from "../../packages/protocol/dist/nats/index.js";
import { disturb } from "./disturb.mjs";
import { trueErrors } from "./true-errors.mjs";

const cli = fileURLToPath(new URL("../../packages/cli/bin/tokenstorm.mjs", import.meta.url));
const HEAP_ROOM = ["--min-semi-space-size=16", "--max-semi-space-size=32", "--initial-old-space-size=256"];
const SERVER_CORE = "0";
const AGENT_CORE = "1";
const START_LIMIT_MS = 30_000;
/** An interval with fewer events has no p90 to speak of. */
const FEWEST_EVENTS = 30;
/** Users of the two levels. */
const LEVELS = [60, 240];

/** The host cannot do what is needed. */
export class NotTried extends Error {}

/** Runs the cluster with its disturbances, and gives each agent's measured intervals with their true error and vitals. */
export async function gatherEvidence({ seconds, agents, reader, seed }) {
  const nats = await findNatsServer(process.env);
  if (nats === undefined) throw new NotTried("there is no nats-server here");
  if (availableParallelism() < 2 || spawnSync("taskset", ["-c", "0,1", "true"]).status !== 0) {
    throw new NotTried("it needs taskset and two cores");
  }
  const folder = mkdtempSync(join(tmpdir(), "verdict-truth-"));
  const children = [];
  const endAll = () => {
    for (const child of children) {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
    }
  };
  process.once("exit", endAll);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
  let server;
  try {
    server = await startNatsServer({ bin: nats.bin, dataDir: join(folder, "nats") });
    return await measure({ seconds, agents, reader, seed, folder, natsUrl: server.url, children });
  } finally {
    endAll();
    process.removeListener("exit", endAll);
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure({ seconds, agents, reader, seed, folder, natsUrl, children }) {
  const start = (core, nodeArgs, args, ready, stream = "stderr") => {
    const child = spawn("taskset", ["-c", core, process.execPath, ...nodeArgs, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NATS_URL: natsUrl, NO_COLOR: "1" },
    });
    children.push(child);
    return firstLine(child, stream, ready).then((line) => ({ child, line }));
  };
  const truthFile = join(folder, "truth.jsonl");
  const simulated = await start(
    SERVER_CORE,
    [],
    [
      cli,
      "simulate",
      "--port",
      "0",
      "--time-scale",
      "2",
      "--seed",
      String(seed),
      "--truth-log",
      truthFile,
      "--json",
    ],
    /"url"/,
    "stdout",
  );
  const { url } = JSON.parse(simulated.line);
  await start(
    SERVER_CORE,
    [],
    [cli, "coordinator", "--no-http", "--out", join(folder, "runs")],
    /leading as/,
  );
  const sending = [];
  for (let i = 1; i <= agents; i += 1) {
    const args = [
      "agent",
      "--processes",
      "1",
      "--id",
      `agent-${i}`,
      "--debug-stamps",
      join(folder, "stamps"),
    ];
    sending.push((await start(AGENT_CORE, HEAP_ROOM, [cli, ...args], /ready for runs/)).child);
  }
  const plan = planOf({ url, seconds, agents, reader, seed });
  const planFile = join(folder, "plan.json");
  writeFileSync(planFile, JSON.stringify(plan));
  const run = spawn(
    "taskset",
    ["-c", SERVER_CORE, process.execPath, cli, "run", planFile, "--json", "--ui", "none"],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NATS_URL: natsUrl },
    },
  );
  children.push(run);
  const hog = spawn("taskset", ["-c", AGENT_CORE, process.execPath, "-e", "for (;;);"], { stdio: "ignore" });
  children.push(hog);
  hog.kill("SIGSTOP");
  let output = "";
  run.stdout.on("data", (bytes) => {
    output += bytes;
  });
  let said = "";
  run.stderr.on("data", (bytes) => {
    said += bytes;
  });
  const limit = setTimeout(() => run.kill("SIGKILL"), (seconds + 90) * 1000);
  const ended = new Promise((resolve) => run.once("close", resolve));
  // Not while they prepare: who is late then takes part in nothing.
  const isRunning = firstLine(sending[0], "stderr", /agent is running/);
  const hasBegun = await Promise.race([isRunning, ended.then(() => false)]);
  if (hasBegun === false) throw new Error(`the run did not begin: ${said}${output}`);
  const disturbance = disturb({ hog, agents: sending, seed });
  const code = await ended;
  clearTimeout(limit);
  const phases = disturbance.end();
  if (output === "") throw new Error(`the run failed with ${code}: ${said}`);
  await endInOrder([...sending, simulated.child]);
  return evidenceOf({ folder, report: JSON.parse(output), truthFile, phases, seconds, agents, reader, seed });
}

function planOf({ url, seconds, agents, reader, seed }) {
  const durationMs = Math.round((seconds * 1000) / LEVELS.length);
  return {
    version: 1,
    seed,
    target: { urls: [url], reader },
    workload: { inputTokens: 64, outputTokens: 100 },
    agents: { min: agents, waitMs: 30_000 },
    load: {
      kind: "users",
      stages: LEVELS.map((users) => ({ users, rampUpMs: 1000, settleMs: 0, durationMs })),
    },
    warmUp: { requests: 4 },
    gracePeriodMs: 5000,
  };
}

function firstLine(child, stream, pattern) {
  return new Promise((resolve, reject) => {
    const said = [];
    const limit = setTimeout(() => reject(new Error(`not ready: ${said.join("\n")}`)), START_LIMIT_MS);
    for (const name of ["stdout", "stderr"]) {
      createInterface({ input: child[name] }).on("line", (line) => {
        if (said.length < 100) said.push(line);
        if (name !== stream || !pattern.test(line)) return;
        clearTimeout(limit);
        resolve(line);
      });
    }
    child.once("exit", (code) => {
      clearTimeout(limit);
      reject(new Error(`ended with ${code}: ${said.join("\n")}`));
    });
  });
}

/** Agents write their stamps, and the simulator its record, before they go. */
async function endInOrder(processes) {
  for (const child of processes) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    await Promise.race([ended, pause(15_000, undefined, { ref: false })]);
  }
}

function evidenceOf({ folder, report, truthFile, phases, seconds, agents, reader, seed }) {
  const [name] = readdirSync(join(folder, "runs"));
  const directory = join(folder, "runs", name);
  const facts = JSON.parse(readFileSync(join(directory, "run.json"), "utf8"));
  const { record } = facts.facts ?? facts;
  const factors = new Map(report.stages.map((stage) => [stage.name, vitalsFactor(stage.latencyUs.itl.p50)]));
  const indexOf = (stageName) => LEVELS.findIndex((users) => stageName === `u${users}`);
  const hasWarmUp = 1;
  const factorOfStage = new Map(
    [...factors].map(([stageName, factor]) => [indexOf(stageName) + hasWarmUp, factor]),
  );
  const snapshots = readFileSync(join(directory, "snapshots.ndjson"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map(lineToResult)
    .flatMap((result) => (result.kind === "snapshot" ? [result.snapshot] : []));
  const errors = trueErrors({ truthFile, stampsFolder: join(folder, "stamps") });
  const sparse = [];
  const intervals = snapshots.flatMap((snapshot) => {
    const zeroUs = record.start.localUs[snapshot.agent];
    const measured = snapshot.blocks.filter(({ phase, flow }) => phase === "measured" && flow.durationUs > 0);
    if (measured.length === 0) return [];
    const [fromUs, toUs] = [zeroUs + snapshot.fromUs, zeroUs + snapshot.toUs];
    const own = errors.between(snapshot.agent, fromUs, toUs);
    if (own.length < FEWEST_EVENTS) {
      sparse.push({ events: own.length, vitals: snapshot.vitals });
      return [];
    }
    return [
      {
        agent: snapshot.agent,
        seq: snapshot.seq,
        phase: phaseAt(phases, (fromUs + toUs) / 2),
        factor: Math.min(...measured.map(({ stage }) => factorOfStage.get(stage) ?? 1)),
        events: own.length,
        errorP50Us: percentile(own, 50),
        errorP90Us: percentile(own, 90),
        errorP99Us: percentile(own, 99),
        vitals: snapshot.vitals,
      },
    ];
  });
  const levels = report.stages.map((stage) => ({
    name: stage.name,
    itlMs: Math.round((stage.latencyUs.itl.p50 ?? 0) / 100) / 10,
    factor: Math.round((factors.get(stage.name) ?? 1) * 100) / 100,
    eventsPerS: Math.round(stage.rates.eventsPerS),
  }));
  return {
    seed,
    reader,
    agents,
    seconds,
    levels,
    matched: errors.matched,
    unmatched: errors.unmatched,
    sparse,
    intervals,
  };
}

function phaseAt(phases, tUs) {
  return phases.findLast(({ fromUs }) => fromUs <= tUs)?.name ?? "before";
}

function percentile(sorted, percent) {
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1];
}
