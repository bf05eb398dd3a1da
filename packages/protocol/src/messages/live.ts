import { PHASES, RUN_STATES, VITALS_COLOURS } from "@tokenstorm/core";
import { z } from "zod";
import { count, id, share, text, us } from "./fields.js";

// What was added after the first version of the live message is optional: leaders and viewers of either version go on
// understanding each other.

const LatencyMessage = z.object({ count, p50: z.number(), p90: z.number().optional(), p99: z.number() });
const SumMessage = z.object({ count, sum: z.number().min(0) });

const LiveStageMessage = z.object({
  index: count,
  name: text,
  offered: count,
  completed: count,
  failed: count,
  cancelled: count,
  dropped: count,
  unknown: count,
  censored: count,
  outputTokens: count,
  promptTokens: count,
  latencyUs: z.object({ ttft: SumMessage, itl: SumMessage, e2e: SumMessage }),
});

export const LiveMessage = z.object({
  run: id,
  name: text,
  state: z.enum(RUN_STATES),
  transport: z.enum(["nats", "memory"]),
  runTimeUs: us,
  stage: z
    .object({ index: count, count, name: text, phase: z.enum(PHASES), leftUs: us.nullable() })
    .nullable(),
  measuredStage: count.optional(),
  totalLeftUs: us.nullable(),
  inFlight: z.object({ asked: z.number().nullable(), measured: z.number() }),
  server: z.object({ running: z.number(), waiting: z.number(), kvUsage: z.number() }).nullable(),
  rates: z.object({ requestsPerS: z.number(), outputTokensPerS: z.number(), promptTokensPerS: z.number() }),
  latencyUs: z.object({ ttft: LatencyMessage, itl: LatencyMessage, e2e: LatencyMessage }),
  totals: z.object({ offered: count, completed: count, failed: count, cancelled: count, dropped: count }),
  failures: z.record(z.string().max(64), count),
  stages: z.array(LiveStageMessage).max(1000).optional(),
  agents: z
    .array(
      z.object({
        id,
        host: text,
        state: text,
        colour: z.enum(VITALS_COLOURS),
        cpu: share,
        loopDelayP99Us: count,
        scheduleLagP99Us: count,
        inFlight: count,
        silentMs: count,
      }),
    )
    .max(10_000),
  history: z.object({
    outputTokensPerS: z.array(z.number()).max(600),
    inFlight: z.array(z.number()).max(600),
  }),
  notes: z.array(text).max(100),
});
