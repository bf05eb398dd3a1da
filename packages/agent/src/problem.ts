import type { LoadError, Problem } from "@tokenstorm/core";

/** A heartbeat with a longer text would be refused by whoever reads it: the agent would seem to be gone. */
const LONGEST_TEXT = 2000;

/** An error as heartbeats and records carry it. */
export function problemOf({ code, message, hint }: LoadError): Problem {
  return { code, message: clipped(message), hint: hint === undefined ? undefined : clipped(hint) };
}

function clipped(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}...`;
}
