import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { availableParallelism, hostname } from "node:os";
import { join, resolve } from "node:path";
import {
  type Agent,
  cachedDataSets,
  createAgent,
  createTarget,
  createVitals,
  guardSecrets,
  rehearseAhead,
  type SecretGuard,
} from "@tokenstorm/agent";
import { LoadError, type TargetRule } from "@tokenstorm/core";
import { type Subjects, systemClock, type Transport } from "@tokenstorm/protocol";
import type { Logger as Pino } from "pino";
import { calibrationPath, knownCapacity } from "./calibrate/calibration-file.js";
import { dataSetFolder } from "./data-set-folder.js";
import { withDebugStamps } from "./debug-stamps.js";
import { VERSION } from "./packaging.js";
import { plainLogger } from "./plain-logger.js";
import { makeFolder } from "./run-directory.js";

export interface AgentProcessOptions {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where it may send; none allows everything. */
  readonly allowTarget: readonly TargetRule[];
  /** Variables and files that plans may name for a key, and those that they never may. */
  readonly secrets: Pick<SecretGuard, "allowed" | "reserved">;
  readonly log: Pino;
  /** Folder for results that could not be delivered. */
  readonly spool: string;
  /** Folder for the stamps of every event, where they are wanted. */
  readonly debugStamps?: string | undefined;
}

/** Data sets that are kept on a host. */
const CACHED_BYTES = 1024 * 1024 * 1024;

/** An agent in this process, with everything of the world that it needs. Whoever runs it closes it and the transport. */
export function createProcessAgent(options: AgentProcessOptions): Agent {
  const { transport } = options;
  const clock = systemClock();
  const vitals = createVitals({
    nowUs: clock.nowUs,
    onNoProbe: (why) =>
      options.log.warn({ why }, "no self-probe: event-loop delay alone says how good stamps are"),
  });
  const { capacity, note } = knownCapacity(calibrationPath(options.env));
  if (note !== null) options.log.warn(note);
  const rehearsal = rehearseAhead(clock.nowUs);
  const guard = { rules: options.allowTarget, agent: options.id };
  const agent = createAgent({
    id: options.id,
    instance: randomUUID(),
    host: hostname(),
    pid: process.pid,
    version: VERSION,
    cores: availableParallelism(),
    labels: options.labels,
    clock,
    bus: transport.bus,
    log: transport.log,
    state: transport.state,
    dataSets: cachedDataSets(transport.dataSets, {
      folder: dataSetFolder(options.env),
      maxBytes: CACHED_BYTES,
      logger: plainLogger(options.log),
    }),
    subjects: options.subjects,
    targets: guardSecrets(
      withDebugStamps((wanted) => createTarget(wanted, clock, guard), {
        folder: options.debugStamps,
        agent: options.id,
        log: options.log,
      }),
      { ...options.secrets, agent: options.id },
    ),
    env: options.env,
    options: retention(options.env),
    vitals,
    capacity,
    rehearse: rehearsal.fresh,
    logger: plainLogger(options.log),
    writeSpool: async (name, bytes) => {
      const file = join(resolve(options.spool), name);
      await makeFolder(options.spool);
      // Nobody else has it: on the disk itself before the process says so.
      const handle = await open(file, "w");
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      return file;
    },
  });
  return {
    run: async () => {
      try {
        const running = agent.run();
        // While it waits for its first run, which begins so much sooner.
        rehearsal.begin();
        return await running;
      } finally {
        vitals.close();
      }
    },
    close: (how) => agent.close(how),
  };
}

/** Memory for results that no coordinator has confirmed, in bytes; docs/reliability.md says what a smaller one costs. */
export const RETAIN_ENV = "TOKENSTORM_RETAIN_BYTES";

function retention(env: Readonly<Record<string, string | undefined>>): { readonly retainBytes?: number } {
  const text = env[RETAIN_ENV];
  if (text === undefined || text === "") return {};
  const retainBytes = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(retainBytes)) return { retainBytes };
  throw new LoadError("AGENT_NOT_READY", `${RETAIN_ENV} is "${text.slice(0, 40)}"`, {
    hint: "give a number of bytes, or leave it out for 64 MiB",
  });
}
