import type { BlobStore } from "../blob-store.js";
import { copyOf } from "../copy-of.js";
import { type Connection, checkOpen } from "./connection.js";

export interface MemoryBlobs {
  connect(connection: Connection): BlobStore;
}

export function createMemoryBlobs(): MemoryBlobs {
  const blobs = new Map<string, Uint8Array>();
  return {
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
