import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { LoadError } from "@tokenstorm/core";
import { messageOf } from "./errors.js";
import { findServer } from "./first-dial.js";
import { parseServer } from "./options.js";

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** Subjects it may publish and subscribe to; all where not given. */
  readonly publish?: readonly string[] | undefined;
  readonly subscribe?: readonly string[] | undefined;
}

export interface NatsServerOptions {
  readonly bin: string;
  /** Holds the configuration, JetStream's files and the port's number. Made where it is missing. */
  readonly dataDir: string;
  readonly host?: string | undefined;
  /** 0: chosen by the system. */
  readonly port?: number | undefined;
  readonly users?: readonly NatsUser[] | undefined;
  /** Text in the server's own configuration language, put at the end; a block of a name that stands there takes its place. */
  readonly extraConfig?: string | undefined;
}

export interface RunningNatsServer {
  /** Without a password. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, with what it said last. */
  readonly ended: Promise<string>;
  /** Asks it to end, kills it after 3 s. May be called twice. */
  close(): Promise<void>;
}

const START_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 3000;
const LOOK_AGAIN_MS = 20;
const KEPT_OUTPUT_CHARS = 8192;

/**
 * Holds the server's only tie to us, a pipe: the watcher reads from it, and when it ends (we closed it, or died, however)
 * the watcher ends the server. `$1` is how many tenths of a second the server has for that; the rest is its command line.
 * The first line out is the server's process id. All of it is in a session of its own, which Ctrl-C does not reach.
 */
const GUARD = `
tenths=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
( read -r _ <&3
  kill -TERM "$server" 2>/dev/null
  while [ "$tenths" -gt 0 ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; tenths=$((tenths - 1)); done
  kill -KILL "$server" 2>/dev/null
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
echo "$server"
wait "$server"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
`;

type Guard = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts a nats-server with JetStream on this machine and waits until it answers. It ends when this process ends, even
 * by SIGKILL. Throws BUS_UNAVAILABLE with what the server said.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<RunningNatsServer> {
  const host = options.host ?? "127.0.0.1";
  const portsDir = join(options.dataDir, "ports");
  const configFile = join(options.dataDir, "nats-server.conf");
  await rm(portsDir, { recursive: true, force: true });
  await mkdir(portsDir, { recursive: true, mode: 0o700 });
  await writeFile(configFile, configText({ ...options, host, portsDir }), { mode: 0o600 });

  const child = spawn(
    "/bin/sh",
    ["-c", GUARD, "sh", String(STOP_LIMIT_MS / 100), options.bin, "-c", configFile],
    {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    },
  );
  const output = collectOutput(child);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(messageOf(error)));
    child.once("close", () => resolve(output.tail()));
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    // Ends the pipe, which is what the watcher waits for: one way to end it, whoever ends it.
    child.stdin.end();
    closing ??= ended.then(() => undefined);
    return closing;
  };
  try {
    const pid = await firstOf(output.pid, ended, options.bin);
    const port = await waitForPort({ portsDir, pid, ended, bin: options.bin });
    const url = `nats://${host.includes(":") ? `[${host}]` : host}:${port}`;
    await findServer([parseServer(url)], START_LIMIT_MS);
    return { url, port, pid, ended, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function configText(
  options: NatsServerOptions & { readonly host: string; readonly portsDir: string },
): string {
  // The server's language takes JSON for values, which quotes whatever a path or a password holds.
  const lines = [
    `host: ${JSON.stringify(options.host)}`,
    `port: ${options.port === undefined || options.port === 0 ? -1 : options.port}`,
    `ports_file_dir: ${JSON.stringify(options.portsDir)}`,
    `jetstream: ${JSON.stringify({ store_dir: join(options.dataDir, "jetstream") })}`,
  ];
  if (options.users !== undefined && options.users.length > 0)
    lines.push(`authorization: ${JSON.stringify({ users: options.users.map(userConfig) })}`);
  if (options.extraConfig !== undefined) lines.push(options.extraConfig);
  return `${lines.join("\n")}\n`;
}

function userConfig(user: NatsUser): object {
  const { publish, subscribe } = user;
  const permissions = {
    ...(publish === undefined ? {} : { publish: allowed(publish) }),
    ...(subscribe === undefined ? {} : { subscribe: allowed(subscribe) }),
  };
  const isRestricted = publish !== undefined || subscribe !== undefined;
  return { user: user.user, password: user.password, ...(isRestricted ? { permissions } : {}) };
}

/** To the server an empty list of what is allowed means everything. */
export function allowed(list: readonly string[]): readonly string[] | { readonly deny: readonly string[] } {
  return list.length === 0 ? { deny: [">"] } : list;
}

/** The guard's first line is the server's process id; of the rest the end is kept, for when it fails. */
function collectOutput(child: Guard): { readonly pid: Promise<number>; tail(): string } {
  let kept = "";
  child.stdin.on("error", () => undefined);
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text: string) => {
    kept = (kept + text).slice(-KEPT_OUTPUT_CHARS);
  });
  child.stdout.setEncoding("utf8");
  const pid = new Promise<number>((resolve) => {
    child.stdout.once("data", (text: string) => {
      resolve(Number(text.split("\n")[0]));
      child.stdout.resume();
    });
  });
  return { pid, tail: () => lastLines(kept) };
}

/** What a person needs of a server's log: the lines that name a fault, else the last ones. */
function lastLines(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const faults = lines.filter((line) => /\[(ERR|FTL)\]|error|nats-server:/i.test(line));
  return (faults.length > 0 ? faults : lines)
    .slice(-3)
    .map((line) => line.replace(/^\[\d+\] [\d/]+ [\d:.]+ /, ""))
    .join("; ");
}

async function firstOf<T>(wanted: Promise<T>, ended: Promise<string>, bin: string): Promise<T> {
  const over = ended.then((said) => {
    throw didNotStart(bin, said);
  });
  over.catch(() => undefined);
  return Promise.race([wanted, over]);
}

/** The server writes a file with its addresses once it listens. */
async function waitForPort(options: {
  readonly portsDir: string;
  readonly pid: number;
  readonly ended: Promise<string>;
  readonly bin: string;
}): Promise<number> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadline) {
    const port = await readPort(options.portsDir);
    if (port !== undefined) return port;
    await firstOf(wait(LOOK_AGAIN_MS), options.ended, options.bin);
  }
  throw didNotStart(options.bin, `it did not listen within ${START_LIMIT_MS} ms`);
}

async function readPort(portsDir: string): Promise<number | undefined> {
  const [file] = await readdir(portsDir).catch(() => []);
  if (file === undefined) return undefined;
  const text = await readFile(join(portsDir, file), "utf8").catch(() => "");
  // Written in place, so it may be seen half written.
  const port = /"nats":\s*\[\s*"[a-z]+:\/\/[^"]*:(\d+)"/.exec(text)?.[1];
  return port === undefined ? undefined : Number(port);
}

function didNotStart(bin: string, said: string): LoadError {
  return new LoadError("BUS_UNAVAILABLE", `${bin} did not start: ${said === "" ? "it said nothing" : said}`);
}
