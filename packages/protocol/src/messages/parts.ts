import { LOAD_ERROR_CODES, PROBE_BUCKETS } from "@tokenstorm/core";
import { z } from "zod";
import { count, share, text } from "./fields.js";

export const ProblemMessage = z.object({
  code: z.enum(LOAD_ERROR_CODES),
  message: text,
  hint: text.optional(),
  threshold: text.optional(),
});

export const VitalsMessage = z.object({
  loopDelayP99Us: count,
  loopDelayMaxUs: count,
  utilisation: share,
  cpu: share,
  starvation: share,
  gcUs: count,
  throttledUs: count,
  rssBytes: count,
  openSockets: count,
  descriptors: count,
  descriptorLimit: count,
  scheduleLagP99Us: count,
  coalescedShare: share,
  // Not from older agents, and not from every host.
  selfProbe: z
    .object({
      count,
      p50Us: count,
      p90Us: count,
      p99Us: count,
      maxUs: count,
      buckets: z.array(count).max(PROBE_BUCKETS).readonly(),
    })
    .optional(),
  localPorts: z.object({ used: count, range: count }).optional(),
});

export const LedgerMessage = z.object({
  offered: count,
  sent: count,
  unsent: count,
  dropped: count,
  waiting: count,
  completed: count,
  failed: count,
  cancelled: count,
  unknown: count,
  inFlight: count,
});
