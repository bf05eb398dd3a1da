import type { Cancel, Clock } from "@tokenstorm/core";

/** Calls `fn` every `periodMs`, the first time after one period. */
export function startTicker(clock: Clock, periodMs: number, fn: () => void): Cancel {
  let isStopped = false;
  let cancel: Cancel = () => undefined;
  let dueUs = clock.nowUs();
  const next = () => {
    // After a pause of the whole process the missed calls are not made up for.
    dueUs = Math.max(dueUs + periodMs * 1000, clock.nowUs());
    cancel = clock.at(dueUs, () => {
      if (isStopped) return;
      next();
      fn();
    });
  };
  next();
  return () => {
    isStopped = true;
    cancel();
  };
}

/** Resolves after `ms`, or as soon as `hurry` is called. */
export function pause(clock: Clock, ms: number): { readonly over: Promise<void>; hurry(): void } {
  let hurry: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    const cancel = clock.at(clock.nowUs() + ms * 1000, resolve);
    hurry = () => {
      cancel();
      resolve();
    };
  });
  return { over, hurry: () => hurry() };
}
