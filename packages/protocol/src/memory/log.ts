import { copyOf } from "../copy-of.js";
import type { LogEntry, ResultLog } from "../result-log.js";
import { checkedId } from "../subjects.js";
import { type Connection, checkOpen } from "./connection.js";

interface Run {
  readonly ids: Set<string>;
  readonly entries: LogEntry[];
  readonly followers: Set<Follower>;
}

interface Follower {
  readonly handler: (entry: LogEntry) => void;
  isOpen: boolean;
}

export interface MemoryLog {
  connect(connection: Connection): ResultLog & { disconnect(): void };
}

/** Results in memory, one log for all runs; duplicates are known for as long as the run is. */
export function createMemoryLog(): MemoryLog {
  const runs = new Map<string, Run>();
  let position = 0;
  const runOf = (name: string): Run => {
    const run = runs.get(checkedId(name)) ?? { ids: new Set(), entries: [], followers: new Set() };
    runs.set(name, run);
    return run;
  };
  const deliver = (follower: Follower, entry: LogEntry) =>
    queueMicrotask(() => {
      if (follower.isOpen) follower.handler(entry);
    });
  return {
    connect: (connection) => {
      const own = new Set<() => void>();
      return {
        append: async (id, data) => {
          checkOpen(connection);
          const run = runOf(id.run);
          const key = [checkedId(id.agent), id.epoch, id.kind, id.seq, id.resend].join(":");
          if (run.ids.has(key)) return { duplicate: true };
          run.ids.add(key);
          position += 1;
          const entry = { position, run: id.run, agent: id.agent, kind: id.kind, data: copyOf(data) };
          run.entries.push(entry);
          for (const follower of run.followers) deliver(follower, entry);
          return { duplicate: false };
        },
        follow: async (name, handler) => {
          checkOpen(connection);
          const run = runOf(name);
          const follower: Follower = { handler, isOpen: true };
          for (const entry of run.entries) deliver(follower, entry);
          run.followers.add(follower);
          const close = () => {
            follower.isOpen = false;
            run.followers.delete(follower);
            own.delete(close);
          };
          own.add(close);
          return { close };
        },
        runs: async () => {
          checkOpen(connection);
          return [...runs].flatMap(([name, { entries }]) => (entries.length === 0 ? [] : [name]));
        },
        purge: async (name) => {
          checkOpen(connection);
          const run = runOf(name);
          run.entries.length = 0;
          run.ids.clear();
          if (run.followers.size === 0) runs.delete(name);
        },
        disconnect: () => {
          for (const close of own) close();
        },
      };
    },
  };
}
