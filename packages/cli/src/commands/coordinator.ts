import { randomUUID } from "node:crypto";
import type { HttpApi } from "@tokenstorm/api";
import { isLoopbackHost, LoadError, type TargetRule } from "@tokenstorm/core";
import { subjects, type Transport } from "@tokenstorm/protocol";
import { connectNats, REPLICAS, type Replicas } from "@tokenstorm/protocol/nats";
import type { Command } from "commander";
import type { Logger } from "pino";
import { type AllowTargetFlags, addAllowTargetFlag, allowedTargets } from "../allow-target.js";
import type { CommandContext } from "../context.js";
import { startCoordinatorApi } from "../coordinator-api.js";
import { createProcessCoordinator } from "../coordinator-process.js";
import { EXIT } from "../exit-codes.js";
import { tellHealth, watchConnection } from "../health.js";
import { addHttpFlags, type HttpAccess, type HttpFlags, httpAccess } from "../http-options.js";
import { onInterrupt } from "../interrupt.js";
import { joinLines, joinUrl } from "../listen/join-lines.js";
import { addListenFlags, type ListenFlags, listeningOptions } from "../listen/listen-flags.js";
import { type ListeningServer, startListening } from "../listen/listening-server.js";
import { createLog, LOG_LEVELS, type LogLevel } from "../log.js";
import { addNatsFlags, type NatsAccess, type NatsFlags, requireNats } from "../nats-options.js";
import { oneOf, oneOfNumbers } from "../parse-arguments.js";
import { DEFAULT_OUT, makeOutFolder } from "../run-directory.js";

interface CoordinatorFlags extends NatsFlags, ListenFlags, AllowTargetFlags, HttpFlags {
  readonly out: string;
  readonly natsReplicas?: Replicas;
  readonly wait?: boolean;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

/** Its own end of a run takes some seconds; after that, or the second signal, the process leaves. */
const CLOSE_LIMIT_MS = 8000;

export function addCoordinator(program: Command, context: CommandContext): void {
  const command = program.command("coordinator").description("lead runs, and keep their results");
  addHttpFlags(
    addAllowTargetFlag(addNatsFlags(addListenFlags(command)), "where it may read a target's metrics"),
  )
    .option("--out <dir>", "folder of the run directories", DEFAULT_OUT)
    .option(
      "--nats-replicas <n>",
      "copies of streams and buckets on servers of a NATS cluster; 3 by default where it has room, else 1",
      oneOfNumbers(REPLICAS),
    )
    .option("--wait", "wait for a NATS server that is not there yet")
    .option("--json", "with --listen: the addresses to join, as a line of JSON")
    .option("--log-level <level>", LOG_LEVELS.join(", "), oneOf(LOG_LEVELS), "info")
    .action((flags: CoordinatorFlags) => {
      const allowTarget = allowedTargets(command, flags, context.env);
      return context.finish(openAndLead(command, { ...flags, allowTarget }, context));
    });
}

/** With the rules, wherever they were given. */
interface CoordinatorSettings extends CoordinatorFlags {
  readonly allowTarget: readonly TargetRule[];
}

/** Behind a NATS that is there, or one that it starts itself and ends with itself. */
async function openAndLead(
  command: Command,
  flags: CoordinatorSettings,
  context: CommandContext,
): Promise<number> {
  const http = httpAccess(command, flags, context.env);
  const listening = await listeningOptions(command, flags, context);
  if (listening === undefined)
    return coordinator(flags, { access: requireNats(command, flags, context.env), http, context });
  const server = await startListening(listening);
  try {
    return await coordinator(flags, { access: server.access, http, context, server });
  } finally {
    await server.close();
  }
}

interface World {
  readonly access: NatsAccess;
  readonly http: HttpAccess | undefined;
  readonly context: CommandContext;
  /** The NATS that this coordinator started. */
  readonly server?: ListeningServer;
}

async function coordinator(
  flags: CoordinatorSettings,
  { access, http, context, server }: World,
): Promise<number> {
  await makeOutFolder(flags.out);
  const log = createLog(context.terminal, { level: flags.logLevel, name: "coordinator" });
  const waiting = new AbortController();
  let close: () => void = () => waiting.abort();
  let api: HttpApi | undefined;
  const interrupts = onInterrupt((count, cause) => {
    if (count > 1 && cause.startsWith("SIG")) process.exit(EXIT.stopped);
    log.info({ cause }, "ending");
    setTimeout(() => process.exit(EXIT.stopped), CLOSE_LIMIT_MS).unref();
    close();
  });
  // It leads, or another one does and this one waits for it to fall silent.
  let isFit = false;
  let isConnected = () => false;
  const health = await tellHealth({ ...context, isFit: () => isFit && isConnected() });
  try {
    const transport = await connectNats({
      ...access,
      role: "coordinator",
      name: "tokenstorm coordinator",
      replicas: flags.natsReplicas,
      onWarning: (text) => log.warn(text),
      waitOnFirstConnect: flags.wait === true,
      signal: waiting.signal,
      onWaiting: (why) => log.info(`waiting: ${why.message}`),
    });
    isConnected = watchConnection(transport.bus);
    try {
      const names = subjects(access.prefix);
      const { out, allowTarget } = flags;
      const instance = randomUUID();
      const onLeading = () => {
        isFit = true;
        context.announce({ kind: "ready" });
        if (server !== undefined) void context.terminal.print(joinText(server, flags));
      };
      const leader = createProcessCoordinator({
        transport,
        subjects: names,
        out,
        allowTarget,
        log,
        onLeading,
        onStandingBy: () => {
          isFit = true;
        },
        instance,
      });
      close = () => void leader.close();
      if (waiting.signal.aborted) return EXIT.ok;
      // Before it leads, so that whoever asks for its health hears why not.
      api = http && (await startCoordinatorApi({ transport, subjects: names, out, log, http, instance }));
      log.info({ server: transport.server?.url, out, http: api?.url }, "connected to NATS");
      warnIfOpen(transport.server, log);
      await Promise.race([leader.run(), ...(server === undefined ? [] : [brokenBy(server)])]);
      return EXIT.ok;
    } finally {
      await api?.close();
      await transport.close();
    }
  } catch (error) {
    if (waiting.signal.aborted) return EXIT.ok;
    throw error;
  } finally {
    interrupts.close();
    await health.close();
  }
}

/** Allowed, since it may be a closed network; but nobody should find it out too late. */
function warnIfOpen(server: Transport["server"], log: Logger): void {
  if (server === null || !server.isOpen || isLoopbackHost(new URL(server.url).hostname)) return;
  log.warn(
    `NATS at ${server.url} asks for no user: whoever reaches it can submit, stop and forge; coordinator --listen or docker/nats.conf have users`,
  );
}

function joinText({ joining }: ListeningServer, flags: CoordinatorFlags): string {
  if (flags.json !== true) return joinLines(joining);
  const { caFile, host, port } = joining;
  const urls = {
    agent: joinUrl(joining, "agent"),
    operator: joinUrl(joining, "operator"),
    viewer: joinUrl(joining, "viewer"),
  };
  return JSON.stringify({ host, port, urls, caFile });
}

/** Without its server a coordinator can do nothing; one that ends by itself has said why. */
async function brokenBy(server: ListeningServer): Promise<never> {
  const said = await server.ended;
  throw new LoadError("BUS_UNAVAILABLE", `the nats-server ended${said === "" ? "" : `: ${said}`}`);
}
