import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { requireStudy } from "./parse-study.js";
import { parsePublished } from "./published.js";
import { runsOf, scheduleStudy } from "./schedule.js";
import type { StudyInput } from "./schema.js";
import { summariseStudy } from "./summarise-study.js";
import { type ALevel, aRunReport } from "./testing/a-run-report.js";
import { aStudy, aSuite } from "./testing/a-study.js";

const published = parsePublished(
  JSON.parse(
    readFileSync(new URL("../../../../plans/study/data/published-results.json", import.meta.url), "utf8"),
  ),
);
const target = { urls: ["http://127.0.0.1:8000"] };

/** Summarises a study of which each run measured what `levelsOf` says of its key. */
function summarise(input: StudyInput, levelsOf: (key: string) => readonly ALevel[] | null) {
  const study = requireStudy(input);
  const runs = runsOf(scheduleStudy(study, { mode: "default" }));
  const results = runs.flatMap(({ key }) => {
    const levels = levelsOf(key);
    const run = key.replaceAll("/", "-");
    return levels === null ? [] : [{ key, run, directory: run, report: aRunReport(levels, run) }];
  });
  const rest = { published, mode: "default", digest: "d", startedAt: "", version: "0" } as const;
  return summariseStudy({ study, runs, results, ...rest });
}

const level = (name: string, totalTokensPerS: number, e2eP99Us: number, inFlight = 10): ALevel => ({
  name,
  promptTokensPerS: totalTokensPerS * 0.75,
  outputTokensPerS: totalTokensPerS * 0.25,
  e2eP99Us,
  inFlight,
});

test("repeats give mean, Student-t interval and CoV of each figure", () => {
  const rates = [100, 102, 98, 101, 99];
  const report = summarise(aStudy({ repeats: 5, conditions: [{ name: "a", target }] }), (key) => [
    level("u10", rates[Number(key.at(-1)) - 1] ?? 0, 1e6),
  ]);
  const figure = report.suites[0]?.cells[0]?.levels[0]?.statistics.totalTokensPerS;
  // Sample variance 2.5, t(0.975, 4) = 2.7764: half = 2.7764 x sqrt(2.5 / 5).
  assert.equal(figure?.mean, 100);
  assert.ok(Math.abs((figure?.ci95?.high ?? 0) - 100 - 2.7764 * Math.sqrt(0.5)) < 1e-3);
  assert.ok(Math.abs((figure?.cov ?? 0) - Math.sqrt(2.5) / 100) < 1e-12);
});

test("one repeat, equal repeats and none at all give a sentence, never NaN", () => {
  const study = aStudy({ repeats: 2 });
  const report = summarise(study, (key) => {
    if (key === "levels/a/1") return [level("u10", 5, 5)];
    return key.startsWith("levels/b") ? [level("u10", 7, 7)] : null;
  });
  const [a, b] = report.suites[0]?.cells ?? [];
  assert.match(a?.levels[0]?.statistics.totalTokensPerS.because ?? "", /one value says nothing/);
  assert.match(b?.levels[0]?.statistics.totalTokensPerS.because ?? "", /values are equal/);
  assert.match(report.basis.join("\n"), /3 of 4 runs are done/);
  const none = summarise(study, () => null);
  assert.match(none.suites[0]?.cells[0]?.levels[0]?.statistics.e2eP99Us.because ?? "", /no repeat/);
  assert.doesNotMatch(JSON.stringify(none), /NaN|Infinity/);
});

test("published rows stand beside ours in percent, marked as calibrated or predicted for a simulator alone", () => {
  const row = "multirun-llama-3.1-405b";
  const study = (calibratedBy: string[] | null): StudyInput =>
    aStudy({
      publishedRows: { file: "f", sha256: "0".repeat(64) },
      conditions: [
        {
          name: "a",
          target,
          ...(calibratedBy === null ? {} : { simulated: { profile: "p", calibratedBy } }),
        },
      ],
      suites: [aSuite({ published: { a: row } })],
    });
  const of = (calibratedBy: string[] | null) =>
    summarise(study(calibratedBy), () => [level("u10", 1090 * 1.02, 16.17e6 * 0.99)]).suites[0]?.cells[0]
      ?.levels[0]?.published;
  assert.equal(of(null)?.totalTokensPerS, 1090);
  assert.ok(Math.abs((of(null)?.differencePct.totalTokensPerS ?? 0) - 2) < 1e-9);
  assert.ok(Math.abs((of(null)?.differencePct.e2eP99Us ?? 0) + 1) < 1e-9);
  assert.equal(of(null)?.mark, null);
  assert.equal(of([row])?.mark, "calibrated");
  assert.equal(of([])?.mark, "predicted");
});

