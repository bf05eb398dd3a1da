import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));
export const packageFile = join(root, "packages/cli/bin/tokenstorm.mjs");
/** The start of the package, or what `scripts/run-tests.mjs` has made of it. */
export const cliFile = process.env["TOKENSTORM_TEST_COMMAND"] ?? packageFile;

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Ends with the tests, also when they are interrupted. */
const living = new Set<ChildProcessByStdio<Writable, Readable, Readable>>();
const endLiving = () => {
  for (const child of living) child.kill("SIGKILL");
};
process.on("exit", endLiving);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    endLiving();
    process.kill(process.pid, signal);
  });
}

/** One process of the command line, as a person would start it. */
export interface Running {
  readonly pid: number;
  readonly finished: Promise<Finished>;
  /** Resolves with the first line, of stdout or stderr, past or to come, that matches. Fails when the process ends first. */
  line(pattern: RegExp): Promise<string>;
  signal(name: NodeJS.Signals): void;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly cwd?: string;
  /** For node itself. */
  readonly nodeArgs?: readonly string[];
  /** A hang is a failure: the process is killed and the test fails. */
  readonly limitMs?: number;
}

/** Starts `tokenstorm ...args`; whatever is still running when the test ends is killed, by its process id. */
export function startCli(t: TestContext, args: readonly string[], options: CliOptions = {}): Running {
  return startProcess(t, [process.execPath, ...(options.nodeArgs ?? []), cliFile, ...args], options);
}

/** The same for any command. */
export function startProcess(
  t: TestContext,
  [command = "", ...args]: readonly string[],
  options: CliOptions = {},
): Running {
  const env = { ...process.env, NO_COLOR: "1", ...options.env };
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(command, args, {
    cwd: options.cwd ?? root,
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  living.add(child);
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const output = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => {
      output[name] += text;
      for (const watcher of watchers) watcher();
    });
  }
  const limit = setTimeout(() => child.kill("SIGKILL"), options.limitMs ?? 120_000);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(limit);
      living.delete(child);
      resolve({ code, signal, ...output });
      for (const watcher of watchers) watcher();
    });
  });
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await finished;
  });
  return {
    pid: child.pid ?? 0,
    finished,
    line: (pattern) => {
      let isOver = false;
      void finished.then(() => {
        isOver = true;
      });
      return new Promise<string>((resolve, reject) => {
        const look = () => {
          const found = `${output.stdout}\n${output.stderr}`.split("\n").find((line) => pattern.test(line));
          if (found !== undefined) {
            watchers.delete(look);
            resolve(found);
          } else if (isOver || child.exitCode !== null) {
            watchers.delete(look);
            reject(new Error(`ended without a line like ${pattern}:\n${output.stdout}\n${output.stderr}`));
          }
        };
        watchers.add(look);
        look();
      });
    },
    signal: (name) => {
      child.kill(name);
    },
  };
}

/** Runs `tokenstorm ...args` to its end. */
export function runCli(t: TestContext, args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  return startCli(t, args, options).finished;
}

/** A folder that is gone when the test is. */
export function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Simulator {
  readonly url: string;
  /** Written when it ends. */
  readonly truthFile: string;
  readonly process: Running;
  /** Ends the simulator and reads its record. */
  truth(): Promise<TruthRecord[]>;
  stop(): Promise<void>;
  kill(): void;
}

/** A request as the simulator recorded it; see docs/simulator.md. */
export interface TruthRecord {
  readonly kind: string;
  readonly id: string;
  readonly promptTokens: number;
  readonly promptDigest: string;
  readonly outputTokens: number;
  readonly maxTokens: number;
  readonly finishReason: string;
  readonly receivedUs: number;
  readonly endUs: number;
  readonly writesUs: number[];
  readonly writeTokens?: number[];
}

/** `tokenstorm simulate` on a port chosen by the system, with a truth log. */
export async function startSimulator(
  t: TestContext,
  args: readonly string[] = [],
  env: CliOptions["env"] = {},
): Promise<Simulator> {
  const truthFile = join(scratch(t), "truth.jsonl");
  const running = startCli(t, ["simulate", "--port", "0", "--truth-log", truthFile, "--json", ...args], {
    limitMs: 600_000,
    env,
  });
  const first: { url: string } = JSON.parse(await running.line(/"url"/));
  const stop = async () => {
    running.signal("SIGTERM");
    await running.finished;
  };
  return {
    url: first.url,
    truthFile,
    process: running,
    stop,
    kill: () => running.signal("SIGKILL"),
    truth: async () => {
      await stop();
      return readTruth(truthFile).requests;
    },
  };
}

/** The header maps the simulator's monotonic clock to epoch microseconds. */
export function readTruth(file: string): {
  header: { monotonicUs: number; epochUs: number };
  requests: TruthRecord[];
} {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const header: { monotonicUs: number; epochUs: number } = JSON.parse(lines[0] ?? "{}");
  const entries = lines.slice(1).map((line): TruthRecord => JSON.parse(line));
  return { header, requests: entries.filter((entry) => entry.kind === "request") };
}

/** Asserts that a command failed as it should: its code, one clear line, no stack trace. */
export function assertClearFailure(result: Finished, expected: { code: number; says: RegExp }): void {
  const shown = `code ${result.code}, signal ${result.signal}\nstdout: ${result.stdout}\nstderr: ${result.stderr}`;
  assert.equal(result.code, expected.code, shown);
  assert.match(result.stderr, expected.says, shown);
  assert.doesNotMatch(
    result.stderr,
    /^\s+at .*\(?.*:\d+:\d+\)?$/m,
    `a stack trace reached the screen\n${shown}`,
  );
}
