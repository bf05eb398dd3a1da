// What a small request costs that is answered at once and whole: both readers beside wrk, autocannon and fetch. All get the
// same bytes; ours also read them as a stream of one token, and judge it.
//
//   node benchmarks/small-requests.mjs [--connections 100] [--rounds 3] [--clients wrk,raw,undici,autocannon,fetch] [--accept]
//
// Counted by the server, CPU by the kernel, over the same window: requests for each second of the client's CPU.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { accept, load, medianOf } from "./lib/figures.mjs";
import { ended, launch, requireNative, startServer } from "./lib/harness.mjs";
import { cpuS } from "./lib/processes.mjs";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "100" },
    rounds: { type: "string", default: "3" },
    clients: { type: "string", default: "wrk,raw,undici,autocannon,fetch" },
    accept: { type: "boolean", default: false },
  },
});
const connections = Number(values.connections);
const rounds = Number(values.rounds);
const WARM_UP_MS = 1500;
const WINDOW_MS = 2500;
const CLIENT_CORE = 1;
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const autocannon = path("../.cache/bench/autocannon/node_modules/autocannon/package.json");

requireNative();
const names = values.clients.split(",").filter(isHere);
const rows = new Map(names.map((name) => [name, []]));
for (let round = 0; round < rounds; round++)
  for (const name of names) rows.get(name).push(await measure(name));
console.log(`${connections} connections, ${rounds} rounds, load ${load()}`);
const figures = {};
for (const [name, own] of rows) {
  const figure = {
    ...versionOf(name),
    requestsPerCpuS: Math.round(medianOf(own, (row) => row.requests / row.cpuS)),
    requestsPerS: Math.round(medianOf(own, (row) => row.requests / row.s)),
  };
  figures[name] = figure;
  console.log(
    `  ${name.padEnd(10)} ${String(figure.requestsPerCpuS).padStart(7)} requests per CPU second, ` +
      `${String(figure.requestsPerS).padStart(7)} requests/s`,
  );
}
if (values.accept) accept("small-requests", { [`${connections} connections`]: { rounds, clients: figures } });

function isHere(name) {
  if (name === "wrk" && spawnSync("wrk", ["--version"]).error !== undefined) {
    console.log("SKIPPED: wrk is not installed");
    return false;
  }
  if (name === "autocannon" && !existsSync(autocannon)) {
    console.log("SKIPPED: autocannon is not installed: ./benchmarks/get-others.sh gets it");
    return false;
  }
  return true;
}

function versionOf(name) {
  if (name === "wrk")
    return { version: /wrk \S+ ?\S*/.exec(String(spawnSync("wrk", ["--version"]).stdout))?.[0] };
  if (name === "autocannon") return { version: JSON.parse(readFileSync(autocannon, "utf8")).version };
  return {};
}

function command(name, port) {
  if (name !== "wrk") {
    const options = ["--reader", name, "--port", port, "--streams", connections];
    return [process.execPath, path("clients/small-requests.mjs"), ...options].map(String);
  }
  const script = path("clients/small-requests.lua");
  const url = `http://127.0.0.1:${port}/v1/chat/completions`;
  return [
    "wrk",
    "--threads",
    "1",
    "--connections",
    String(connections),
    "--duration",
    "60s",
    "--script",
    script,
    url,
  ];
}

async function measure(name) {
  const server = await startServer({ itlUs: 0, groups: 1, truthFile: "/dev/null" });
  const child = launch(command(name, server.port), CLIENT_CORE, "ignore");
  try {
    await pause(WARM_UP_MS);
    const before = await look(server.port, child.pid);
    await pause(WINDOW_MS);
    const after = await look(server.port, child.pid);
    if (child.exitCode !== null) throw new Error(`${name} ended with code ${child.exitCode}`);
    return {
      requests: after.requests - before.requests,
      cpuS: after.cpuS - before.cpuS,
      s: after.s - before.s,
    };
  } finally {
    child.kill("SIGKILL");
    await ended(child);
    await server.stop();
  }
}

async function look(port, pid) {
  const answer = await fetch(`http://127.0.0.1:${port}/stats`);
  const { requests } = await answer.json();
  return { requests, cpuS: cpuS(pid), s: performance.now() / 1000 };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
