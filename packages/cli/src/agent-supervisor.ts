import type { TargetRule } from "@tokenstorm/core";
import type { Logger } from "pino";
import { allowSecretArgs } from "./allow-secret.js";
import { allowTargetArgs } from "./allow-target.js";
import { type Child, type ChildEnd, startChild } from "./child-processes.js";
import type { CommandContext } from "./context.js";
import { EXIT } from "./exit-codes.js";
import { healthOfMany, tellHealth } from "./health.js";
import { onInterrupt } from "./interrupt.js";
import { parseLine } from "./log.js";
import { childAccess, type NatsFlags } from "./nats-options.js";
import type { Terminal } from "./terminal.js";

export interface SupervisorOptions extends NatsFlags {
  readonly id: string;
  readonly processes: number;
  readonly label?: Readonly<Record<string, string>>;
  readonly wait?: boolean;
  readonly allowTarget: readonly TargetRule[];
  readonly allowSecret: readonly string[];
  readonly spool: string;
  readonly debugStamps?: string;
  readonly logLevel: string;
  readonly log: Logger;
  readonly context: CommandContext;
}

/** What a process says once it serves (commands/agent.ts). */
const READY_MESSAGE = "ready";

/**
 * Runs N agents as processes of their own, with room for their heaps, and passes signals on. One alone keeps the plain
 * id. One that ends before it was told to, or is killed while it ends, is reported; it is not started again: an agent
 * that comes back is another instance, and its run has lost it already. Resolves when all have ended, with the worst of
 * their exit codes.
 */
export async function superviseAgents(options: SupervisorOptions): Promise<number> {
  const { log, processes } = options;
  let signals = 0;
  const ready = new Set<number>();
  const said = new Set<string>();
  const ids = agentIds(options);
  const many = healthOfMany(processes);
  const health = await tellHealth({ ...options.context, isFit: many.areFit });
  const children = ids.map((id, i) =>
    startAgent(id, options, {
      said,
      onMessage: (word) => {
        if (isReadyWord(word)) ready.add(i);
        many.heed(i, word);
      },
    }),
  );
  log.info({ processes, ids: [...new Set([ids[0], ids.at(-1)])].join(" to ") }, "agent processes started");
  const interrupts = onInterrupt((count, cause) => {
    signals = count;
    log.info({ cause }, count === 1 ? "ending; requests in flight may finish" : "ending at once");
    for (const child of children) {
      if (count === 1) child.signal("SIGTERM");
      else void child.close();
    }
  });
  const codes = await Promise.all(
    children.map(async (child, i) => {
      const end = { ...(await child.ended), signals, wasReady: ready.has(i) };
      const code = agentEndCode(end);
      if (signals === 0 || code !== EXIT.ok) reportEnd(child, end, { log, isLast: processes === 1 });
      return code;
    }),
  );
  interrupts.close();
  await health.close();
  return Math.max(...codes);
}

/** How an agent process ended, and what was known of it then. */
export interface AgentEnd extends ChildEnd {
  /** How many had asked for the end. */
  readonly signals: number;
  /** It had begun to serve. */
  readonly wasReady: boolean;
}

/**
 * The exit code that an agent process's end stands for. Whatever ends it while it drains may have taken results that it
 * had not delivered, so only its own word counts as an orderly end: that it is done, or that it was told not to finish.
 */
export function agentEndCode({ code, signal, signals, wasReady }: AgentEnd): number {
  if (code === EXIT.stopped && signals > 1) return EXIT.ok;
  // What we passed on, before it could listen: it had nothing to lose.
  if (signal === "SIGTERM" && signals > 0 && !wasReady) return EXIT.ok;
  return code ?? EXIT.error;
}

function isReadyWord(message: unknown): boolean {
  return (
    typeof message === "object" && message !== null && "kind" in message && message.kind === READY_MESSAGE
  );
}

function agentIds({ id, processes }: Pick<SupervisorOptions, "id" | "processes">): string[] {
  return processes === 1 ? [id] : Array.from({ length: processes }, (_, i) => `${id}-${i + 1}`);
}

interface Heard {
  /** What children said outside their logs. */
  readonly said: Set<string>;
  readonly onMessage: (message: unknown) => void;
}

function startAgent(id: string, options: SupervisorOptions, { said, onMessage }: Heard): Child {
  const { log, context } = options;
  const access = childAccess(options);
  const labels = Object.entries(options.label ?? {}).flatMap(([key, value]) => [
    "--label",
    `${key}=${value}`,
  ]);
  return startChild({
    name: `agent ${id}`,
    args: [
      ...["agent", "--id", id, "--processes", "1", "--spool", options.spool, "--log-level", options.logLevel],
      ...(options.debugStamps === undefined ? [] : ["--debug-stamps", options.debugStamps]),
      ...(options.wait === true ? ["--wait"] : []),
      ...labels,
      ...allowTargetArgs(options.allowTarget),
      ...allowSecretArgs(options.allowSecret),
      ...access.args,
    ],
    env: access.env,
    onLine: (line) => passOn(line, { id, log, terminal: context.terminal, said }),
    onMessage,
  });
}

interface Listener extends Pick<SupervisorOptions, "id" | "log">, Pick<Heard, "said"> {
  readonly terminal: Terminal;
}

/** A child's log goes on as our own. What else it says is its last word, and told once, whoever says it. */
function passOn(line: string, { id, log, terminal, said }: Listener): void {
  const entry = parseLine(line);
  if (entry !== undefined) {
    const { level, time: _, name: __, msg, ...fields } = entry;
    const say = Number(level) >= 50 ? log.error : Number(level) >= 40 ? log.warn : log.info;
    say.call(log, { agent: id, ...fields }, String(msg ?? ""));
  } else if (!said.has(line)) {
    said.add(line);
    terminal.say(line);
  }
}

interface Witness extends Pick<SupervisorOptions, "log"> {
  /** No other process is left. */
  readonly isLast: boolean;
}

function reportEnd(child: Child, end: AgentEnd, { log, isLast }: Witness): void {
  const how = end.signal ?? `code ${end.code}`;
  if (end.code === EXIT.ok) log.info(`${child.name} has ended`);
  else if (end.signals > 0 && end.signal !== null)
    log.error(
      `${child.name} was killed by ${how} before it had ended in order: results that it had not delivered are lost`,
    );
  else if (end.signals > 0) log.error(`${child.name} was asked to end and ended with ${how}`);
  // What it said of its end has been passed on.
  else if (!isLast || end.signal !== null || child.lastError() === undefined)
    log.error(`${child.name} has ended by itself, with ${how}${isLast ? "" : "; the others go on"}`);
}
