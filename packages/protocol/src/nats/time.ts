import { setTimeout as wait } from "node:timers/promises";

/** What repeated questions to a server go by; tests bring a time of their own. */
export interface Time {
  nowMs(): number;
  wait(ms: number): Promise<unknown>;
}

export const SYSTEM_TIME: Time = { nowMs: () => performance.now(), wait: (ms) => wait(ms) };
