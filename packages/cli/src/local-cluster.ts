import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LoadError } from "@tokenstorm/core";
import { type RunningNatsServer, startNatsServer } from "@tokenstorm/protocol/nats";
import { type Child, type ChildEnd, startChild } from "./child-processes.js";
import { DEBUG_ENV } from "./errors.js";
import { HEALTH_ENV } from "./health.js";
import { parseLine } from "./log.js";

const START_LIMIT_MS = 20_000;

export interface LocalClusterOptions {
  /** The nats-server to start. */
  readonly bin: string;
  readonly processes: number;
  /** Folder of the run directories. */
  readonly out: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Ends the start. */
  readonly signal: AbortSignal;
  /** Warnings and errors of the children, and their unexpected ends. */
  readonly onTrouble: (text: string) => void;
}

/** NATS, coordinator and agents of a run on one machine, each a process of its own. */
export interface LocalCluster {
  readonly url: string;
  /** Rejects when a part ends without which no run can go on; never resolves. */
  readonly broken: Promise<never>;
  /** Ends every process. May be called twice. */
  close(): Promise<void>;
}

/** Starts them, and resolves once the coordinator is there. Throws what the part that failed said. */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), "tokenstorm-nats-"));
  const children: Child[] = [];
  let nats: RunningNatsServer | undefined;
  let isClosing = false;
  let closing: Promise<void> | undefined;
  // NATS last: the others say their goodbye through it.
  const closeAll = async () => {
    isClosing = true;
    await Promise.all(children.map((child) => child.close()));
    await nats?.close();
    await rm(dataDir, { recursive: true, force: true });
  };
  const close = () => {
    closing ??= closeAll();
    return closing;
  };
  const parts = new Parts(
    options,
    (child) => children.push(child),
    () => isClosing,
  );
  try {
    nats = await startNatsServer({ bin: options.bin, dataDir });
    void nats.ended.then((said) => parts.fail(`the nats-server ended${said === "" ? "" : `: ${said}`}`));
    const access = ["--nats", nats.url];
    const coordinator = parts.start(
      "coordinator",
      ["coordinator", ...access, "--no-http", "--out", options.out],
      "vital",
    );
    const labels = Object.entries(options.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
    for (let i = 1; i <= options.processes; i += 1) {
      const id = `local-${i}`;
      const args = ["agent", ...access, "--id", id, "--processes", "1", "--wait", ...labels];
      parts.start(`agent ${id}`, args, "one of several");
    }
    await Promise.race([coordinator, parts.broken, parts.failOn(options.signal)]);
    return { url: nats.url, broken: parts.broken, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The processes of a cluster, and what becomes of it when one ends. */
class Parts {
  readonly broken: Promise<never>;
  readonly #options: LocalClusterOptions;
  readonly #keep: (child: Child) => void;
  readonly #isClosing: () => boolean;
  #reject: (error: Error) => void = () => undefined;

  constructor(options: LocalClusterOptions, keep: (child: Child) => void, isClosing: () => boolean) {
    this.#options = options;
    this.#keep = keep;
    this.#isClosing = isClosing;
    this.broken = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    this.broken.catch(() => undefined);
  }

  fail(message: string, hint?: string): void {
    if (!this.#isClosing()) this.#reject(new LoadError("RUN_ABORTED", message, { hint }));
  }

  failOn(signal: AbortSignal): Promise<never> {
    const fail = () => this.fail("interrupted before the run began");
    signal.addEventListener("abort", fail, { once: true });
    if (signal.aborted) fail();
    return this.broken;
  }

  /** Resolves with the first thing that it tells us: it is ready. */
  start(name: string, args: readonly string[], role: "vital" | "one of several"): Promise<unknown> {
    let tell: (message: unknown) => void = () => undefined;
    const ready = new Promise<unknown>((resolve) => {
      tell = resolve;
    });
    const limit = setTimeout(() => {
      const seconds = START_LIMIT_MS / 1000;
      if (role === "vital") this.fail(`the ${name} was not ready within ${seconds} s`);
    }, START_LIMIT_MS);
    const child = startChild({
      name,
      args,
      // This command is no service: nobody asks for its health, and what the parts tell it is that they are ready.
      env: { [HEALTH_ENV]: "" },
      onMessage: (message) => {
        clearTimeout(limit);
        tell(message);
      },
      onLine: (line) => {
        const trouble = troubleIn(line);
        if (trouble !== undefined) this.#options.onTrouble(`${name}: ${trouble}`);
      },
    });
    this.#keep(child);
    void child.ended.then((end) => {
      clearTimeout(limit);
      const { message, hint } = describeEnd(child, end);
      if (role === "vital") this.fail(message, hint);
      else if (!this.#isClosing()) this.#options.onTrouble(message);
    });
    return ready;
  }
}

/** Logged warnings and errors; the last words of a child that fails are told with its end, or at once with --debug. */
function troubleIn(line: string): string | undefined {
  const entry = parseLine(line);
  if (entry === undefined && process.env[DEBUG_ENV] === "1") return line;
  return Number(entry?.["level"]) >= 40 ? String(entry?.["msg"] ?? "") : undefined;
}

function describeEnd(child: Child, end: ChildEnd): { message: string; hint?: string } {
  const last = child.lastError();
  if (last !== undefined) return { ...last, message: `the ${child.name} ended: ${last.message}` };
  return {
    message: `the ${child.name} ended ${end.signal === null ? `with code ${end.code}` : `by ${end.signal}`}`,
  };
}
