import type { Cancel, Clock } from "@tokenstorm/core";
import { settle, VirtualClock } from "../virtual-clock.js";

/** The one clock of server and reader in a golden case, and the way to let time go by. */
export interface GoldenClock extends Pick<Clock, "nowUs" | "at"> {
  pause(ms: number): Promise<void>;
}

/** How far time goes at once while all that it set off is done. */
export const PAUSE_STEP_MS = 10;

/**
 * Virtual time that never shows the same microsecond twice: whatever looked at it later has the later stamp, however
 * slow the machine, and two equal stamps were one look. A pause is long against all looks together.
 */
export class TickingClock implements GoldenClock {
  readonly #virtual = new VirtualClock({ nowUs: 1_000_000 });
  #looks = 0;

  nowUs(): number {
    this.#looks += 1;
    return this.#virtual.nowUs() + this.#looks;
  }

  at(us: number, fn: () => void): Cancel {
    return this.#virtual.at(us, fn);
  }

  async pause(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= PAUSE_STEP_MS) {
      this.#virtual.advanceBy(Math.min(left, PAUSE_STEP_MS) * 1000);
      await settle();
    }
  }
}

/** The machine's monotonic time. */
export const realGoldenClock: GoldenClock = {
  nowUs: () => Math.round(performance.now() * 1000),
  at: (us, fn) => {
    const timer = setTimeout(fn, Math.max(0, us / 1000 - performance.now()));
    return () => clearTimeout(timer);
  },
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
