import { LoadError } from "@tokenstorm/core";
import { printable } from "@tokenstorm/report/columns";
import { EXIT, errorExitCode } from "./exit-codes.js";

/** `--debug`, for child processes too. */
export const DEBUG_ENV = "TOKENSTORM_DEBUG";

export interface Failure {
  /** Lines for stderr, without a final newline. */
  readonly text: string;
  readonly code: number;
}

/** What a person is told about an error: one clear line and what to do; the stack only on demand. */
export function describeError(error: unknown, options: { readonly debug: boolean }): Failure {
  if (error instanceof LoadError) {
    const lines = errorLines(error);
    if (options.debug) lines.push(stackOf(error));
    return { text: lines.join("\n"), code: errorExitCode(error.code) };
  }
  const message = printable(error instanceof Error ? error.message : String(error));
  const lines = [`error: this is a bug in tokenstorm: ${message}`];
  lines.push(options.debug ? stackOf(error) : "hint: run it again with --debug and report what it says");
  return { text: lines.join("\n"), code: EXIT.error };
}

/** A message of several lines is a list of problems: they follow, one each. */
export function errorLines(error: {
  readonly message: string;
  readonly hint?: string | undefined;
}): string[] {
  const [first = "", ...rest] = error.message.split("\n");
  return [
    `error: ${printable(first)}`,
    ...rest.map((line) => `  ${printable(line).trim()}`),
    ...(error.hint === undefined ? [] : [`hint: ${printable(error.hint)}`]),
  ];
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
