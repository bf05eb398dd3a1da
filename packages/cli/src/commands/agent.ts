import type { AgentExit } from "@tokenstorm/agent";
import { autoProcesses } from "@tokenstorm/agent/host";
import { LoadError, rulesText, type TargetRule } from "@tokenstorm/core";
import { subjects } from "@tokenstorm/protocol";
import { connectNats } from "@tokenstorm/protocol/nats";
import type { Command } from "commander";
import type { Logger } from "pino";
import { superviseAgents } from "../agent-supervisor.js";
import { type AllowSecretFlags, addAllowSecretFlag, allowedSecrets } from "../allow-secret.js";
import { type AllowTargetFlags, addAllowTargetFlag, allowedTargets } from "../allow-target.js";
import type { CommandContext } from "../context.js";
import { DEBUG_STAMPS_ENV } from "../debug-stamps-env.js";
import { EXIT } from "../exit-codes.js";
import { tellHealth, watchConnection } from "../health.js";
import { hasHeapRoom } from "../heap-room.js";
import { onInterrupt } from "../interrupt.js";
import { createLog, LOG_LEVELS, type LogLevel } from "../log.js";
import { addNatsFlags, type NatsAccess, type NatsFlags, natsSecrets, requireNats } from "../nats-options.js";
import { agentId, label, oneOf, processCount } from "../parse-arguments.js";
import { defaultAgentId } from "../process-id.js";

interface AgentFlags extends NatsFlags, AllowTargetFlags, AllowSecretFlags {
  readonly id?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly processes: number | "auto";
  readonly wait?: boolean;
  readonly spool: string;
  readonly debugStamps?: string;
  readonly logLevel: LogLevel;
}

/** After the second signal, and when the parent process is gone: then the process leaves, whatever it is doing. */
const CUT_LIMIT_MS = 3000;

export function addAgent(program: Command, context: CommandContext): void {
  const command = program.command("agent").description("send load: join the cluster behind a NATS server");
  addAllowSecretFlag(addAllowTargetFlag(addNatsFlags(command), "where it may send"))
    .option("--id <name>", "name of this agent; its host and process id by default", agentId)
    .option("--label <key=value>", "what plans may ask for (may be repeated)", label)
    .option(
      "--processes <n|auto>",
      "processes on this host; auto goes by the CPUs it may use",
      processCount,
      "auto",
    )
    .option("--wait", "wait for NATS and for a coordinator that are not there yet")
    .option("--spool <dir>", "folder for results that could not be delivered", ".")
    .option(
      "--debug-stamps <dir>",
      `folder for every event's stamp of each run, written at its end, to debug the agent itself (${DEBUG_STAMPS_ENV})`,
    )
    .option("--log-level <level>", LOG_LEVELS.join(", "), oneOf(LOG_LEVELS), "info")
    .action((flags: AgentFlags) => {
      const access = requireNats(command, flags, context.env);
      const allowTarget = allowedTargets(command, flags, context.env);
      const allowSecret = allowedSecrets(flags, context.env);
      return context.finish(agent({ ...flags, allowTarget, allowSecret }, access, context));
    });
}

/** With the rules, wherever they were given. */
interface AgentSettings extends AgentFlags {
  readonly allowTarget: readonly TargetRule[];
  readonly allowSecret: readonly string[];
}

async function agent(flags: AgentSettings, access: NatsAccess, context: CommandContext): Promise<number> {
  const id = flags.id ?? defaultAgentId();
  const processes = flags.processes === "auto" ? autoProcesses() : flags.processes;
  const log = createLog(context.terminal, { level: flags.logLevel, name: id });
  if (processes > 1 || !hasHeapRoom()) return superviseAgents({ ...flags, id, processes, log, context });
  return serve(id, flags, { access, context, log });
}

interface World {
  readonly access: NatsAccess;
  readonly context: CommandContext;
  readonly log: Logger;
}

async function serve(id: string, flags: AgentSettings, { access, context, log }: World): Promise<number> {
  const waiting = new AbortController();
  let close: (now: boolean) => void = () => waiting.abort();
  const interrupts = onInterrupt((count, cause) => {
    log.info({ cause }, count === 1 ? "ending; requests in flight may finish" : "ending at once");
    if (count > 1) setTimeout(() => process.exit(EXIT.stopped), CUT_LIMIT_MS).unref();
    close(count > 1);
  });
  let isConnected = () => false;
  const health = await tellHealth({ ...context, isFit: () => isConnected() });
  try {
    const connecting = connectNats({
      ...access,
      role: "agent",
      name: `tokenstorm agent ${id}`,
      waitOnFirstConnect: flags.wait === true,
      signal: waiting.signal,
      onWaiting: (why) => log.info(`waiting: ${why.message}`),
    });
    // What sends is loaded while NATS answers; whoever only watches over other processes never needs it.
    const [transport, { createProcessAgent }] = await Promise.all([
      connecting,
      import("../agent-process.js"),
    ]);
    isConnected = watchConnection(transport.bus);
    try {
      const { labels, spool } = { labels: flags.label ?? {}, spool: flags.spool };
      const names = subjects(access.prefix);
      const one = createProcessAgent({
        id,
        labels,
        transport,
        subjects: names,
        env: context.env,
        allowTarget: flags.allowTarget,
        secrets: { allowed: flags.allowSecret, reserved: natsSecrets(flags, access) },
        log,
        spool,
        debugStamps: flags.debugStamps ?? context.env[DEBUG_STAMPS_ENV],
      });
      close = (now) => void one.close({ now });
      if (waiting.signal.aborted) return EXIT.ok;
      log.info({ server: transport.server?.url, pid: process.pid }, "connected to NATS");
      if (flags.allowTarget.length > 0)
        log.info({ rules: rulesText(flags.allowTarget) }, "targets are bounded");
      context.announce({ kind: "ready" });
      return exitOf(await one.run(), log);
    } finally {
      await transport.close();
    }
  } catch (error) {
    // A wait that a signal has ended is no failure.
    if (waiting.signal.aborted && error instanceof LoadError) return EXIT.ok;
    throw error;
  } finally {
    interrupts.close();
    await health.close();
  }
}

function exitOf(exit: AgentExit, log: Logger): number {
  for (const file of exit.spooled) log.error({ file }, "results could not be delivered: they are in a file");
  return exit.code;
}
