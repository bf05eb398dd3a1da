import { randomUUID } from "node:crypto";
import type { HttpApi } from "@tokenstorm/api";
import { subjects } from "@tokenstorm/protocol";
import { connectNats } from "@tokenstorm/protocol/nats";
import type { Command } from "commander";
import type { CommandContext } from "../context.js";
import { startCoordinatorApi } from "../coordinator-api.js";
import { createProcessCoordinator } from "../coordinator-process.js";
import { EXIT } from "../exit-codes.js";
import { addHttpFlags, type HttpAccess, type HttpFlags, httpAccess } from "../http-options.js";
import { onInterrupt } from "../interrupt.js";
import { createLog, LOG_LEVELS, type LogLevel } from "../log.js";
import { addNatsFlags, type NatsAccess, type NatsFlags, requireNats } from "../nats-options.js";
import { oneOf } from "../parse-arguments.js";
import { DEFAULT_OUT, makeOutFolder } from "../run-directory.js";

interface CoordinatorFlags extends NatsFlags, HttpFlags {
  readonly out: string;
  readonly wait?: boolean;
  readonly logLevel: LogLevel;
}

/** Its own end of a run takes some seconds; after that, or the second signal, the process leaves. */
const CLOSE_LIMIT_MS = 8000;

export function addCoordinator(program: Command, context: CommandContext): void {
  const command = program.command("coordinator").description("lead runs, and keep their results");
  addHttpFlags(addNatsFlags(command))
    .option("--out <dir>", "folder of the run directories", DEFAULT_OUT)
    .option("--wait", "wait for a NATS server that is not there yet")
    .option("--log-level <level>", LOG_LEVELS.join(", "), oneOf(LOG_LEVELS), "info")
    .action((flags: CoordinatorFlags) => {
      const access = requireNats(command, flags, context.env);
      const http = httpAccess(command, flags, context.env);
      return context.finish(coordinator(flags, { access, http }, context));
    });
}

async function coordinator(
  flags: CoordinatorFlags,
  { access, http }: { readonly access: NatsAccess; readonly http: HttpAccess | undefined },
  context: CommandContext,
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
  try {
    const transport = await connectNats({
      ...access,
      role: "coordinator",
      name: "tokenstorm coordinator",
      waitOnFirstConnect: flags.wait === true,
      signal: waiting.signal,
      onWaiting: (why) => log.info(`waiting: ${why.message}`),
    });
    try {
      const names = subjects(access.prefix);
      const { out } = flags;
      const instance = randomUUID();
      const onLeading = () => context.announce({ kind: "ready" });
      const leader = createProcessCoordinator({ transport, subjects: names, out, log, onLeading, instance });
      close = () => void leader.close();
      if (waiting.signal.aborted) return EXIT.ok;
      // Before it leads, so that whoever asks for its health hears why not.
      api = http && (await startCoordinatorApi({ transport, subjects: names, out, log, http, instance }));
      log.info({ server: transport.server?.url, out, http: api?.url }, "connected to NATS");
      await leader.run();
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
  }
}
