import { errors } from "undici";

/**
 * Errors of sockets, of the client and of ours carry a code; a mistake in a program, ours or the client's, does not.
 * Such a one must not be counted as the target's failure.
 */
export function isBug(error: Error): boolean {
  return !("code" in error) || error.code === "ERR_ASSERTION" || error.code === "UND_ERR_INVALID_ARG";
}

/** Throws outside of the client, which takes whatever its handlers throw for a reason to end their request. */
export function throwLater(bug: unknown): void {
  queueMicrotask(() => {
    throw bug;
  });
}

/** The client's parser found that the answer is no HTTP. After a Content-Length it calls that a wrong length. */
export function isNotHttp(error: Error): boolean {
  return (
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError
  );
}

/** Tells the client why its request ends: not an error of the server's. */
class Abandoned extends Error {
  readonly code = "TS_ABANDONED";
}
export const ABANDONED = new Abandoned("abandoned");

/** Of raw headers as the client hands them out, names and values in turn; empty when there is none. */
export function headerValue(rawHeaders: readonly Buffer[], name: string): string {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const key = rawHeaders[i];
    if (key?.length === name.length && key.toString("latin1").toLowerCase() === name) {
      return rawHeaders[i + 1]?.toString("latin1") ?? "";
    }
  }
  return "";
}
