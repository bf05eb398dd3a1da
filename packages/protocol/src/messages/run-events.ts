import { RUN_STATES } from "@tokenstorm/core";
import { z } from "zod";
import { count, id, text, us } from "./fields.js";

const CountersMessage = z.object({
  promptTokens: z.number(),
  generationTokens: z.number(),
  successes: z.number(),
  preemptions: z.number(),
  prefixHits: z.number(),
  prefixQueries: z.number(),
  blockTokens: z.number().optional(),
  times: z
    .object({
      ttft: z.object({ sumUs: z.number(), count: z.number() }).nullable(),
      itl: z.object({ sumUs: z.number(), count: z.number() }).nullable(),
      e2e: z.object({ sumUs: z.number(), count: z.number() }).nullable(),
    })
    .optional(),
});

const RunEventMessage = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("server"),
    sample: CountersMessage.extend({
      tUs: us,
      running: z.number(),
      waiting: z.number(),
      kvUsage: z.number(),
    }),
  }),
  z.object({ kind: z.literal("state"), state: z.enum(RUN_STATES), wallMs: z.number() }),
  z.object({ kind: z.literal("note"), text, wallMs: z.number() }),
  z.object({
    kind: z.literal("led"),
    leader: id,
    term: count,
    wallMs: z.number(),
    runUs: us.nullable(),
  }),
  z.object({
    kind: z.literal("ready"),
    model: text,
    wordsPerToken: z.number().positive().nullable(),
    templateTokens: count.nullable(),
    serverVersion: text.nullable(),
  }),
  z.object({
    kind: z.literal("scrape"),
    when: z.enum(["before", "after"]),
    scrape: z.object({ quiescent: z.boolean(), counters: CountersMessage }).nullable(),
  }),
  z.object({
    kind: z.literal("clocks"),
    clocks: z.array(z.object({ agent: id, runUs: us, offsetUs: us, errorUs: count })).max(1000),
  }),
  z.object({ kind: z.literal("drained"), endUs: us, wallMs: z.number() }),
  z.object({
    kind: z.literal("verdict"),
    refusals: count,
    expected: z.array(z.object({ agent: id, lastSeq: count })).max(10_000),
    clocks: z
      .array(z.object({ term: count, seq: count }))
      .max(100_000)
      .optional(),
  }),
]);

/** What a run's leader noted, as the log and events.ndjson keep it. */
export const KeptEventMessage = z.object({ term: count, seq: count, event: RunEventMessage });
