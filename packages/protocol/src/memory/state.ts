import { copyOf } from "../copy-of.js";
import { checkKey, type StateEntry, type StateStore } from "../state-store.js";
import { type Connection, checkOpen } from "./connection.js";

export interface MemoryState {
  connect(connection: Connection): StateStore;
}

/** Keys and values in memory; revisions count the writes of the whole store, as those of a KV bucket do. */
export function createMemoryState(): MemoryState {
  const entries = new Map<string, StateEntry>();
  let revision = 0;
  return {
    connect: (connection) => ({
      get: async (key) => {
        checkOpen(connection);
        const entry = entries.get(key);
        return entry === undefined ? undefined : { ...entry, value: copyOf(entry.value) };
      },
      compareAndSet: async (key, value, expected) => {
        checkOpen(connection);
        checkKey(key);
        if (entries.get(key)?.revision !== expected) return undefined;
        revision += 1;
        entries.set(key, { key, value: copyOf(value), revision });
        return revision;
      },
      keys: async (prefix) => {
        checkOpen(connection);
        return [...entries.keys()].filter((key) => key.startsWith(prefix));
      },
      delete: async (key) => {
        checkOpen(connection);
        entries.delete(key);
      },
    }),
  };
}
