import { join, resolve } from "node:path";
import type { HttpApi } from "@tokenstorm/api";
import { runDirectoryName } from "@tokenstorm/coordinator";
import { type Subjects, systemClock, type Transport } from "@tokenstorm/protocol";
import type { Logger } from "pino";
import { newId } from "./cluster.js";
import type { HttpAccess } from "./http-options.js";
import { VERSION } from "./packaging.js";
import { plainLogger } from "./plain-logger.js";

export interface CoordinatorApiOptions {
  /** The coordinator's own. */
  readonly transport: Transport;
  readonly subjects: Subjects;
  /** Folder of the run directories. */
  readonly out: string;
  readonly log: Logger;
  readonly http: HttpAccess;
  readonly instance: string;
}

/** The HTTP API of the coordinator in this process. Whoever starts it closes it. */
export async function startCoordinatorApi(options: CoordinatorApiOptions): Promise<HttpApi> {
  // Loaded where it is wanted: the coordinator that `run` starts for itself has none.
  const { startHttpApi } = await import("@tokenstorm/api");
  const { transport, subjects, out, http } = options;
  return startHttpApi({
    cluster: { transport, subjects },
    clock: systemClock(),
    newId,
    instance: options.instance,
    version: VERSION,
    logger: plainLogger(options.log),
    runDirectory: (record) => join(resolve(out), runDirectoryName(record)),
    ...http,
  });
}
