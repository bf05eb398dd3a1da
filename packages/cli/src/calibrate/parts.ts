import { READER_NAMES } from "@tokenstorm/core";
import { z } from "zod";
import { CalibrationLevel } from "./calibration-schema.js";

const rate = z.number().positive();

/** What a process of `calibrate` is started to be, as its parent says it on the command line. */
export const CalibrationPart = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("server") }),
  z.object({
    kind: z.literal("client"),
    reader: z.enum(READER_NAMES),
    serverUrl: z.url(),
    ladder: z.object({ rates: z.array(rate).min(1).readonly(), firstEventsPerS: rate }),
    streams: z.array(z.int().min(1)).min(1).readonly(),
    intervals: z.int().min(1),
    limitMs: z.number().positive(),
  }),
]);
export type CalibrationPart = z.infer<typeof CalibrationPart>;

/** What it says over the channel. */
export const PartMessage = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("serving"), url: z.url() }),
  z.object({ kind: z.literal("level"), level: CalibrationLevel }),
]);
export type PartMessage = z.infer<typeof PartMessage>;
