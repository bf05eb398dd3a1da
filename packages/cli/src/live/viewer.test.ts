import assert from "node:assert/strict";
import { test } from "node:test";
import type { LiveUpdate } from "@tokenstorm/core";
import type { Screen, Terminal } from "../terminal.js";
import { createViewer } from "./viewer.js";

function fakeTerminal(isTty: boolean): Terminal & { lines: string[] } {
  const screen: Screen = { isTty, colour: false, width: () => 100, height: () => 30 };
  const lines: string[] = [];
  return {
    lines,
    print: () => Promise.resolve(),
    say: (text) => lines.push(text),
    draw: (text) => lines.push(text),
    stdout: screen,
    stderr: screen,
  };
}

const none = { count: 0, p50: 0, p99: 0 };
const update: LiveUpdate = {
  run: "k3f9",
  name: "ladder",
  state: "running",
  transport: "nats",
  runTimeUs: 1_000_000,
  stage: { index: 0, count: 1, name: "u1", phase: "measured", leftUs: 1_000_000 },
  totalLeftUs: 1_000_000,
  inFlight: { asked: 1, measured: 1 },
  server: null,
  rates: { requestsPerS: 1, outputTokensPerS: 40, promptTokensPerS: 160 },
  latencyUs: { ttft: none, itl: none, e2e: none },
  totals: { offered: 1, completed: 1, failed: 0, cancelled: 0, dropped: 0 },
  failures: {},
  agents: [],
  history: { outputTokensPerS: [], inFlight: [] },
  notes: [],
};

test("auto draws in place on a terminal, and writes a line per interval into a file", () => {
  const tty = fakeTerminal(true);
  const drawing = createViewer("auto", tty);
  drawing.update(update);
  drawing.close();
  assert.ok(tty.lines.join("").includes(String.fromCharCode(27)));
  const file = fakeTerminal(false);
  createViewer("auto", file).update(update);
  assert.equal(file.lines.length, 1);
  assert.match(file.lines[0] ?? "", /^0:01 stage 1 of 1 u1 measured/);
});

test("a plain line that says nothing new is not repeated, and a note is told once", () => {
  const terminal = fakeTerminal(false);
  const viewer = createViewer("plain", terminal);
  const noted = { ...update, notes: ["agent a2 is silent"] };
  for (const one of [update, update, noted, { ...noted, runTimeUs: 2_000_000 }]) viewer.update(one);
  assert.equal(terminal.lines.filter((line) => line.startsWith("0:0")).length, 2);
  assert.deepEqual(
    terminal.lines.filter((line) => line.startsWith("-")),
    ["- agent a2 is silent"],
  );
});

test("no view says nothing but the notes of the command itself", () => {
  const terminal = fakeTerminal(true);
  const viewer = createViewer("none", terminal);
  viewer.update(update);
  viewer.note("draining");
  viewer.close();
  assert.deepEqual(terminal.lines, ["draining"]);
});

test("a warning is told once, before the first stage too, by every kind of view", () => {
  const warning = "warning: each agent process is to read up to 50,000 events/s";
  for (const kind of ["plain", "live", "none"] as const) {
    const terminal = fakeTerminal(false);
    const viewer = createViewer(kind, terminal);
    viewer.update({ ...update, stage: null, notes: ["admitted 1: a1 on h1", warning, "starts in 1.4 s"] });
    viewer.update({ ...update, notes: [warning] });
    viewer.close();
    assert.equal(terminal.lines.filter((line) => line.includes(warning)).length, 1, kind);
  }
});
