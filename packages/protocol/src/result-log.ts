import type { Subscription } from "./bus.js";

/** `snapshot` and `final` come from agents, `event` from the leader. */
export type ResultKind = "snapshot" | "final" | "event";

/** Names one result for ever; `resend` counts repeated deliveries, so that a lost one is not taken for a twin. */
export interface ResultId {
  readonly run: string;
  readonly agent: string;
  readonly epoch: number;
  readonly kind: ResultKind;
  readonly seq: number;
  readonly resend: number;
}

export interface LogEntry {
  /** Position in the log; grows, with gaps. */
  readonly position: number;
  readonly run: string;
  readonly agent: string;
  readonly kind: string;
  readonly data: Uint8Array;
}

/**
 * The durable path of results. An acknowledged entry survives a restart of the server; it is no fsync.
 * Entries may be seen twice, never in another order than that of the log.
 */
export interface ResultLog {
  /**
   * Resolves once stored; `duplicate` when the log already had this id from this same connection. Throws BUS_UNAVAILABLE when it was not
   * acknowledged within the limit (it may be stored all the same: publish the same id again), BUS_DENIED when refused.
   */
  append(
    id: ResultId,
    data: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<{ readonly duplicate: boolean }>;
  /** Every entry of the run from the first on, then new ones as they come, through outages. */
  follow(
    run: string,
    handler: (entry: LogEntry) => void,
    options?: { readonly onError?: (error: Error) => void },
  ): Promise<Subscription>;
  /** Runs of which it holds anything. */
  runs(): Promise<string[]>;
  /** Forgets a run. */
  purge(run: string): Promise<void>;
}
