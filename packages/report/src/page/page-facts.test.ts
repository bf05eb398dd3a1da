import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { madeUpRun } from "@tokenstorm/testkit";
import { badReport, goodReport, openReport } from "../screen-samples.js";
import { renderText } from "../text-report.js";
import { pageFacts } from "./page-facts.js";
import { runData } from "./run-data.js";

const leading: RunReport["leading"] = {
  leaders: [
    { leader: "c1", term: 1, fromMs: null },
    { leader: "c2", term: 2, fromMs: 16_240 },
  ],
  unled: [{ fromMs: 4100, toMs: 16_200 }],
};
const loss = { reason: "silent", lastHeardMs: 60_000, lostAtMs: 65_000, foundAtMs: null, takenOver: null };
const losses: RunReport["losses"] = [
  { ...loss, agent: "a1", foundAtMs: 66_000 },
  { ...loss, agent: "a2", foundAtMs: 600_000, times: 9 },
  { ...loss, agent: "a3", takenOver: { fromStage: "u100", by: ["a1", "a4"] } },
  { ...loss, agent: "a5" },
];

const REPORTS: Readonly<Record<string, RunReport>> = {
  "a good run": goodReport,
  "a bad run": badReport,
  "a stopped run of an open load": openReport,
  "a run that was taken over and lost agents": { ...badReport, leading, losses },
};

/** What stands below the table of the text report, by label. */
function factsOfText(report: RunReport): { label: string; text: string }[] {
  const lines = renderText(report, { width: 10_000, colour: false }).split("\n");
  let last = "";
  return lines.slice(lines.lastIndexOf("") + 1).map((line) => {
    last = line.slice(0, 12).trim() || last;
    return { label: last, text: line.slice(12) };
  });
}

for (const [name, report] of Object.entries(REPORTS)) {
  test(`the page of ${name} says all that the text report says below its table, in its words and order`, () => {
    const said = pageFacts(report).map(({ label, text }) => ({ label, text }));
    assert.deepEqual(said, factsOfText(report));
  });
}

test("who led, when nobody did, and each lost agent are warnings on the page", () => {
  const of = (label: string) =>
    pageFacts({ ...goodReport, leading, losses }).filter((one) => one.label === label);
  assert.deepEqual(of("leading"), [
    {
      label: "leading",
      text:
        "led by c1 (term 1), then c2 (term 2) from 16.2 s; " +
        "nobody led from 4.1 s to 16.2 s: no threshold could end the run then",
      tone: "warning",
    },
  ]);
  const lost = (agent: string) => `${agent} was last heard at 60.0 s and counted as lost at 65.0 s`;
  assert.deepEqual(
    of("lost").map(({ text }) => text),
    [
      `${lost("a1")}; heard again at 66.0 s, it went on with its shard`,
      "a2 was lost 9 times from 60.0 s on; heard again each time, the last time at 600.0 s",
      `${lost("a3")}; its shard went to a1, a4 from stage u100 on`,
      `${lost("a5")}; nobody took its shard over`,
    ],
  );
  assert.ok(of("lost").every(({ tone }) => tone === "warning"));
});

test("a run directory's page tells of a takeover and a loss, and says nothing of either where there was none", async () => {
  const options = { agents: 2, levels: [2], levelMs: 8000, seed: 9 };
  const told = async (isTakenOver: boolean) => {
    const { facts } = await runData(madeUpRun({ ...options, isTakenOver }));
    return facts.filter(({ label }) => label === "leading" || label === "lost").map(({ text }) => text);
  };
  assert.deepEqual(await told(true), [
    "led by coordinator-1 (term 1), then coordinator-2 (term 2) from 4.0 s; " +
      "nobody led from 2.0 s to 4.0 s: no threshold could end the run then",
    "load-2 was last heard at 1.0 s and counted as lost at 6.0 s; heard again at 7.0 s, it went on with its shard",
  ]);
  assert.deepEqual(await told(false), []);
});
