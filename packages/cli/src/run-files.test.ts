import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Final, LoadError, type RunReport, requirePlan } from "@tokenstorm/core";
import { resultToLine } from "@tokenstorm/protocol";
import { aRunRecord, runFacts } from "@tokenstorm/testkit";
import { definitionsFromDirectory, readLocalReport, rebuildFromDirectory } from "./run-files.js";

const plan = requirePlan({
  version: 1,
  target: { urls: ["http://127.0.0.1:8000"] },
  load: { kind: "users", stages: [{ users: 1, durationMs: 1000 }] },
});

const facts = runFacts(
  aRunRecord(plan, { state: "failed", problem: { code: "AGENT_LOST", message: "agent a was lost" } }),
);

const final: Final = {
  run: "r1",
  agent: "a",
  epoch: 1,
  lastSeq: 3,
  samplesRecorded: 0,
  ledger: {
    offered: 0,
    sent: 0,
    unsent: 0,
    dropped: 0,
    waiting: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    unknown: 0,
    inFlight: 0,
  },
  startErrorUs: 7,
  evicted: 0,
  completedPerUserMin: {},
  reader: "undici",
};

interface Files {
  readonly "run.json"?: string;
  readonly "snapshots.ndjson"?: string;
  readonly "events.ndjson"?: string;
  readonly "report.json"?: string;
}

