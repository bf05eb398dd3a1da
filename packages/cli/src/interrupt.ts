/** Marks a process that was started by another one of ours and ends with it. */
export const CHILD_ENV = "TOKENSTORM_CHILD";

export interface Interrupts {
  /** Signals so far. */
  readonly count: number;
  /** May be called twice. */
  close(): void;
}

/**
 * Calls `handler` for SIGINT and SIGTERM with how many came, this one included: the first asks for an orderly end, the
 * second for an immediate one. The loss of the parent process counts as two. A child's parent ends it at once by letting
 * go of it, never by a signal, so a child counts one: a process manager that signals every process of a group or cgroup
 * tells it once more what its parent passes on.
 */
export function onInterrupt(handler: (count: number, cause: string) => void): Interrupts {
  let count = 0;
  const isChild = process.env[CHILD_ENV] !== undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (isChild && count > 0) return;
    count += 1;
    handler(count, signal);
  };
  const onOrphaned = () => {
    count = Math.max(count + 1, 2);
    handler(count, "the end of its parent process");
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  if (isChild) process.on("disconnect", onOrphaned);
  if (isChild && !process.connected) setImmediate(onOrphaned);
  return {
    get count() {
      return count;
    },
    close: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      process.off("disconnect", onOrphaned);
    },
  };
}
