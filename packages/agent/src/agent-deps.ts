import type { Capacity, Clock } from "@tokenstorm/core";
import type { Bus, ResultLog, StateStore, Subjects } from "@tokenstorm/protocol";
import type { DataSetFetcher } from "./data-set-cache.js";
import type { Logger } from "./logger.js";
import type { TargetFactory } from "./target/target.js";
import type { VitalsSource } from "./vitals.js";

export interface AgentOptions {
  readonly heartbeatMs: number;
  /** Memory for results that the leader has not confirmed, of one run. */
  readonly retainBytes: number;
  readonly appendTimeoutMs: number;
  /** Appends that wait for their acknowledgement at once. */
  readonly appendWindow: number;
  /** Memory for request bodies that are built ahead of their time. */
  readonly aheadBytes: number;
  /** Most descriptors that this process may open; 0 where unknown, then a plan's need is not checked. */
  readonly descriptorLimit: number;
}

/** `descriptorLimit` is the vitals source's unless it is given. */
export const AGENT_DEFAULTS: Omit<AgentOptions, "descriptorLimit"> = {
  heartbeatMs: 1000,
  retainBytes: 64 * 1024 * 1024,
  appendTimeoutMs: 5000,
  appendWindow: 8,
  aheadBytes: 64 * 1024 * 1024,
};

/** All of the world that an agent touches. `...transport` gives the four channels. */
export interface AgentDeps {
  readonly id: string;
  /** Of this process alone: another process with the same id is another instance. */
  readonly instance: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly cores: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly bus: Bus;
  readonly log: ResultLog;
  readonly state: StateStore;
  /** Where the files of plans come from. */
  readonly dataSets: DataSetFetcher;
  readonly subjects: Subjects;
  readonly targets: TargetFactory;
  /** Where a target finds its secrets by name. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly vitals: VitalsSource;
  /** What one process carries on this host, where it was calibrated. */
  readonly capacity?: Capacity | undefined;
  /** Called once a run is prepared, before it is armed: warms what the path of tokens will use. */
  readonly rehearse?: () => Promise<unknown>;
  readonly logger: Logger;
  /** Keeps results that nobody confirmed; gives the place at which a person finds them. */
  readonly writeSpool: (name: string, bytes: Uint8Array) => Promise<string>;
  readonly options?: Partial<AgentOptions>;
}

/** How an agent ended, having been closed. */
export interface AgentExit {
  /** 1 when results could not be delivered; they are in `spooled`. */
  readonly code: 0 | 1;
  /** Files with results that nobody confirmed. */
  readonly spooled: readonly string[];
}

export interface Agent {
  /**
   * Serves runs until closed. Throws LoadError: AGENT_NOT_READY when another process has this id, BUS_DENIED when the
   * server refuses what an agent needs, BUS_UNAVAILABLE when the connection has ended for good.
   */
  run(): Promise<AgentExit>;
  /**
   * Ends it: a run in progress sends nothing new, lets its requests finish within the grace time (`now`: cancels them)
   * and delivers. Resolves when all is over; may be called twice, the second time with `now`.
   */
  close(options?: { readonly now?: boolean }): Promise<void>;
}
