import { type ChildProcess, spawn } from "node:child_process";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { LoadError } from "@tokenstorm/core";
import { printable } from "@tokenstorm/report/columns";
import { COMMAND_FILE } from "../packaging.js";
import { reasonOf } from "../plan-file.js";

/** After SIGTERM of a command that was too slow, or is no longer wanted. */
const KILL_AFTER_MS = 5000;
/** Of what a command said last, in an error. */
const LAST_WORDS = 200;

export interface HookCommand {
  readonly words: readonly string[];
  readonly shell: boolean;
  /** Folder of the study file. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Takes all that it writes. */
  readonly logFile: string;
}

/** A command of a study file, in a process group of its own, so that Ctrl-C reaches us alone. */
export interface HookProcess {
  /** As a person would write it. */
  readonly text: string;
  /** How it ended, in words; null where it ended with 0. Never rejects. */
  readonly ended: Promise<string | null>;
  isRunning(): boolean;
  /** The last that it wrote, for an error. */
  lastWords(): Promise<string>;
  /** SIGTERM to the whole group, SIGKILL after `limitMs`. May be called twice. */
  stop(limitMs: number): Promise<void>;
}

/** What lets this process in to NATS is nobody else's business. */
const KEPT_BACK = /^(NATS_(PASSWORD|TOKEN|CREDS|NKEY|KEY|URL)|TOKENSTORM_(CHILD|HTTP_TOKEN))$/;

/** Starts one. Throws RUN_ABORTED where it cannot be started at all. */
export async function startHook(command: HookCommand): Promise<HookProcess> {
  const { folder, logFile } = command;
  const [file, args] = executable(command);
  const text = hookText(command.words);
  let log: FileHandle;
  try {
    log = await open(logFile, "a");
  } catch (cause) {
    throw new LoadError("RESULTS_UNREADABLE", `${logFile} cannot be written: ${reasonOf(cause)}`, { cause });
  }
  try {
    const env = Object.fromEntries(Object.entries(command.env).filter(([name]) => !KEPT_BACK.test(name)));
    const child = spawn(file, args, { cwd: folder, env, detached: true, stdio: ["ignore", log.fd, log.fd] });
    return processOf(child, text, logFile);
  } finally {
    // The child has its own.
    await log.close();
  }
}

/** Runs one to its end. Throws RUN_ABORTED where it fails, or is not done in time. */
export async function runHook(
  command: HookCommand,
  { timeLimitMs, signal }: { readonly timeLimitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const hook = await startHook(command);
  let limit: NodeJS.Timeout | undefined;
  const tooLong = new Promise<"too long">((resolve) => {
    limit = setTimeout(() => resolve("too long"), timeLimitMs);
  });
  const aborted = new Promise<"aborted">((resolve) => {
    signal.addEventListener("abort", () => resolve("aborted"), { once: true });
    if (signal.aborted) resolve("aborted");
  });
  try {
    const how = await Promise.race([hook.ended.then((end) => ({ end })), tooLong, aborted]);
    if (how === "aborted") return;
    if (how === "too long") {
      throw failed(
        `the command ${hook.text} was not done within ${timeLimitMs} ms, and was ended`,
        logHint(command),
      );
    }
    if (how.end !== null) {
      throw failed(`the command ${hook.text} ${how.end}${await hook.lastWords()}`, logHint(command));
    }
  } finally {
    clearTimeout(limit);
    await hook.stop(KILL_AFTER_MS);
  }
}

export function logHint({ logFile }: HookCommand): string {
  return `what it said is in ${logFile}; --resume goes on when it is mended`;
}

function failed(message: string, hint: string): LoadError {
  return new LoadError("RUN_ABORTED", message, { hint });
}

/** Without a shell words stay words: nothing in a condition's name can become a command. */
function executable({ words, shell }: HookCommand): [string, string[]] {
  if (shell) return ["/bin/sh", ["-c", words.join(" ")]];
  const [file = "", ...args] = words;
  return file === "tokenstorm" ? [process.execPath, [COMMAND_FILE, ...args]] : [file, [...args]];
}

export function hookText(words: readonly string[]): string {
  return printable(
    words.map((word) => (/^[\w@%+=:,./{}-]+$/.test(word) ? word : JSON.stringify(word))).join(" "),
  );
}

function processOf(child: ChildProcess, text: string, logFile: string): HookProcess {
  let isRunning = true;
  const ended = new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${reasonOf(error)}`));
    child.once("exit", (code, signal) => {
      // What it started and left behind goes with it; later its number may be another's.
      signalGroup(child, "SIGKILL");
      if (code === 0) resolve(null);
      else resolve(signal === null ? `ended with code ${code}` : `was ended by ${signal}`);
    });
  }).finally(() => {
    isRunning = false;
  });
  let stopping: Promise<void> | undefined;
  const stop = async (limitMs: number) => {
    if (!isRunning) return;
    signalGroup(child, "SIGTERM");
    const kill = setTimeout(() => signalGroup(child, "SIGKILL"), limitMs);
    await ended;
    clearTimeout(kill);
  };
  const onExit = () => signalGroup(child, "SIGKILL");
  process.once("exit", onExit);
  void ended.then(() => process.off("exit", onExit));
  return {
    text,
    ended,
    isRunning: () => isRunning,
    lastWords: async () => {
      const said = await readFile(logFile, "utf8").catch(() => "");
      const last = said.trimEnd().split("\n").at(-1) ?? "";
      return last === "" ? "" : `: ${printable(last).slice(0, LAST_WORDS)}`;
    },
    stop: (limitMs) => {
      stopping ??= stop(limitMs);
      return stopping;
    },
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}
