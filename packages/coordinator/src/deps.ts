import type { Clock, TestPlan } from "@tokenstorm/core";
import type { Subjects, Transport } from "@tokenstorm/protocol";
import type { Logger } from "./logger.js";
import type { RunDirectoryStore } from "./run-directory.js";

/** One GET: rejects where no answer came within the limit, with a reason for a person; with a LoadError where it may not be made. */
export type HttpGet = (
  url: string,
  options: { readonly timeoutMs: number },
) => Promise<{ readonly status: number; readonly body: string }>;

/** All of the world that a coordinator touches. */
export interface CoordinatorDeps {
  readonly id: string;
  /** Of this process alone. */
  readonly instance: string;
  readonly version: string;
  readonly clock: Clock;
  readonly transport: Pick<Transport, "kind" | "bus" | "log" | "state" | "blobs" | "dataSets">;
  readonly subjects: Subjects;
  readonly logger: Logger;
  /** For the target's metrics. */
  readonly http: HttpGet;
  readonly store: RunDirectoryStore;
  /** How long room on a full disk is waited for at the end of a run; an hour where it is not given. */
  readonly diskWaitMs?: number;
  /** The plan as it is kept in the run directory. */
  readonly toYaml: (plan: TestPlan) => string | Promise<string>;
  /** It leads now: runs will be found. */
  readonly onLeading?: (term: number) => void;
  /** Another one leads; this one takes over when that falls silent. */
  readonly onStandingBy?: (leader: string, term: number) => void;
}

export interface Coordinator {
  /**
   * Leads runs, or stands by while another coordinator does, until closed. Throws LoadError: BUS_DENIED when the server
   * refuses what a coordinator needs; BUS_UNAVAILABLE when the connection has ended for good.
   */
  run(): Promise<void>;
  /** Ends the run that is led, within some seconds, and gives up the lead. May be called twice. */
  close(): Promise<void>;
}