test("our saturation estimate is one over the repeats: each run's throughput and gauge count on their own", () => {
  const cellOf = (spread: number) => {
    const input = { ...ladder(null), repeats: 3 };
    return summarise(input, (key) => {
      const factor = 1 + spread * (Number(key.at(-1)) - 2);
      return [1, 10, 100, 500, 1000].map((users) => {
        const running = Math.min(200, users);
        const row = level(`u${users}`, (10_000 * running * factor) / (running + 200), 1e6, users);
        return { ...row, running: running * factor };
      });
    }).suites[0]?.cells[0]?.saturation.byMeasuredInFlight;
  };
  const [narrow, wide] = [cellOf(0.001), cellOf(0.02)];
  assert.ok(narrow?.kind === "found" && wide?.kind === "found", JSON.stringify([narrow, wide]));
  assert.ok(Math.abs(narrow.inFlight - 200) < 0.1 && Math.abs(wide.inFlight - 200) < 0.1);
  assert.ok(narrow.high - narrow.low < 1, JSON.stringify(narrow));
  assert.ok(wide.high - wide.low > 7 && wide.low < 200 && wide.high > 200, JSON.stringify(wide));
});

test("a run at a time scale is told in the server's own time", () => {
  const suites = [aSuite({ timeScale: 10 })];
  const report = summarise(aStudy({ suites, conditions: [{ name: "a", target }] }), () => [
    level("u10", 10_900, 1.617e6),
  ]);
  const { totalTokensPerS, e2eP99Us, measuredInFlight } =
    report.suites[0]?.cells[0]?.levels[0]?.statistics ?? assert.fail();
  assert.deepEqual([totalTokensPerS.mean, e2eP99Us.mean, measuredInFlight.mean], [1090, 16_170_000, 10]);
  assert.match(report.basis.join("\n"), /levels 10 x/);
});

const ladder = (requests: number | null) => {
  const stages = [1, 10, 100, 500, 1000].map((users) =>
    requests === null ? { users, durationMs: "1m" } : { users, requests, rampUpMs: 0 },
  );
  return aStudy({
    conditions: [{ name: "a", target }],
    suites: [aSuite({ plan: { load: { kind: "users", stages } } })],
  });
};

test("levels with fewer requests than users are told for what they are, and saturate where the requests end", () => {
  const cell = summarise(ladder(100), () => [
    level("u1", 140, 12e6, 1),
    level("u10", 1090, 16e6, 10),
    level("u100", 6802, 25.84e6, 97),
    level("u500", 6804, 25.84e6, 97),
    level("u1000", 6798, 25.84e6, 97),
  ]).suites[0]?.cells[0];
  assert.equal(cell?.saturation.byStudyRule.level, "u100");
  const said = cell?.sentences.join("\n") ?? "";
  assert.match(said, /levels asked as 500, 1000 have at most 100 requests each/);
  assert.match(said, /at most 97 were/);
  assert.match(said, /That point is where the requests end: no level past u100 had more than 100/);
  assert.match(said, /By what was measured in flight: None found up to 97/);
  assert.deepEqual(
    cell?.levels.map(({ status }) => status.word),
    ["OK", "OK", "DEGRADED", "SATURATED", "SATURATED"],
  );
});

test("held levels whose throughput rises past the rule's point say so", () => {
  const cell = summarise(ladder(null), () => [
    level("u1", 140, 12e6, 1),
    level("u10", 1090, 16e6, 10),
    level("u100", 6802, 26e6, 100),
    level("u500", 7000, 60e6, 500),
    level("u1000", 9000, 90e6, 1000),
  ]).suites[0]?.cells[0];
  const said = cell?.sentences.join("\n") ?? "";
  assert.match(said, /At the level asked as 1000, 1000\.0 requests were in flight/);
  assert.match(said, /Throughput there is 32\.3 % above that of u100: it went on rising/);
  assert.doesNotMatch(said, /have at most|where the requests end/);
});

test("a baseline of another suite judges DEGRADED, and without one it is said that nothing can", () => {
  const base = aSuite({
    name: "baseline",
    phase: "baseline",
    plan: { load: { kind: "users", stages: [{ users: 1, requests: 5 }] } },
  });
  const of = (baseline: string | undefined) =>
    summarise(
      aStudy({
        conditions: [{ name: "a", target }],
        suites: [base, aSuite(baseline === undefined ? {} : { baseline })],
      }),
      (key) => [key.startsWith("baseline") ? level("u1", 100, 3e6, 1) : level("u10", 1000, 6.2e6)],
    ).suites[1]?.cells[0]?.levels[0]?.status;
  assert.equal(of("baseline")?.word, "DEGRADED");
  assert.equal(of(undefined)?.word, null);
  assert.match(of(undefined)?.because ?? "", /without a baseline/);
});

