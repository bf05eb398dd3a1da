import { runCommandLine } from "../main.js";
import type { Screen, Terminal } from "../terminal.js";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process and keeps what it said; only for commands that start nothing. */
export async function runCommand(...argv: string[]): Promise<CommandResult> {
  const screen: Screen = { isTty: false, colour: false, width: () => 100, height: () => undefined };
  let stdout = "";
  let stderr = "";
  const terminal: Terminal = {
    print: (text) => {
      stdout += `${text}\n`;
      return Promise.resolve();
    },
    say: (text) => {
      stderr += `${text}\n`;
    },
    draw: (text) => {
      stderr += text;
    },
    stdout: screen,
    stderr: screen,
  };
  const code = await runCommandLine(argv, { terminal, env: {}, debug: false });
  return { code, stdout, stderr };
}
