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
]);
const READ: ReadonlySet<string> = new Set(Event.options.map(({ shape }) => shape.kind.value));
const Other = z.looseObject({ kind: z.string().refine((kind) => !READ.has(kind)) });

/** Whether a line of events.ndjson, parsed, is an event that a reader of the results needs. */
export function isRunEvent(value: unknown): value is RunEvent {
  return Event.safeParse(value).success;
}

/** Whether it is of a kind that only a leader needs again, of this version or of a later one. */
export function isLeadersOwn(value: unknown): boolean {
  return Other.safeParse(value).success;
}
