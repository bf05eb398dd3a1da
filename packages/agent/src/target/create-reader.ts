import type { Clock } from "@tokenstorm/core";
import type { Reader } from "./channel.js";
import { chooseReader } from "./choose-reader.js";
import { createRawReader } from "./raw-connection.js";
import type { TargetOptions } from "./target.js";
import { createUndiciReader } from "./undici-connection.js";

/** The reader that the plan asks for or needs; see `chooseReader`. */
export function createReader(
  options: Pick<TargetOptions, "plan" | "plannedEventsPerS" | "capacity">,
  clock: Pick<Clock, "nowUs" | "at">,
): Reader {
  return chooseReader(options) === "raw" ? createRawReader(clock) : createUndiciReader(clock);
}
