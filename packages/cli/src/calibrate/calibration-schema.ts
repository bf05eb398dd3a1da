import { READER_NAMES } from "@tokenstorm/core";
import { z } from "zod";

const count = z.number().min(0);

/** One level of a calibration: what was asked for, what was measured, and what that makes it. */
export const CalibrationLevel = z.object({
  reader: z.enum(READER_NAMES),
  streams: z.int().min(1),
  askedEventsPerS: count,
  /** Token events that the client read. */
  eventsPerS: count,
  /** Read stamp minus the null server's stamp before the write. */
  stampErrorP50Us: count,
  stampErrorP90Us: count,
  coalescedShare: count,
  /** Requests that failed. */
  failed: count,
  /** Of the client, per wall time; 1 is one core. */
  cpu: count,
  /** How late the null server itself was, and the share of its steps that it made. */
  serverLagP90Us: count,
  serverShare: count,
  outcome: z.enum(["clean", "unclean", "server-limited"]),
  isClientClean: z.boolean(),
  reasons: z.array(z.string().max(500)).max(20).readonly(),
});
export type CalibrationLevel = z.infer<typeof CalibrationLevel>;

const ReaderCapacity = z.object({ eventsPerS: count, isAtLeast: z.boolean() });

/** What one agent process carries on one host, and what that was found by. */
export const Calibration = z.object({
  host: z.string().min(1).max(256),
  cpu: z.string().max(256),
  nodeMajor: z.int().min(1),
  version: z.string().min(1).max(64),
  cores: z.int().min(1),
  measuredAt: z.iso.datetime(),
  /** By `--quick`: fewer levels, one number of streams. */
  quick: z.boolean(),
  /** Whether server and client had CPUs of their own. */
  pinned: z.boolean(),
  capacity: z.object({ undici: ReaderCapacity, raw: ReaderCapacity }),
  levels: z.array(CalibrationLevel).max(1000),
});
export type Calibration = z.infer<typeof Calibration>;

/** Hosts may share the file (a home folder on many of them); more than so many are not kept, the oldest go. */
export const MOST_HOSTS = 1000;

export const CalibrationFile = z.object({
  schemaVersion: z.literal(1),
  hosts: z.array(Calibration).max(MOST_HOSTS),
});
export type CalibrationFile = z.infer<typeof CalibrationFile>;
