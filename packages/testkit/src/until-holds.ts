import { setTimeout as wait } from "node:timers/promises";

/** How often what no event tells of is looked at. */
const LOOK_EVERY_MS = 20;

/** Looks until it holds, and leaves the processor to others between looks. False where it does not within the limit. */
export async function untilHolds(holds: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean> {
  const untilMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() >= untilMs) return false;
    await wait(LOOK_EVERY_MS);
  }
  return true;
}
