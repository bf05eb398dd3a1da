import type { FaultWindow } from "./fault-schedule.js";

export interface RefusalDeps {
  /** Stops to listen, and closes what is idle. */
  readonly deafen: () => void;
  readonly listenAgain: () => void;
  /** A window has begun or ended; for the truth log. */
  readonly tell: (state: "begin" | "end") => void;
}

/** Keeps the times at which nobody listens. Returns what ends that. */
export function scheduleRefusals(windows: readonly FaultWindow[], deps: RefusalDeps): () => void {
  let deaf = 0;
  const begin = (): void => {
    deaf++;
    if (deaf > 1) return;
    deps.tell("begin");
    deps.deafen();
  };
  const end = (): void => {
    deaf--;
    if (deaf > 0) return;
    deps.listenAgain();
    deps.tell("end");
  };
  const timers = windows
    .filter(({ fault }) => fault.kind === "refuse")
    .flatMap(({ fromS, toS }) => [setTimeout(begin, fromS * 1000), setTimeout(end, toS * 1000)]);
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearTimeout(timer);
  };
}
