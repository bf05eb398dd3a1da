import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Coordinator, createCoordinator, createRunDirectory } from "@tokenstorm/coordinator";
import type { TargetRule } from "@tokenstorm/core";
import { type Subjects, systemClock, type Transport } from "@tokenstorm/protocol";
import type { Logger } from "pino";
import { createHttpGet } from "./http-get.js";
import { VERSION } from "./packaging.js";
import { plainLogger } from "./plain-logger.js";
import { sanitizedId } from "./process-id.js";

export interface CoordinatorProcessOptions {
  readonly transport: Transport;
  readonly subjects: Subjects;
  /** Folder of the run directories. */
  readonly out: string;
  /** Where it may read metrics; none allows everything. */
  readonly allowTarget: readonly TargetRule[];
  readonly log: Logger;
  readonly onLeading?: () => void;
  readonly onStandingBy?: () => void;
  /** Of this process alone, as its beacons name it; a fresh one by default. */
  readonly instance?: string;
}

/** A coordinator in this process, with everything of the world that it needs. Whoever runs it closes it. */
export function createProcessCoordinator(options: CoordinatorProcessOptions): Coordinator {
  return createCoordinator({
    id: sanitizedId(`${hostname()}-${process.pid}`),
    instance: options.instance ?? randomUUID(),
    version: VERSION,
    clock: systemClock(),
    transport: options.transport,
    subjects: options.subjects,
    logger: plainLogger(options.log),
    http: createHttpGet(options.allowTarget),
    store: createRunDirectory(options.out),
    // Loaded with the first run: a coordinator is there sooner without it.
    toYaml: async (plan) => (await import("yaml")).stringify(plan),
    onLeading: () => options.onLeading?.(),
    onStandingBy: () => options.onStandingBy?.(),
  });
}
