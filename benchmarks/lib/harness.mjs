// Runs one client against the load server, each on a core of its own, and judges what it says.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { judge } from "./judge.mjs";
import { compile, compiler, skipAll } from "./native.mjs";

const START_LIMIT_MS = 10_000;
const root = new URL("../../", import.meta.url);
const python = fileURLToPath(new URL(".cache/bench/aiohttp/bin/python", root));
const clients = new URL("../clients/", import.meta.url);
const client = (file) => fileURLToPath(new URL(file, clients));

const isPinned = availableParallelism() >= 2 && spawnSync("taskset", ["-c", "0,1", "true"]).status === 0;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

/** Command line of each client; all take the same options and say the same. */
const COMMANDS = {
  "c++": () => [compile("stream-reader")],
  raw: () => [process.execPath, client("tokenstorm.mjs"), "--reader", "raw"],
  undici: () => [process.execPath, client("tokenstorm.mjs"), "--reader", "undici"],
  fetch: () => [process.execPath, client("fetch.mjs")],
  aiohttp: () => [python, client("aiohttp_client.py")],
};

/** Says why the benchmark cannot be run here, and ends; names what runs less well. */
export function requireNative() {
  if (compiler() === null) skipAll("there is no g++ here, which the load server needs");
  if (!isPinned) console.log("NOTE: no taskset, or one core: server and client get in each other's way");
}

/** The clients that can be run here; says why others cannot. */
export function available(names) {
  return names.filter((name) => {
    if (COMMANDS[name] === undefined) throw new Error(`there is no client ${name}`);
    const isHere = name !== "aiohttp" || existsSync(python);
    if (!isHere) console.log("SKIPPED: aiohttp is not installed: ./benchmarks/get-others.sh gets it");
    return isHere;
  });
}

/** As `name version`, for the figures; null where it is its own. */
export function versionOf(name) {
  if (name === "c++") return compiler();
  if (name !== "aiohttp") return null;
  const words =
    "import aiohttp, platform; print('aiohttp', aiohttp.__version__, 'on Python', platform.python_version())";
  return spawnSync(python, ["-c", words], { encoding: "utf8" }).stdout.trim();
}

/** One window of one client. What it says of itself, and what the server's stamps say of it. */
export async function measure({ name, eventsPerS, groups, streams, tokens, warmUpMs, windowMs }) {
  const scratch = mkdtempSync(join(tmpdir(), "stream-readers-"));
  const truthFile = join(scratch, "truth.ndjson");
  const stampsFile = join(scratch, "stamps.ndjson");
  const server = await startServer({ itlUs: Math.round((streams * 1e6) / eventsPerS), groups, truthFile });
  try {
    const options = {
      port: server.port,
      streams,
      tokens,
      "warm-up-ms": warmUpMs,
      "window-ms": windowMs,
      out: stampsFile,
    };
    const words = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]);
    const said = await runClient([...COMMANDS[name](), ...words], warmUpMs + windowMs);
    await server.stop();
    const { fromUs, toUs, cpuUs, events, rssBytes } = said;
    const perS = (events * 1e6) / (toUs - fromUs);
    const judged = judge({ truthFile, stampsFile, fromUs, toUs });
    return { name, perS, cpuUsPerEvent: cpuUs / events, rssBytes, ...judged };
  } finally {
    await server.stop();
    rmSync(scratch, { recursive: true });
  }
}

/** `itlUs` 0: every answer at once. */
export async function startServer({ itlUs, groups, truthFile }) {
  const words = ["--itl-us", itlUs, "--groups", groups, "--truth", truthFile].map(String);
  const child = launch([compile("load-server"), ...words], SERVER_CORE);
  const { port } = await firstLine(child, START_LIMIT_MS);
  return {
    port,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await ended(child);
    },
  };
}

async function runClient(words, lengthMs) {
  const child = launch(words, CLIENT_CORE);
  const said = await firstLine(child, lengthMs + 60_000);
  await ended(child);
  if (child.exitCode !== 0) throw new Error(`${words[0]} ended with code ${child.exitCode}`);
  return said;
}

/** A thousand sockets need more descriptors than a shell gives; Node takes what it may, others must be given them. */
export function launch(words, core, stdout = "pipe") {
  const pinned = isPinned ? ["taskset", "-c", String(core), ...words] : words;
  const child = spawn("bash", ["-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "bash", ...pinned], {
    stdio: ["ignore", stdout, "inherit"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** Whatever ends this process, nothing that it started goes on. */
const children = new Set();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

function firstLine(child, limitMs) {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${child.spawnargs.at(-1)}: nothing was said within ${limitMs} ms`));
    }, limitMs);
    createInterface({ input: child.stdout }).once("line", (line) => {
      clearTimeout(limit);
      resolve(JSON.parse(line));
    });
    child.once("exit", (code) => {
      clearTimeout(limit);
      reject(new Error(`a child ended with code ${code}`));
    });
  });
}

export function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", resolve));
}
