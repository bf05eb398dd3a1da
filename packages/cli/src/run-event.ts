import type { RunEvent } from "@tokenstorm/core";
import { z } from "zod";

const durations = z.looseObject({ sumUs: z.number(), count: z.number() }).nullable();

const Sample = z.looseObject({
  tUs: z.number(),
  running: z.number(),
  waiting: z.number(),
  kvUsage: z.number(),
  promptTokens: z.number(),
  generationTokens: z.number(),
  successes: z.number(),
  preemptions: z.number(),
  prefixHits: z.number(),
  prefixQueries: z.number(),
  blockTokens: z.number().optional(),
  times: z.looseObject({ ttft: durations, itl: durations, e2e: durations }).optional(),
});

const Event = z.discriminatedUnion("kind", [
  z.looseObject({ kind: z.literal("server"), sample: Sample }),
  z.looseObject({ kind: z.literal("state"), state: z.string(), wallMs: z.number() }),
  z.looseObject({ kind: z.literal("note"), text: z.string(), wallMs: z.number() }),
  // What the leader itself needs again; a reader of the results passes over it.
  z.looseObject({ kind: z.enum(["led", "ready", "scrape", "drained", "verdict"]) }),
]);

/** Whether a line of events.ndjson, parsed, is an event. */
export function isRunEvent(value: unknown): value is RunEvent {
  return Event.safeParse(value).success;
}
