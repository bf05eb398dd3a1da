import assert from "node:assert/strict";
import { test } from "node:test";
import type { Screen, Terminal } from "../terminal.js";
import { createFrame } from "./frame.js";

const ESCAPE = String.fromCharCode(27);

/** A terminal that keeps what is drawn; enough of one to follow a frame's moves. */
function fakeTerminal(width: number): Terminal & { written: string; resize(columns: number): void } {
  let columns = width;
  const screen: Screen = { isTty: true, colour: false, width: () => columns, height: () => 24 };
  const terminal = {
    written: "",
    resize: (next: number) => {
      columns = next;
    },
    print: () => Promise.resolve(),
    say: (text: string) => {
      terminal.written += `${text}\n`;
    },
    draw: (text: string) => {
      terminal.written += text;
    },
    stdout: screen,
    stderr: screen,
  };
  return terminal;
}

const ups = (text: string): number[] =>
  [...text.matchAll(new RegExp(`${ESCAPE}\\[(\\d+)A`, "g"))].map((match) => Number(match[1]));

test("a frame goes back over exactly the lines that it drew", () => {
  const terminal = fakeTerminal(80);
  const frame = createFrame(terminal);
  frame.draw(["one", "two", "three"]);
  frame.draw(["one"]);
  frame.draw(["one", "two"]);
  frame.close();
  assert.deepEqual(ups(terminal.written), [3, 1]);
});

test("after the terminal became narrower, the broken lines are counted as they stand", () => {
  const terminal = fakeTerminal(80);
  const frame = createFrame(terminal);
  frame.draw(["x".repeat(75), "short", ""]);
  terminal.resize(40);
  frame.draw(["y"]);
  frame.close();
  assert.deepEqual(ups(terminal.written), [4]);
});

test("the cursor is hidden once and always given back", () => {
  const terminal = fakeTerminal(80);
  const before = process.listenerCount("exit");
  const frame = createFrame(terminal);
  frame.draw(["a"]);
  frame.draw(["b"]);
  frame.close();
  frame.close();
  assert.equal(terminal.written.split(`${ESCAPE}[?25l`).length, 2);
  assert.equal(terminal.written.split(`${ESCAPE}[?25h`).length, 2);
  assert.equal(process.listenerCount("exit"), before);
});

test("a note stands above the frame, which is drawn again below it", () => {
  const terminal = fakeTerminal(80);
  const frame = createFrame(terminal);
  frame.draw(["frame"]);
  terminal.written = "";
  frame.above("draining");
  frame.close();
  assert.match(terminal.written, /draining\n.*frame\n/s);
});
