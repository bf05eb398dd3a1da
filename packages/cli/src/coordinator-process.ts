import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Coordinator, createCoordinator, createRunDirectory } from "@tokenstorm/coordinator";
import { type Subjects, systemClock, type Transport } from "@tokenstorm/protocol";
import type { Logger } from "pino";
import { stringify } from "yaml";
import { plainLogger, sanitizedId } from "./agent-process.js";
import { httpGet } from "./http-get.js";
import { VERSION } from "./packaging.js";

export interface CoordinatorProcessOptions {
  readonly transport: Transport;
  readonly subjects: Subjects;
  /** Folder of the run directories. */
  readonly out: string;
  readonly log: Logger;
  readonly onLeading?: () => void;
}

/** A coordinator in this process, with everything of the world that it needs. Whoever runs it closes it. */
export function createProcessCoordinator(options: CoordinatorProcessOptions): Coordinator {
  return createCoordinator({
    id: sanitizedId(`${hostname()}-${process.pid}`),
    instance: randomUUID(),
    version: VERSION,
    clock: systemClock(),
    transport: options.transport,
    subjects: options.subjects,
    logger: plainLogger(options.log),
    http: httpGet,
    store: createRunDirectory(options.out),
    toYaml: (plan) => stringify(plan),
    onLeading: () => options.onLeading?.(),
  });
}
