import { PlanSchema, RUN_STATES } from "@tokenstorm/core";
import { z } from "zod";
import { count, id, text, us } from "./fields.js";
import { ProblemMessage } from "./parts.js";

/** A run record as it stands in the StateStore. The plan passes its own schema again: the store is an edge too. */
export const RunRecordMessage = z.object({
  v: z.literal(1),
  id,
  name: text,
  createdAtMs: count,
  plan: PlanSchema,
  planDigest: text,
  salt: text,
  state: z.enum(RUN_STATES),
  term: count,
  leader: z.string().max(64),
  revision: count,
  shards: z.array(
    z.object({
      agent: id,
      instance: id,
      epoch: count,
      index: count,
      host: text,
      version: text,
      clockOffsetUs: us,
      clockErrorUs: us,
    }),
  ),
  // Leaders of the first version lose none on the way.
  losses: z
    .array(
      z.object({
        agent: id,
        epoch: count,
        lastHeardUs: count,
        lostUs: count,
        reason: text,
        foundUs: count.nullable(),
        // Leaders of the first versions tell each by itself.
        times: z.int().min(1).optional(),
      }),
    )
    .max(100_000)
    .optional(),
  moves: z
    .array(
      z.object({
        lost: id,
        fromStage: count,
        to: z.array(z.object({ agent: id, index: count, count: z.int().min(1) })),
      }),
    )
    .max(10_000)
    .optional(),
  start: z
    .object({
      attempt: count,
      committed: z.boolean(),
      leaderUs: us,
      epochUs: us,
      localUs: z.record(id, us),
    })
    .nullable(),
  stageStartsUs: z.array(us.nullable()),
  stop: z.object({ level: z.enum(["none", "drain", "cut"]), reason: text }),
  problem: ProblemMessage.nullable(),
  result: z
    .object({
      directory: text,
      reportBlob: text.nullable(),
      // Leaders of the first version do not say it.
      isWhole: z.boolean().optional(),
    })
    .nullable(),
});
