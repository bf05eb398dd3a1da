import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentClock, RunReport } from "@tokenstorm/core";
import { clockTexts } from "./clock-text.js";
import { pageFacts } from "./page/page-facts.js";
import { goodReport } from "./screen-samples.js";
import { renderText } from "./text-report.js";

type Term = AgentClock["terms"][number];

/** Compared eleven times in five minutes. */
function term(change: Partial<Term>): Term {
  return {
    term: 1,
    comparisons: 11,
    first: { atMs: -1900, offsetUs: 100, errorUs: 90 },
    last: { atMs: 298_100, offsetUs: 100, errorUs: 90 },
    drift: { ppm: 0, errorPpm: 0.601 },
    jumps: [],
    ...change,
  };
}

function reportOf(clocks: readonly (AgentClock | null)[], sentences: readonly string[] = []): RunReport {
  const agents = goodReport.agents.map((agent, i) => ({ ...agent, clock: clocks[i] ?? null }));
  return { ...goodReport, agents, clocks: { skewLimitUs: 10_000, sentences } };
}

test("the text says over how long clocks were compared, between what they drift, and how far apart agents were", () => {
  const drifting = (ppm: number, us: number): AgentClock => ({
    terms: [term({ drift: { ppm, errorPpm: 0.601 } })],
    skew: { atMs: 298_100, us, errorUs: 180 },
  });
  const report = reportOf([drifting(-12.34, -3800), drifting(200.1, 60_000)], ["the run time of x was off"]);
  const said =
    "compared with the coordinator's 11 times over 5m00s; drift -12.3 ppm (load-1) to +200 ppm (load-2), known within " +
    "0.60 ppm; skew at 4m58s at most 60.0ms, known within 180us";
  assert.deepEqual(clockTexts(report), [
    { text: said, colour: "plain" },
    { text: "the run time of x was off", colour: "yellow" },
  ]);
  const lines = renderText(report, { width: 400, colour: false }).split("\n");
  assert.ok(lines.includes(`clocks      ${said}`));
  assert.deepEqual(
    pageFacts(report).filter(({ label }) => label === "clocks"),
    [
      { label: "clocks", text: said, tone: "plain" },
      { label: "clocks", text: "the run time of x was off", tone: "warning" },
    ],
  );
});

test("of several leaders the one counts under whom a clock is known best, and a drift that nobody knows is not made up", () => {
  const good = term({ term: 2, comparisons: 4, drift: { ppm: 3, errorPpm: 1.5 } });
  const taken = reportOf([{ terms: [term({ drift: { ppm: 9, errorPpm: 40 } }), good], skew: null }]);
  assert.deepEqual(clockTexts(taken), [
    {
      text: "compared with those of 2 leaders one after the other 11 times over 5m00s; drift +3.00 ppm (load-1), known within 1.50 ppm",
      colour: "plain",
    },
  ]);
  const once = term({ comparisons: 1, drift: null, last: { atMs: -1900, offsetUs: 100, errorUs: 90 } });
  assert.deepEqual(clockTexts(reportOf([{ terms: [once], skew: null }])), [
    { text: "compared with the coordinator's once; for too short a time to tell a drift", colour: "plain" },
  ]);
});

test("a report that knows nothing of clocks says nothing of them", () => {
  assert.deepEqual(clockTexts(goodReport), []);
  assert.deepEqual(clockTexts(reportOf([null])), []);
});
