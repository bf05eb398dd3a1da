// The demo behind demo.sh: starts the simulator, runs the ladder against it with the `run` command as a user would,
// ends the simulator, and names the next three commands. Leaves no process behind, also after Ctrl-C.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "packages/cli/bin/tokenstorm.mjs");
const words = process.argv.slice(2);

function readOptions() {
  const options = { quick: false, json: false, truth: null, out: join(root, "runs"), ui: null };
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i];
    if (word === "--quick") options.quick = true;
    else if (word === "--json") options.json = true;
    else if (word === "--truth" || word === "--out" || word === "--ui") {
      const value = words[i + 1];
      if (value === undefined) usage(`${word} needs a value`);
      options[word.slice(2)] = value;
      i += 1;
    } else usage(`unknown option ${word}`);
  }
  return options;
}

function usage(problem) {
  process.stderr.write(
    `error: ${problem}\nusage: demo.sh [--quick] [--json] [--truth FILE] [--out DIR] [--ui live|plain|none]\n`,
  );
  process.exit(2);
}

const START_LIMIT_MS = 20_000;
const END_LIMIT_MS = 20_000;

const say = (text) => process.stderr.write(`${text}\n`);

/**
 * Starts the simulator on a port chosen by the system; resolves with its URL. DeepSeek V3.2 is served by data-parallel
 * engines: the tokens of 1,000 users come in four bursts of 250, not in one of 1,000 that two cores would need half of the
 * time between tokens for.
 */
function startSimulator(truthFile) {
  const args = [
    cli,
    "simulate",
    "--port",
    "0",
    "--profile",
    "deepseek-v3.2",
    "--data-parallel-size",
    "4",
    "--truth-log",
    truthFile,
    "--json",
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], detached: true });
  const url = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      try {
        resolve(JSON.parse(line).url);
      } catch {
        reject(new Error(`the simulator said: ${line}`));
      }
    });
    setTimeout(() => reject(new Error("the simulator did not start within 20 s")), START_LIMIT_MS).unref();
    child.once("exit", (code) => reject(new Error(`the simulator ended with code ${code}`)));
    child.once("error", reject);
  });
  return { child, url };
}

const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null;

function ended(child) {
  if (hasEnded(child)) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", resolve));
}

async function main() {
  const options = readOptions();
  const scratch = mkdtempSync(join(tmpdir(), "tokenstorm-demo-"));
  const truthFile = options.truth ?? join(scratch, "truth.jsonl");
  const simulator = startSimulator(truthFile);
  let runner;
  // The runner is a child in a group of its own: it hears of Ctrl-C from here, once for each time.
  const onSignal = (signal) => {
    if (runner !== undefined && !hasEnded(runner)) runner.kill(signal);
    else simulator.child.kill("SIGTERM");
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("SIGHUP", () => onSignal("SIGTERM"));
  // Whatever ends this process, the simulator ends with it.
  process.on("exit", () => hasEnded(simulator.child) || simulator.child.kill("SIGKILL"));
  try {
    const url = await simulator.url;
    const plan = join(root, options.quick ? "plans/demo-quick.yaml" : "plans/demo.yaml");
    const args = [cli, "run", plan, "--target", url, "--processes", "4", "--out", options.out];
    if (options.json) args.push("--json");
    if (options.ui !== null) args.push("--ui", options.ui);
    runner = spawn(process.execPath, args, { stdio: "inherit", detached: true });
    const code = await new Promise((resolve, reject) => {
      runner.once("exit", (status, signal) => resolve(signal === null ? status : 1));
      runner.once("error", reject);
    });
    if (code === 0 && !options.json) {
      say("");
      say("Next:");
      say("  npx tokenstorm report                                                   this report again");
      say("  npx tokenstorm run --target http://your-server:8000 --users 1,10,100    your own server");
      say("  npx tokenstorm init > plan.yaml                                         a plan to edit");
      if (!process.env.NATS_SERVER_BIN)
        say("this was one agent in one process over memory: not the distributed path");
    }
    process.exitCode = code;
  } finally {
    simulator.child.kill("SIGTERM");
    const limit = setTimeout(() => simulator.child.kill("SIGKILL"), END_LIMIT_MS);
    await ended(simulator.child);
    clearTimeout(limit);
    rmSync(scratch, { recursive: true, force: true });
  }
}

main().catch((error) => {
  say(`error: ${error.message}`);
  process.exitCode = 1;
});
