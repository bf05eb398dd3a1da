import type { Clock } from "@tokenstorm/core";
import { createReader } from "./create-reader.js";
import type { TargetGuard } from "./guard.js";
import { HttpTarget } from "./http-target.js";
import { createRawReader } from "./raw-connection.js";
import type { Target, TargetOptions } from "./target.js";
import { createUndiciReader } from "./undici-connection.js";

type TargetClock = Pick<Clock, "nowUs" | "at">;

/** The target of a run, by the reader that `chooseReader` finds. */
export function createTarget(options: TargetOptions, clock: TargetClock, guard?: TargetGuard): Target {
  return new HttpTarget({ ...options, clock, guard, reader: createReader(options, clock) });
}

/** Read by undici, whatever the plan says. */
export function createUndiciTarget(options: TargetOptions, clock: TargetClock, guard?: TargetGuard): Target {
  return new HttpTarget({ ...options, clock, guard, reader: createUndiciReader(clock) });
}

/** Read by our own parser, whatever the plan says. */
export function createRawTarget(options: TargetOptions, clock: TargetClock, guard?: TargetGuard): Target {
  return new HttpTarget({ ...options, clock, guard, reader: createRawReader(clock) });
}
