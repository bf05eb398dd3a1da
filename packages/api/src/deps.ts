import type { Clock, RunRecord } from "@tokenstorm/core";
import type { Cluster, Transport } from "@tokenstorm/protocol";
import type { ApiLimits } from "./limits.js";
import type { Logger } from "./logger.js";

export interface ApiAddress {
  /** An IP address to listen on. */
  readonly host: string;
  /** 0 for one that the system chooses. */
  readonly port: number;
  /** Where the port is taken, another one is better than none. */
  readonly orAnyPort: boolean;
}

/** All of the world that the API touches, beside the socket that it listens on. */
export interface ApiDeps {
  /** The coordinator's own connection: its beacons come back on it. */
  readonly cluster: Cluster & { readonly transport: Pick<Transport, "bus" | "state" | "blobs" | "dataSets"> };
  readonly clock: Clock;
  /** Fresh each time, of letters and digits. */
  readonly newId: (length: number) => string;
  /** Process of the coordinator whose API this is, as its beacons name it. */
  readonly instance: string;
  readonly version: string;
  readonly logger: Logger;
  /** Where the files of a run lie on this host, if it was led here. Decided here: a record may say anything. */
  readonly runDirectory: (record: RunRecord) => string;
  readonly address: ApiAddress;
  /** Asked of every request but /healthz; null for none, which only loopback may have. */
  readonly token: string | null;
  /** Names of this host beside the addresses it listens on, for the Host header. */
  readonly hostNames: readonly string[];
  readonly limits?: Partial<ApiLimits>;
}
