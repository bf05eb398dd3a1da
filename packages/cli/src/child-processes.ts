import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { HEAP_ROOM } from "./heap-room.js";
import { CHILD_ENV } from "./interrupt.js";
import { parseLine } from "./log.js";
import { COMMAND_FILE } from "./packaging.js";

/** Kept of a child's talk, to say why it ended. */
const MOST_LINES = 50;
const END_LIMIT_MS = 5000;
const READ_LIMIT_MS = 1000;

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Another process of this same command, in a group of its own, that ends when we do. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** The last error that it named, for our own message. */
  lastError(): { readonly message: string; readonly hint?: string } | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end, and kills it after some seconds. May be called twice. */
  close(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** CPUs that it may use, such as `0,2-3`: needs taskset. All that this process may use where they are not given. */
  readonly cpus?: string | undefined;
  /** Each line that it writes to stderr. */
  readonly onLine?: (line: string) => void;
  /** What it sends over the IPC channel; a boundary, so unknown. */
  readonly onMessage?: (message: unknown) => void;
}

/**
 * Starts `tokenstorm ...args`. In its own group, so that Ctrl-C reaches us alone and we decide what it means; the IPC
 * channel tells the child when we are gone, however we ended.
 */
export function startChild(options: ChildOptions): Child {
  const { cpus } = options;
  const child = fork(COMMAND_FILE, [...options.args], {
    detached: true,
    env: { ...process.env, ...options.env, [CHILD_ENV]: "1" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [...HEAP_ROOM],
    // taskset becomes node: same process, same channel.
    ...(cpus === undefined
      ? {}
      : { execPath: "taskset", execArgv: ["-c", cpus, process.execPath, ...HEAP_ROOM] }),
  });
  const lines: string[] = [];
  const isRead = readLines(child.stderr, (line) => {
    lines.push(line);
    if (lines.length > MOST_LINES) lines.shift();
    options.onLine?.(line);
  });
  if (options.onMessage !== undefined) child.on("message", options.onMessage);
  const ended = endOf(child, isRead);
  return {
    name: options.name,
    pid: child.pid ?? 0,
    ended,
    lastError: () => lastError(lines),
    signal: (signal) => {
      child.kill(signal);
    },
    close: () => close(child, ended),
  };
}

function readLines(input: Readable | null, onLine: (line: string) => void): Promise<void> {
  if (input === null) return Promise.resolve();
  const lines = createInterface({ input }).on("line", onLine);
  return new Promise((resolve) => {
    lines.once("close", resolve);
  });
}

/**
 * Resolves when it has ended and all it wrote was read. Not by the event `close`, which never comes for a child whose
 * IPC channel was closed from this side (nodejs/node#19433).
 */
function endOf(child: ChildProcess, isRead: Promise<void>): Promise<ChildEnd> {
  return new Promise((resolve) => {
    child.once("error", () => resolve({ code: 1, signal: null }));
    child.once("exit", (code, signal) => {
      // A process that the child itself started may still hold the pipe.
      const limit = setTimeout(() => resolve({ code, signal }), READ_LIMIT_MS);
      void isRead.then(() => {
        clearTimeout(limit);
        resolve({ code, signal });
      });
    });
  });
}

async function close(child: ChildProcess, ended: Promise<ChildEnd>): Promise<void> {
  // Ending the channel is the one word that every child understands, whatever it is doing.
  if (child.connected) child.disconnect();
  const kill = setTimeout(() => child.kill("SIGKILL"), END_LIMIT_MS);
  await ended;
  clearTimeout(kill);
}

/** The last `error: ...` line with its hint, or the last logged error. */
function lastError(lines: readonly string[]): { message: string; hint?: string } | undefined {
  const at = lines.findLastIndex((line) => line.startsWith("error: "));
  const message = lines[at]?.slice("error: ".length);
  if (message !== undefined) {
    const hint = lines.slice(at + 1).find((line) => line.startsWith("hint: "));
    return hint === undefined ? { message } : { message, hint: hint.slice("hint: ".length) };
  }
  const logged = lines.map(parseLine).findLast((entry) => Number(entry?.["level"]) >= 50);
  return logged === undefined ? undefined : { message: String(logged["msg"] ?? "") };
}