test("failures under 95 % success are FAILING, and all failed gives no NaN", () => {
  const study = aStudy({ conditions: [{ name: "a", target }] });
  const of = (completed: number, failed: number) =>
    summarise(study, () => [{ ...level("u10", 1000, 1e6), completed, failed }]).suites[0]?.cells[0]
      ?.levels[0];
  assert.equal(of(94, 6)?.status.word, "FAILING");
  assert.notEqual(of(95, 5)?.status.word, "FAILING");
  assert.equal(of(0, 7)?.success.rate, 0);
});

test("requests that were cut unfinished did not succeed, and a percentile that they could move is no figure", () => {
  const cell = summarise(aStudy({ repeats: 2, conditions: [{ name: "a", target }] }), () => [
    { ...level("u10", 1000, 30e6), completed: 60, censored: 40, e2eAtLeast: ["p99"] },
  ]).suites[0]?.cells[0];
  const row = cell?.levels[0];
  assert.deepEqual([row?.success.completed, row?.success.due, row?.success.rate], [120, 200, 0.6]);
  assert.equal(row?.status.word, "FAILING");
  assert.equal(row?.statistics.e2eP99Us.mean, null);
  assert.equal(row?.statistics.e2eP50Us.mean, 15e6);
  assert.match(row?.repeats[0]?.notes.join() ?? "", /e2e\.p99: not given/);
});

test("an answer that only its content or length fails is a success by the study's definition, and none by the strict one", () => {
  const failures = { "wrong-length": 3, "no-finish": 2, "http-5xx": 1 };
  const cell = summarise(aStudy({ conditions: [{ name: "a", target }] }), () => [
    { ...level("u10", 1000, 1e6), completed: 94, failed: 6, failures },
  ]).suites[0]?.cells[0];
  assert.match(cell?.sentences.join() ?? "", /strict definition: 94 of 100 .* by the study's 99 of 100/);
  const row = cell?.levels[0];
  assert.deepEqual([row?.success.completed, row?.success.due], [94, 100]);
  assert.deepEqual([row?.successByStudy.completed, row?.successByStudy.due], [99, 100]);
  assert.notEqual(row?.status.word, "FAILING", "the status goes by the study's definition");
});

test("pairs are compared by Welch's interval, and an interval that holds 0 shows no difference", () => {
  const rates: Record<string, readonly number[]> = {
    a: [100, 101, 99, 100, 100],
    b: [104, 105, 103, 104, 104],
  };
  const facts = { model: "M", env: { VLLM_ROCM_USE_AITER: "0" }, serve: "x" };
  const on = { ...facts, env: { VLLM_ROCM_USE_AITER: "1" }, serve: "y" };
  const study = aStudy({
    repeats: 5,
    order: "interleaved",
    conditions: [
      { name: "a", target, facts },
      { name: "b", target, facts: { ...on, kvDtype: "fp8" } },
    ],
    suites: [aSuite({ pairs: [{ a: "a", b: "b" }] })],
  });
  const report = summarise(study, (key) => {
    const [, condition = "", repeat] = key.split("/");
    return [level("u10", rates[condition]?.[Number(repeat) - 1] ?? 0, 1e6)];
  });
  const [compared] = report.suites[0]?.comparisons ?? [];
  assert.deepEqual(compared?.differs, [
    { fact: "env.VLLM_ROCM_USE_AITER", a: "0", b: "1" },
    { fact: "kvDtype", a: "not stated", b: "fp8" },
  ]);
  const figures = compared?.levels[0]?.figures ?? [];
  const total = figures.find(({ metric }) => metric === "totalTokensPerS");
  assert.ok(Math.abs((total?.differencePct ?? 0) - 4) < 1e-9);
  // Both sides have variance 0.5: half = t(0.975, 8) x sqrt(0.2), t = 2.3060.
  assert.ok(Math.abs((total?.interval95Pct?.high ?? 0) - 4 - 2.306 * Math.sqrt(0.2)) < 1e-3);
  assert.match(total?.sentence ?? "", /b is greater/);
  const p99 = figures.find(({ metric }) => metric === "e2eP99Us");
  assert.equal(p99?.interval95Pct, null);
  assert.match(p99?.sentence ?? "", /no spread/);
});

test("the published file gives every series, the AITER arms and the stress tests by name", () => {
  const ids = published.map(({ id }) => id);
  for (const id of [
    "multirun-kimi-k2.5",
    "stress-llama-saturation",
    "aiter-on",
    "stress-testing-qwen3-vl-235b",
  ])
    assert.ok(ids.includes(id), id);
  const on = published.find(({ id }) => id === "aiter-on")?.rows.find(({ users }) => users === 500);
  assert.equal(on?.totalTokensPerS, 6972);
  const stress = published.find(({ id }) => id === "stress-testing-llama-3.1-405b")?.rows;
  assert.deepEqual(
    stress?.map(({ name }) => name),
    ["long-output-nominal-1000", "long-context-4k", "very-long-context-8k"],
  );
  assert.throws(() => parsePublished({ schema: "other" }), /published rows cannot be read/);
});
