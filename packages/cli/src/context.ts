import type { Terminal } from "./terminal.js";

/** What every command gets, and how it hands back its exit code. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Shows stacks. */
  readonly debug: boolean;
  /** Tells the process that started this one, where one did. */
  announce(message: object): void;
  /** Keeps the exit code for `main`. */
  finish(work: Promise<number>): Promise<void>;
}
