import assert from "node:assert/strict";
import { test } from "node:test";
import { type AgentEnd, agentEndCode } from "./agent-supervisor.js";

const SERVING = { code: null, signal: null, wasReady: true } as const;

const ENDS: readonly [string, AgentEnd, number][] = [
  ["done with its work", { ...SERVING, code: 0, signals: 0 }, 0],
  ["done as it was asked", { ...SERVING, code: 0, signals: 1 }, 0],
  ["cut short by a second signal", { ...SERVING, code: 105, signals: 2 }, 0],
  ["cut short where one signal asked it to drain", { ...SERVING, code: 105, signals: 1 }, 105],
  ["left with results when it was asked to end", { ...SERVING, code: 1, signals: 1 }, 1],
  ["called wrongly and asked to end", { ...SERVING, code: 2, signals: 1 }, 2],
  ["killed by the kernel while it drained", { ...SERVING, signal: "SIGKILL", signals: 1 }, 1],
  ["killed by us, being deaf to the second signal", { ...SERVING, signal: "SIGKILL", signals: 2 }, 1],
  ["aborted while it drained", { ...SERVING, signal: "SIGABRT", signals: 1 }, 1],
  [
    "ended by the first signal before it could listen",
    { ...SERVING, wasReady: false, signal: "SIGTERM", signals: 1 },
    0,
  ],
  ["ended by a signal that it should have heeded", { ...SERVING, signal: "SIGTERM", signals: 1 }, 1],
  ["killed in the middle of its work", { ...SERVING, signal: "SIGKILL", signals: 0 }, 1],
];

for (const [how, end, code] of ENDS)
  test(`an agent process that was ${how} makes exit code ${code}`, () => {
    assert.equal(agentEndCode(end), code);
  });
