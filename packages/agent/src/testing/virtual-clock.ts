import type { Cancel, Clock } from "@tokenstorm/core";

interface Timer {
  readonly us: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time that passes only when a test lets it. */
export interface VirtualClock extends Clock {
  /** Runs what is due up to then, in order, and lets promises settle after each. */
  runTo(us: number): Promise<void>;
  runFor(us: number): Promise<void>;
  readonly pending: number;
}

export function virtualClock(startUs = 1_000_000): VirtualClock {
  let now = startUs;
  let order = 0;
  const timers = new Set<Timer>();
  const next = () => {
    let first: Timer | undefined;
    for (const timer of timers)
      if (first === undefined || timer.us < first.us || (timer.us === first.us && timer.order < first.order))
        first = timer;
    return first;
  };
  const clock: VirtualClock = {
    nowUs: () => now,
    wallMs: () => 1_700_000_000_000 + Math.floor(now / 1000),
    at: (us, fn): Cancel => {
      order += 1;
      const timer = { us: Math.max(us, now), order, fn };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    runTo: async (us) => {
      await settled();
      for (let timer = next(); timer !== undefined && timer.us <= us; timer = next()) {
        timers.delete(timer);
        now = timer.us;
        timer.fn();
        await settled();
      }
      now = Math.max(now, us);
    },
    runFor: (us) => clock.runTo(now + us),
    get pending() {
      return timers.size;
    },
  };
  return clock;
}

/** Lets every promise that can settle do so: none of the code under test waits for anything but promises and the clock. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
