import type { Logger } from "@tokenstorm/agent";
import type { Logger as Pino } from "pino";

/** Pino wants the fields first. */
export function plainLogger(log: Pino): Logger {
  return {
    info: (message, fields = {}) => log.info(fields, message),
    warn: (message, fields = {}) => log.warn(fields, message),
    error: (message, fields = {}) => log.error(fields, message),
  };
}
