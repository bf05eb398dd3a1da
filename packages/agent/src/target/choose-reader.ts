import type { Capacity, ReaderName } from "@tokenstorm/core";
import type { TargetOptions } from "./target.js";

/**
 * Events per second and process up to which undici is taken where its host was not calibrated: half of the 48,000 at
 * which its p90 error was still 0.2 ms on a core of its own, because the books are kept on the same core, and streams
 * that tick together are harder than streams that do not.
 */
export const UNDICI_EVENTS_PER_S = 24_000;

/**
 * Which reader carries a run: what the plan says; for `auto` undici, with the whole of HTTP/1.1 behind it, unless more
 * events are planned for this process than it carries here. Unknown rates are carried by undici.
 */
export function chooseReader({
  plan,
  plannedEventsPerS,
  capacity,
}: Pick<TargetOptions, "plan" | "plannedEventsPerS" | "capacity">): ReaderName {
  const { reader } = plan.target;
  if (reader !== "auto") return reader;
  return (plannedEventsPerS ?? 0) > undiciCarries(capacity) ? "raw" : "undici";
}

/**
 * A calibration that only says "at least" may have been cut short below what is taken without one; and where raw is
 * known to carry no more, there is nothing to change to.
 */
function undiciCarries(capacity: Capacity | undefined): number {
  if (capacity === undefined) return UNDICI_EVENTS_PER_S;
  const { undici, raw } = capacity;
  if (!raw.isAtLeast && raw.eventsPerS <= undici.eventsPerS) return Number.POSITIVE_INFINITY;
  return undici.isAtLeast ? Math.max(undici.eventsPerS, UNDICI_EVENTS_PER_S) : undici.eventsPerS;
}
