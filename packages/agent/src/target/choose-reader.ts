import type { TargetOptions } from "./target.js";

/**
 * Events per second and process up to which undici's stamps are clean with room to spare: half of the 48,000 at which its
 * p90 error was still 0.2 ms on a core of its own, because the books are kept on the same core, and streams that tick
 * together are harder than streams that do not.
 */
export const UNDICI_EVENTS_PER_S = 24_000;

/**
 * Which reader carries a run: what the plan says; for `auto` undici, with the whole of HTTP/1.1 behind it, unless more
 * events are planned for this process than it carries. Unknown rates are carried by undici.
 */
export function chooseReader({
  plan,
  plannedEventsPerS,
}: Pick<TargetOptions, "plan" | "plannedEventsPerS">): "undici" | "raw" {
  const { reader } = plan.target;
  if (reader !== "auto") return reader;
  return (plannedEventsPerS ?? 0) > UNDICI_EVENTS_PER_S ? "raw" : "undici";
}
