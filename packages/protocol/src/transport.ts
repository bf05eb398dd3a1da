import type { BlobStore } from "./blob-store.js";
import type { Bus } from "./bus.js";
import type { DataSetStore } from "./data-set-store.js";
import type { ResultLog } from "./result-log.js";
import type { StateStore } from "./state-store.js";

/** All four channels of one connection; whoever opened it closes it. */
export interface Transport {
  readonly kind: "nats" | "memory";
  readonly bus: Bus;
  readonly log: ResultLog;
  readonly state: StateStore;
  readonly blobs: BlobStore;
  /** Files of plans by their SHA-256 (hex), in a place of their own: agents may read it, and no other blob. */
  readonly dataSets: DataSetStore;
  /** Server version and address, for logs; null in memory. */
  readonly server: {
    readonly version: string;
    readonly url: string;
    /** It asks for no user: whoever reaches it can do everything. */
    readonly isOpen: boolean;
  } | null;
  /** Hands over what is still to be sent, at most for 2 s, then closes. May be called twice. */
  close(): Promise<void>;
}
