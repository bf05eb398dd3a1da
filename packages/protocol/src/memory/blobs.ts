import type { BlobStore } from "../blob-store.js";
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
        blobs.set(name, data.slice());
      },
      get: async (name) => {
        checkOpen(connection);
        return blobs.get(name)?.slice();
      },
      delete: async (name) => {
        checkOpen(connection);
        blobs.delete(name);
      },
    }),
  };
}
