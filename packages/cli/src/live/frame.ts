import { displayWidth } from "@tokenstorm/report/columns";
import type { Terminal } from "../terminal.js";

const ESCAPE = String.fromCharCode(27);
const HIDE_CURSOR = `${ESCAPE}[?25l`;
const SHOW_CURSOR = `${ESCAPE}[?25h`;
const CLEAR_LINE = `${ESCAPE}[2K`;
const CLEAR_BELOW = `${ESCAPE}[J`;

/** Lines that are drawn over again in place, at the bottom of the terminal. */
export interface Frame {
  draw(lines: readonly string[]): void;
  /** Writes lines that stay, above the frame. */
  above(text: string): void;
  /** Leaves what stands there, and gives the cursor back. May be called twice. */
  close(): void;
}

export function createFrame(terminal: Terminal): Frame {
  let drawn: readonly string[] = [];
  let isOpen = false;
  // Whatever ends the process, the terminal gets its cursor back.
  const restore = () => {
    if (isOpen) terminal.draw(SHOW_CURSOR);
    isOpen = false;
  };
  const paint = (lines: readonly string[], kept: string) => {
    const start = isOpen ? "" : HIDE_CURSOR;
    if (!isOpen) process.on("exit", restore);
    isOpen = true;
    const body = lines.map((line) => `${CLEAR_LINE}${line}\n`).join("");
    terminal.draw(`${start}${upTo(drawn, terminal.stderr.width())}${kept}${body}${CLEAR_BELOW}`);
    drawn = lines;
  };
  return {
    draw: (lines) => paint(lines, ""),
    above: (text) => {
      const kept = text.split("\n").map((line) => `${CLEAR_LINE}${line}\n`);
      if (isOpen) paint(drawn, `${CLEAR_BELOW}${kept.join("")}`);
      else terminal.say(text);
    },
    close: () => {
      restore();
      process.off("exit", restore);
      drawn = [];
    },
  };
}

/** To the first column of the first line drawn; a terminal that became narrower has broken lines in two. */
function upTo(drawn: readonly string[], width: number): string {
  const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / width)), 0);
  return rows === 0 ? "" : `${ESCAPE}[${rows}A\r`;
}
