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
  readonly logLevel: string;
  readonly log: Logger;
  readonly context: CommandContext;
}

/**
 * Runs N agents as processes of their own, with room for their heaps, and passes signals on. One alone keeps the plain id. One that ends before it was told to is reported and
 * not started again: an agent that comes back is another instance, and its run has lost it already. Resolves when all
 * have ended, with the worst of their exit codes.
 */
export async function superviseAgents(options: SupervisorOptions): Promise<number> {
  const { log, processes } = options;
  let isEnding = false;
  const said = new Set<string>();
  const ids = agentIds(options);
  const many = healthOfMany(processes);
  const health = await tellHealth({ ...options.context, isFit: many.areFit });
  const children = ids.map((id, i) =>
    startAgent(id, options, { said, onMessage: (word) => many.heed(i, word) }),
  );
  log.info({ processes, ids: [...new Set([ids[0], ids.at(-1)])].join(" to ") }, "agent processes started");
  const interrupts = onInterrupt((count, cause) => {
    isEnding = true;
    log.info({ cause }, count === 1 ? "ending; requests in flight may finish" : "ending at once");
    for (const child of children) {
      if (count === 1) child.signal("SIGTERM");
      else void child.close();
    }
  });
  const codes = await Promise.all(
    children.map(async (child) => {
      const end = await child.ended;
      if (!isEnding) reportEnd(child, end, { log, isLast: processes === 1 });
      return isEnding && end.code !== EXIT.error ? EXIT.ok : (end.code ?? EXIT.error);
    }),
  );
  interrupts.close();
  await health.close();
  return Math.max(...codes);
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

function reportEnd(child: Child, end: ChildEnd, { log, isLast }: { log: Logger; isLast: boolean }): void {
  const how = end.signal === null ? `code ${end.code}` : end.signal;
  if (end.code === EXIT.ok) log.info(`${child.name} has ended`);
  // What it said of its end has been passed on.
  else if (!isLast || child.lastError() === undefined)
    log.error(`${child.name} has ended by itself, with ${how}${isLast ? "" : "; the others go on"}`);
}
