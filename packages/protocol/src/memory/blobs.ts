import type { BlobStore } from "../blob-store.js";
import { copyOf } from "../copy-of.js";
import { type Connection, checkOpen } from "./connection.js";

export interface MemoryBlobs {
  connect(connection: Connection): BlobStore;
  /** 0 for what is there: nothing grows old in memory. */
  ageMs(name: string): Promise<number | undefined>;
}

export function createMemoryBlobs(): MemoryBlobs {
  const blobs = new Map<string, Uint8Array>();
  return {
    ageMs: async (name) => (blobs.has(name) ? 0 : undefined),
    connect: (connection) => ({
      put: async (name, data) => {
        checkOpen(connection);
        blobs.set(name, copyOf(data));
      },
      get: async (name) => {
        checkOpen(connection);
        const kept = blobs.get(name);
        return kept === undefined ? undefined : copyOf(kept);
      },
      delete: async (name) => {
        checkOpen(connection);
        blobs.delete(name);
      },
    }),
  };
}
