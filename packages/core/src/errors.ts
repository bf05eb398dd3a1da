/** Closed list of operational error codes; callers switch on these, people read the message. */
export const LOAD_ERROR_CODES = [
  "PLAN_INVALID",
  "PLAN_UNSUPPORTED_VERSION",
  "DATASET_INVALID",
  "BUS_UNAVAILABLE",
  "BUS_DENIED",
  "PROTOCOL_MALFORMED",
  "PROTOCOL_UNSUPPORTED_VERSION",
  "AGENTS_INSUFFICIENT",
  "AGENT_NOT_READY",
  "AGENT_LOST",
  "TARGET_UNREACHABLE",
  "SECRET_MISSING",
  "RUN_ABORTED",
  "RUN_UNKNOWN",
  "RESULTS_UNREADABLE",
] as const;

export type LoadErrorCode = (typeof LOAD_ERROR_CODES)[number];

/**
 * The one class for operational errors: what went wrong, which one, and what to do (`hint`).
 * A failed request is data, never a LoadError; a bug is an assertion.
 */
export class LoadError extends Error {
  readonly code: LoadErrorCode;
  readonly hint: string | undefined;

  constructor(
    code: LoadErrorCode,
    message: string,
    options: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LoadError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** For what cannot happen unless the program is wrong: a bug is never counted as a measurement. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
