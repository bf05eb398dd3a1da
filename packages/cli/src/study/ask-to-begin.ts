import { createInterface } from "node:readline/promises";
import type { Terminal } from "../terminal.js";

/** Asks on a terminal whether a study shall begin; where nobody can be asked it does. */
export async function askToBegin(terminal: Terminal): Promise<boolean> {
  if (process.stdin.isTTY !== true || !terminal.stderr.isTty) return true;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const leave = new AbortController();
  lines.once("SIGINT", () => leave.abort());
  try {
    const answer = await lines.question("begin? [y/N] ", { signal: leave.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}
