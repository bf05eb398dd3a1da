import { hostname } from "node:os";

const LONGEST_ID = 56;

/** A name for an agent that was given none: its host and process, in letters that subjects and keys may have. */
export function defaultAgentId(): string {
  return sanitizedId(`${hostname()}-${process.pid}`);
}

export function sanitizedId(text: string): string {
  const clean = text.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "");
  return (clean === "" ? "agent" : clean).slice(-LONGEST_ID);
}