function runDirectory(t: TestContext, files: Files): string {
  const directory = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

const runJson = JSON.stringify({ schemaVersion: 1, facts });
const finalLine = resultToLine({ kind: "final", final });
const isUnreadable = (says: RegExp) => (error: unknown) =>
  error instanceof LoadError && error.code === "RESULTS_UNREADABLE" && says.test(error.message);

test("a run directory is reported from its lines; a line that was cut off at the end is none", async (t) => {
  const directory = runDirectory(t, {
    "run.json": runJson,
    "snapshots.ndjson": `${finalLine}\n{"kind":"snapshot","run":"r1","age`,
    "events.ndjson": `${JSON.stringify({ kind: "state", state: "running", wallMs: 1 })}\n`,
  });
  const report = await rebuildFromDirectory(directory);
  assert.equal(report.run.id, "r1");
  assert.equal(report.completeness.intervalsExpected, 3);
  assert.deepEqual(report.completeness.missing, [{ agent: "a", from: 1, to: 3 }]);
});

test("what only a leader needs again, of this version or a later one, is passed over", async (t) => {
  const lines = [
    ...["led", "ready", "scrape", "clocks", "drained", "verdict", "of-a-later-version"].map((kind) => ({
      kind,
    })),
    { kind: "note", text: "seen", wallMs: 1 },
  ];
  const directory = runDirectory(t, {
    "run.json": runJson,
    "snapshots.ndjson": `${finalLine}\n`,
    "events.ndjson": lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  });
  assert.equal((await rebuildFromDirectory(directory)).run.id, "r1");
});

test("what the leader knew to be missing of a lost agent is still missing", async (t) => {
  const whole = await rebuildFromDirectory(
    runDirectory(t, { "run.json": runJson, "snapshots.ndjson": `${finalLine}\n` }),
  );
  const withReport = JSON.stringify({ schemaVersion: 1, facts, report: whole });
  const report = await rebuildFromDirectory(
    runDirectory(t, { "run.json": withReport, "snapshots.ndjson": "" }),
  );
  assert.deepEqual(report.completeness.missing, [{ agent: "a", from: 1, to: 3 }]);
});

test("a directory with nothing but a report shows that report", async (t) => {
  const rebuilt = await rebuildFromDirectory(
    runDirectory(t, { "run.json": runJson, "snapshots.ndjson": `${finalLine}\n` }),
  );
  const kept = runDirectory(t, { "report.json": JSON.stringify(rebuilt) });
  assert.deepEqual(await rebuildFromDirectory(kept), JSON.parse(JSON.stringify(rebuilt)));
  assert.deepEqual(await readLocalReport(kept), JSON.parse(JSON.stringify(rebuilt)));
});

test("a directory whose scrapes tell the target's own times and block size is reported", async (t) => {
  const counters = { promptTokens: 5, generationTokens: 6, successes: 1, preemptions: 0, prefixHits: 0 };
  const times = { ttft: { sumUs: 9, count: 1 }, itl: null, e2e: { sumUs: 90, count: 1 } };
  const sample = {
    ...counters,
    prefixQueries: 5,
    tUs: 10,
    running: 1,
    waiting: 0,
    kvUsage: 0.1,
    blockTokens: 16,
    times,
  };
  const directory = runDirectory(t, {
    "run.json": runJson,
    "snapshots.ndjson": `${finalLine}\n`,
    "events.ndjson": `${JSON.stringify({ kind: "server", sample })}\n`,
  });
  assert.equal((await rebuildFromDirectory(directory)).run.id, "r1");
  const broken = { ...sample, times: { ...times, ttft: 3 } };
  const wrong = runDirectory(t, {
    "run.json": runJson,
    "snapshots.ndjson": "",
    "events.ndjson": `${JSON.stringify({ kind: "server", sample: broken })}\n`,
  });
  await assert.rejects(
    rebuildFromDirectory(wrong),
    isUnreadable(/events\.ndjson:1 cannot be read: it is no event/),
  );
});

test("other definitions are told from a run's intervals, and refused from a report alone", async (t) => {
  const directory = runDirectory(t, { "run.json": runJson, "snapshots.ndjson": `${finalLine}\n` });
  const told = await definitionsFromDirectory("vllm", directory);
  assert.deepEqual([told.definitions, told.run, told.levels], ["vllm", "r1", []]);
  assert.match(told.basis.at(-1) ?? "", /3 intervals of the run are missing/);
  const report = await rebuildFromDirectory(directory);
  const kept = runDirectory(t, { "report.json": JSON.stringify(report) });
  await assert.rejects(
    definitionsFromDirectory("study", kept),
    isUnreadable(/no other definition can be recomputed/),
  );
});

test("a proof that was kept beside a run stands in its report again", async (t) => {
  const files = { "run.json": runJson, "snapshots.ndjson": `${finalLine}\n` };
  const whole = await rebuildFromDirectory(runDirectory(t, files));
  const proof: RunReport["proof"] = {
    level: "u1",
    run: "r2",
    agents: 1,
    agentsDoubled: 2,
    figures: [
      { name: "ttftP50Us", single: 5, doubled: 6, difference: { low: -1, high: 3 }, isSame: true },
      { name: "e2eP99Us", single: null, doubled: null, difference: null, isSame: null },
    ],
    holds: true,
    sentence: "level u1 with 2",
  };
  const kept = runDirectory(t, { ...files, "report.json": JSON.stringify({ ...whole, proof }) });
  assert.deepEqual((await rebuildFromDirectory(kept)).proof, proof);
});

test("files that are damaged, foreign or of another version are named with file and line", async (t) => {
  const cases: readonly (readonly [Files, RegExp])[] = [
    [{ "run.json": "{", "snapshots.ndjson": "" }, /run\.json cannot be read: it is no JSON/],
    [{ "run.json": "[]", "snapshots.ndjson": "" }, /run\.json.*no run\.json/],
    [{ "run.json": JSON.stringify({ schemaVersion: 2, facts }), "snapshots.ndjson": "" }, /schema version 2/],
    [
      {
        "run.json": JSON.stringify({ schemaVersion: 1, facts: { ...facts, record: 1 } }),
        "snapshots.ndjson": "",
      },
      /run\.json.*record/,
    ],
    [
      {
        "run.json": JSON.stringify({ schemaVersion: 1, facts: { ...facts, clocks: {} } }),
        "snapshots.ndjson": "",
      },
      /run\.json.*parts of it are missing/,
    ],
    [{ "run.json": runJson, "snapshots.ndjson": `${finalLine}\n{"kind":"x"}\n` }, /snapshots\.ndjson:2 /],
    [
      { "run.json": runJson, "snapshots.ndjson": "", "events.ndjson": '{"kind":"note"}\n' },
      /events\.ndjson:1 /,
    ],
    [{ "run.json": runJson, "snapshots.ndjson": "", "events.ndjson": "{}\n" }, /events\.ndjson:1 /],
    [{ "report.json": '{"schemaVersion":9}' }, /schema version 9/],
    [{ "report.json": '{"schemaVersion":1}' }, /another form \(run: /],
    [{}, /report\.json.*no such file/],
  ];
  for (const [files, says] of cases) {
    await assert.rejects(rebuildFromDirectory(runDirectory(t, files)), isUnreadable(says), String(says));
  }
});
