import type { Clock } from "@tokenstorm/core";
import { storeOfDataSets } from "../data-set-store.js";
import { systemClock } from "../system-clock.js";
import type { Transport } from "../transport.js";
import { createMemoryBlobs } from "./blobs.js";
import { createSwitchboard } from "./bus.js";
import { createMemoryLog } from "./log.js";
import { createMemoryState } from "./state.js";

/** What several clients in one process share instead of a server. */
export interface MemoryHub {
  connect(): Transport;
}

/**
 * The channels in memory, with the manners of the real ones: nothing is handed over inside the call that sent it,
 * what was published stays as it was, wildcards are NATS's. For runs in one process and for tests; `clock` bounds
 * requests, so that they can wait in virtual time.
 */
export function createMemoryHub(options: { readonly clock?: Clock } = {}): MemoryHub {
  const switchboard = createSwitchboard(options.clock ?? systemClock());
  const log = createMemoryLog();
  const state = createMemoryState();
  const blobs = createMemoryBlobs();
  const dataSets = createMemoryBlobs();
  return {
    connect: () => {
      const connection = { isClosed: false };
      const bus = switchboard.connect(connection);
      const follower = log.connect(connection);
      return {
        kind: "memory",
        bus,
        log: follower,
        state: state.connect(connection),
        blobs: blobs.connect(connection),
        dataSets: storeOfDataSets({ ...dataSets.connect(connection), ageMs: dataSets.ageMs }),
        server: null,
        close: async () => {
          if (connection.isClosed) return;
          connection.isClosed = true;
          bus.disconnect();
          follower.disconnect();
        },
      };
    },
  };
}
