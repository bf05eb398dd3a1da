import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProbeResult } from "@tokenstorm/agent";
import type { PresentAgent, RunSummary } from "@tokenstorm/protocol";
import { displayWidth } from "@tokenstorm/report";
import { renderAgents, renderRuns } from "./listings.js";
import { readableLine } from "./log.js";
import { renderProbe } from "./probe-timeline.js";

const agent: PresentAgent = {
  agent: "rack1-a-very-long-host-name-1",
  instance: "i1",
  host: "rack1-a-very-long-host-name.example",
  pid: 1,
  version: "0.1.0",
  cores: 64,
  labels: { zone: "a", kind: "load" },
  state: "running",
  run: "k3f9a2",
  epoch: 1,
  revision: 3,
  beaconSeq: 5,
  term: 1,
  ready: null,
  armedAttempt: 1,
  startErrorUs: 3,
  stage: 1,
  stageDone: -1,
  lastCut: 4,
  lastAcked: 4,
  ledger: null,
  vitals: null,
  problem: null,
  refusals: 0,
  clockErrorUs: 120,
};

const calibrated: PresentAgent = {
  ...agent,
  capacity: {
    undici: { eventsPerS: 31_000, isAtLeast: false },
    raw: { eventsPerS: 162_000, isAtLeast: true },
  },
};

const row: RunSummary = {
  id: "k3f9a2",
  name: "a-name-as-long-as-a-plan-may-have-which-is-sixty-four-characters",
  state: "completed",
  startedAt: "2026-03-14T09:26:53.589Z",
  agents: 4,
  verdict: "degraded",
  thresholds: "inconclusive",
};

const probe: ProbeResult = {
  url: "http://a-server-with-quite-a-long-name.example:8000",
  address: "10.0.0.1",
  api: "openai-chat",
  model: "meta-llama/Llama-3.1-405B-Instruct",
  serverVersion: "0.14.1",
  requestId: "ts-probe-x",
  asked: { promptTokens: 512, outputTokens: 128 },
  timelineUs: {
    connected: 700,
    sent: 900,
    headers: 5000,
    firstEvent: 17_000,
    firstToken: 17_100,
    lastToken: 3_200_000,
    end: 3_200_100,
  },
  outcome: { kind: "completed" },
  problem: null,
  status: 200,
  contentType: "text/event-stream",
  finishReason: "length",
  events: 130,
  tokens: 128,
  tokenSource: "usage",
  usage: { prompt: 512, cachedPrompt: 0, output: 128 },
  calibration: { wordsPerToken: 1, templateTokens: 3 },
  text: "some words that were generated and go on for a while, so that the line has to be broken somewhere",
};

const failed: ProbeResult = {
  ...probe,
  timelineUs: { ...probe.timelineUs, firstEvent: null, firstToken: null, lastToken: null },
  outcome: { kind: "failed", reason: "http-5xx" },
  problem:
    "the server answered 503: it is overloaded, and it says so at some length to see where lines break",
  status: 503,
  usage: null,
};

test("no listing overflows, at any width", () => {
  for (const width of [40, 80, 120, 200]) {
    for (const colour of [false, true]) {
      const texts = [
        renderAgents([agent, { ...agent, agent: "b" }], { width, colour }),
        renderAgents([calibrated], { width, colour }),
        renderRuns([row, { ...row, verdict: null }], { width, colour }),
        renderProbe(probe, { width, colour }),
        renderProbe(failed, { width, colour }),
      ];
      for (const line of texts.join("\n").split("\n"))
        assert.ok(displayWidth(line) <= width, `${width}: ${line}`);
    }
  }
});

test("a listing with nothing in it says so", () => {
  assert.equal(renderAgents([], { width: 80, colour: false }), "no agent answers");
  assert.equal(renderRuns([], { width: 80, colour: false }), "no runs");
});

test("an agent's clock error and labels are shown where they are known", () => {
  const text = renderAgents([agent], { width: 200, colour: false });
  assert.match(text, /120us/);
  assert.match(text, /zone=a kind=load/);
});

test("what an agent carries is shown where any host was calibrated", () => {
  const text = renderAgents([agent, calibrated], { width: 200, colour: false });
  assert.match(text, /carries\/s/);
  assert.match(text, /31,000 +>= 162,000/);
  assert.doesNotMatch(renderAgents([agent], { width: 200, colour: false }), /carries/);
});

test("a probe that failed says why, and what did not come has no time", () => {
  const text = renderProbe(failed, { width: 120, colour: false });
  assert.match(text, /failed \(http-5xx\): the server answered 503/);
  assert.match(text, /^first token +-$/m);
});

test("a line of the log is readable on a terminal, and harmless", () => {
  const ESCAPE = String.fromCharCode(27);
  const json = JSON.stringify({ level: 40, time: 0, name: "a", msg: `late${ESCAPE}[2J`, agent: "a1", ms: 5 });
  assert.equal(readableLine(json, false), "00:00:00 warn  late?[2J agent=a1 ms=5");
  assert.equal(readableLine("not json\n", false), "not json");
});
