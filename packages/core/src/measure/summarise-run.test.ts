import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerSample } from "../run/facts.js";
import type { RunReport, StageReport } from "../run/report.js";
import type { Aggregate } from "./aggregate.js";
import { createAggregate } from "./fold.js";
import type { Snapshot } from "./snapshot.js";
import { foldAll, playOn } from "./testing/cluster.js";
import { randomRun } from "./testing/random-run.js";
import { closedLoop, counters, factsOf, planOf, reportOf, runOf } from "./testing/run-facts.js";
import type { Played, ScriptedRun } from "./testing/scripted-run.js";
import { seeded } from "./testing/seeded.js";
import { shuffled } from "./testing/shuffled.js";
import type { Vitals } from "./vitals.js";

const S = 1_000_000;
/** Four users from 0 on, each answered after 0.5 s with 11 tokens; measured from 2 s to 12 s. */
const plan = planOf({});
const healthy = runOf(
  plan,
  closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 4, e2eUs: () => 500_000 }),
);

function only(report: RunReport): StageReport {
  const [level] = report.stages;
  assert.ok(level !== undefined && report.stages.length === 1, `${report.stages.length} levels`);
  return level;
}

/** Every row adds up, and nothing in a report is a number that is none. */
function checkSound(report: RunReport): void {
  for (const { requests } of [...report.stages, report.totals]) {
    const { completed, failed, cancelled, dropped, unknown, censored } = requests;
    assert.equal(requests.offered, completed + failed + cancelled + dropped + unknown + censored);
  }
  const walk = (value: unknown, path: string): void => {
    if (typeof value === "number") assert.ok(Number.isFinite(value), `${path} is ${value}`);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`);
    } else assert.notEqual(typeof value, "undefined", path);
  };
  walk(report, "report");
}

function summarise(
  run: ScriptedRun,
  options: {
    readonly plan?: typeof plan;
    readonly played?: readonly Played[];
    readonly agents?: number;
    readonly facts?: Parameters<typeof factsOf>[3];
    readonly serverSamples?: readonly ServerSample[];
  } = {},
): RunReport {
  const played = options.played ?? playOn(run, options.agents ?? 2);
  const facts = factsOf(options.plan ?? plan, run, played.length, options.facts);
  const report = reportOf(facts, foldAll(run, played), {
    stages: run.stages,
    serverSamples: options.serverSamples ?? [],
  });
  checkSound(report);
  return report;
}

test("a healthy level has the figures that can be reckoned by hand, and is valid", () => {
  const report = summarise(healthy);
  const level = only(report);
  assert.deepEqual(report.verdict, {
    status: "valid",
    thresholds: "none",
    reasons: [],
    limitedBy: null,
    limitSentence: "Who was the limit is not known: the target's metrics were not read.",
  });
  assert.deepEqual([level.steady, level.tooShort, level.notes], [true, false, []]);
  assert.deepEqual([level.name, level.users, level.windowStartUs, level.windowMs], ["u4", 4, 2 * S, 10_000]);
  assert.equal(level.windowStartEpochUs, 1_790_000_000_000_000 + 2 * S);
  // At each agent one user ends, and sends again at once, while the other waits.
  assert.deepEqual(level.inFlight, { asked: 4, mean: 4, minAtLeast: 2, maxAtMost: 4 });
  assert.deepEqual([level.requests.offered, level.requests.completed], [80, 80]);
  assert.deepEqual(level.success, { rate: 1, lower95: 0.05 ** (1 / 80) });
  assert.deepEqual(level.rates, {
    requestsPerS: 8,
    outputTokensPerS: 88,
    promptTokensPerS: 800,
    outputTokensPerSPerGpu: 11,
    outputTokensPerSPerUser: 22,
    eventsPerS: 88,
  });
  assert.deepEqual([level.tokens.output, level.tokens.source, level.tokens.outputMean], [880, "usage", 11]);
  assert.deepEqual([level.latencyUs.e2e.min, level.latencyUs.e2e.max], [500_000, 500_000]);
  assert.deepEqual([level.latencyUs.ttft.count, level.latencyUs.itl.count], [80, 800]);
  assert.equal(level.completedPerUserMin, 20);
  assert.equal(report.run.startedAt, "2026-09-21T14:13:20.000Z");
  assert.deepEqual(report.totals.requests.completed, 96);
  assert.deepEqual([report.totals.tokens.output, report.totals.tokens.prompt], [96 * 11, 96 * 100]);
  assert.deepEqual(
    report.agents.map(({ id, intervals, measuredIntervals }) => [id, intervals, measuredIntervals]),
    [
      ["a0", 13, 10],
      ["a1", 13, 10],
    ],
  );
});

test("a window that no answer fits into says so, and names the duration that would do", () => {
  const tooShort = planOf({
    load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 10_000 }] },
  });
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 10 * S, users: 4, e2eUs: () => 30 * S });
  const report = summarise(runOf(tooShort, requests), { plan: tooShort });
  const level = only(report);
  assert.equal(level.tooShort, true);
  assert.deepEqual([level.requests.offered, level.requests.censored], [4, 4]);
  assert.deepEqual([level.latencyUs.e2e.count, level.latencyUs.e2e.p50], [0, 12 * S]);
  assert.deepEqual(level.latencyUs.e2e.atLeast, ["min", "p50", "p90", "p95", "p99", "p999", "mean", "max"]);
  const sentence =
    "too short: its window of 10 s is under 3 x its median E2E of at least 12 s; a window of at least 36 s would do";
  assert.deepEqual(level.notes, [sentence, "no request completed: all 4 were cut, cancelled or lost"]);
  assert.deepEqual(
    [report.verdict.status, report.verdict.reasons],
    ["degraded", [`level u4 is ${sentence}`]],
  );
  const { prompt, output } = report.totals.tokens;
  assert.deepEqual(
    [prompt, output],
    [400, 44],
    "tokens count when they came, also after the count was closed",
  );
});

test("a window in which no request was due takes its measure from those before it", () => {
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 4, e2eUs: () => 13 * S });
  const level = only(summarise(runOf(plan, requests)));
  assert.deepEqual([level.tooShort, level.steady, level.requests.offered], [true, true, 0]);
  assert.deepEqual(level.notes, [
    "too short: no request was due in its window of 10 s: those before it took 13 s (median E2E); a window of 39 s would do",
  ]);
  assert.equal(level.success.rate, null);
});

test("a level without a single request says so", () => {
  const level = only(summarise(runOf(plan, [])));
  assert.deepEqual(level.notes, [
    "too short: no request was due in its window of 10 s",
    "never full, so not steady: 0.0 in flight of 4 asked for (4 of 4 users sent no request in it)",
  ]);
  assert.deepEqual([level.rates.outputTokensPerSPerUser, level.rates.requestsPerS], [null, 0]);
});

test("a level that is not filled is not steady, unless its users think", () => {
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 3, e2eUs: () => 500_000 });
  const level = only(summarise(runOf(plan, requests)));
  assert.deepEqual(
    [level.steady, level.notes],
    [false, ["never full, so not steady: 3.0 in flight of 4 asked for (1 of 4 users sent no request in it)"]],
  );
  const thinking = planOf({
    load: {
      kind: "users",
      thinkMs: 200,
      stages: [{ users: 4, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 }],
    },
  });
  const thoughtful = summarise(runOf(thinking, requests), { plan: thinking });
  assert.deepEqual(
    [only(thoughtful).notes, thoughtful.verdict.status],
    [["1 of 4 users sent no request in it"], "valid"],
  );
});

test("a level bounded by requests is measured whole, not steady, and never too short", () => {
  const bounded = planOf({ load: { kind: "users", stages: [{ users: 4, requests: 8, rampUpMs: 0 }] } });
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: S, users: 4, e2eUs: () => 500_000 });
  const run = runOf(bounded, requests, { done: [{ stage: 0, tUs: S }], finishUs: S + 1000 });
  const report = summarise(run, { plan: bounded });
  const level = only(report);
  assert.deepEqual([level.steady, level.tooShort, level.windowMs], [false, false, 1000]);
  assert.match(level.notes.join(), /bounded by requests/);
  assert.equal(report.verdict.status, "valid");
});

test("open load has a rate and no asked in-flight, and a slope is no level", () => {
  const open = planOf({
    load: {
      kind: "arrival-rate",
      stages: [
        { durationMs: 1000, fromRps: 1, toRps: 9 },
        { durationMs: 2000, fromRps: 9 },
      ],
    },
  });
  const requests = closedLoop({ stage: 1, fromUs: S, toUs: 3 * S, users: 2, e2eUs: () => 100_000 });
  const run = runOf(
    open,
    requests.map((request) => ({ ...request, user: null })),
  );
  const level = only(summarise(run, { plan: open }));
  assert.deepEqual([level.name, level.rps, level.users], ["r9", 9, undefined]);
  assert.deepEqual([level.inFlight.asked, level.completedPerUserMin, level.steady], [null, null, true]);
  assert.equal(level.requests.completed, 40);
});

test("where every request fails, figures are missing and not zero, and a sentence says why", () => {
  const requests = closedLoop({
    stage: 0,
    fromUs: 0,
    toUs: 12 * S,
    users: 4,
    e2eUs: () => 500_000,
    fails: () => true,
  });
  const level = only(summarise(runOf(plan, requests)));
  assert.deepEqual(level.success, { rate: 0, lower95: 0 });
  assert.deepEqual(level.failures, { "http-5xx": 80 });
  assert.deepEqual(level.notes, ["no request completed: 80 of 80 failed"]);
  assert.deepEqual(
    [level.latencyUs.e2e.p50, level.latencyUs.e2e.mean, level.latencyUs.e2e.max],
    [null, null, null],
  );
  assert.deepEqual([level.tokens.source, level.tokens.outputMean], ["none", null]);
  assert.equal(level.tooShort, false);
});

test("a run that never started has a report all the same", () => {
  const facts = factsOf(plan, healthy, 1, {
    record: {
      state: "failed",
      start: null,
      stageStartsUs: [null],
      problem: { code: "AGENTS_INSUFFICIENT", message: "1 of 4 agents came" },
    },
    facts: { serverBefore: null, serverAfter: null },
  });
  const aggregate = createAggregate({ stages: healthy.stages, shards: [] });
  const report = reportOf(facts, aggregate, { stages: healthy.stages });
  checkSound(report);
  assert.deepEqual(
    [report.stages, report.agents, report.run.startedAt, report.run.reader],
    [[], [], null, ""],
  );
  assert.deepEqual(report.verdict.status, "invalid");
  assert.deepEqual(report.verdict.reasons, ["the run did not complete: it failed (1 of 4 agents came)"]);
  const { checks: _checks, latencies: _latencies, ...server } = report.totals.server;
  assert.deepEqual([_checks, _latencies], [[], []]);
  assert.deepEqual(server, {
    prompt: null,
    output: null,
    successes: null,
    prefixHitTokens: null,
    exact: false,
  });
});

test("a run stopped in a level says how much of it was measured, and nothing of levels it did not reach", () => {
  const ladder = planOf({
    load: {
      kind: "users",
      stages: [
        { users: 4, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 },
        { users: 8, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 },
      ],
    },
    thresholds: ["success.rate >= 50%", "success.rate{stage=u4} >= 50%"],
  });
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 6 * S, users: 4, e2eUs: () => 500_000 });
  const run = runOf(ladder, requests, { stopUs: 6 * S, finishUs: 7 * S });
  const report = summarise(run, { plan: ladder, facts: { record: { state: "aborted" } } });
  assert.deepEqual(only(report).notes, ["only 4 s of its window of 10 s were measured"]);
  assert.deepEqual(report.verdict.reasons, ["the run did not complete: it was stopped"]);
  assert.deepEqual(
    report.thresholds.map(({ result }) => result),
    ["inconclusive", "passed"],
  );
  assert.equal(report.verdict.thresholds, "inconclusive");

  const problem = { code: "RUN_ABORTED", message: "it failed", threshold: "success.rate >= 50%" } as const;
  const ended = summarise(run, { plan: ladder, facts: { record: { state: "aborted", problem } } });
  assert.deepEqual(
    ended.thresholds.map(({ result }) => result),
    ["failed", "passed"],
    "what ended the run stays failed",
  );
});

test("a run that completed, and never came to a level, is degraded and names it", () => {
  const stages = [4, 8].map((users) => ({ users, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 }));
  const ladder = planOf({ load: { kind: "users", stages } });
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 4, e2eUs: () => 500_000 });
  const report = summarise(runOf(ladder, requests, { stopUs: 12 * S, finishUs: 13 * S }), { plan: ladder });
  assert.deepEqual(report.verdict.reasons, ["the run never came to level u8"]);
  assert.equal(report.verdict.status, "degraded");
});

/** The same results, with the vitals of some intervals changed. */
function withVitals(played: readonly Played[], change: (snapshot: Snapshot) => Partial<Vitals>): Played[] {
  return played.map(({ snapshots, final }) => ({
    final,
    snapshots: snapshots.map((one) => ({ ...one, vitals: { ...one.vitals, ...change(one) } })),
  }));
}

test("red intervals are weighed by their share of the measured ones, and their agents named", () => {
  const long = planOf({
    load: { kind: "users", stages: [{ users: 4, rampUpMs: 1000, settleMs: 1000, durationMs: 100_000 }] },
  });
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 102 * S, users: 4, e2eUs: () => 500_000 });
  const run = runOf(long, requests);
  const played = playOn(run, 2);
  const redIn = (agent: string, ...seqs: number[]) =>
    summarise(run, {
      plan: long,
      played: withVitals(played, (one) =>
        one.agent === agent && seqs.includes(one.seq) ? { loopDelayP99Us: 70_000 } : {},
      ),
    });
  assert.equal(redIn("a1", 1, 2).verdict.status, "valid", "the ramp is not measured");
  const two = redIn("a1", 3, 50);
  assert.equal(two.verdict.status, "degraded");
  assert.deepEqual(two.verdict.reasons, [
    "the client was too slow to be trusted in 2 of 200 measured agent intervals (1 %): a1 2 of 100, event-loop delay p99 70.0 ms (limit 14.5 ms)",
  ]);
  assert.deepEqual(
    two.agents.map(({ redIntervals, yellowIntervals, measuredIntervals }) => [
      redIntervals,
      yellowIntervals,
      measuredIntervals,
    ]),
    [
      [0, 0, 100],
      [2, 0, 100],
    ],
  );
  const three = redIn("a1", 3, 50, 51);
  assert.deepEqual([three.verdict.status, three.verdict.limitedBy], ["invalid", "client"]);
});

test("limits in milliseconds follow the level's median ITL", () => {
  // 11 tokens over 400 ms: an ITL of 36 ms, so f = 1.8 and red begins above 14.5 ms.
  const colour = (loopDelayP99Us: number) => {
    const report = summarise(healthy, { played: withVitals(playOn(healthy, 1), () => ({ loopDelayP99Us })) });
    const [agent] = report.agents;
    return [agent?.redIntervals, agent?.yellowIntervals];
  };
  assert.deepEqual(
    [colour(5_300), colour(8_500), colour(15_000)],
    [
      [0, 0],
      [0, 10],
      [10, 0],
    ],
  );
});

function without(played: readonly Played[], agent: string, seqs: readonly number[]): Played[] {
  return played.map(({ snapshots, final }) => ({
    final,
    snapshots: snapshots.filter((one) => one.agent !== agent || !seqs.includes(one.seq)),
  }));
}

test("a missing interval is named, and how many samples were in it", () => {
  const report = summarise(healthy, { played: without(playOn(healthy, 2), "a1", [5]) });
  const { completeness, verdict } = report;
  assert.deepEqual(completeness.missing, [{ agent: "a1", from: 5, to: 5 }]);
  assert.deepEqual([completeness.intervalsReceived, completeness.intervalsExpected], [25, 26]);
  const { samplesMerged, samplesRecorded } = completeness;
  assert.ok(samplesMerged < samplesRecorded);
  assert.equal(verdict.status, "degraded");
  assert.deepEqual(verdict.reasons, [
    "1 of 26 intervals are missing (a1 5: 4-5 s)",
    `${samplesMerged} latency samples were merged of ${samplesRecorded} recorded`,
  ]);
});

test("what began or ended in a missing interval has its place in the row, and is weighed", () => {
  // Each user's first request begins in the first interval and ends in the second; its last one begins in the last.
  const first = summarise(healthy, { played: without(playOn(healthy, 2), "a1", [1, 2, 3, 4, 5, 6]) });
  assert.equal(first.totals.requests.unknown, 0);
  assert.equal(first.totals.requests.offered, first.totals.requests.completed);
  const last = summarise(healthy, { played: without(playOn(healthy, 2), "a1", [12, 13]) });
  assert.equal(last.totals.requests.unknown, 2);
  assert.deepEqual(
    [last.verdict.status, last.verdict.reasons[0]],
    [
      "invalid",
      "what became of 2 of 92 requests (2.2 %) is not known: their agent was lost, or the interval in which they ended",
    ],
  );
});

test("an agent without a final word is named, and its open requests are unknown", () => {
  const run = healthy;
  const [first, second] = playOn(run, 2);
  assert.ok(first !== undefined && second !== undefined);
  const aggregate = createAggregate({ stages: run.stages, shards: factsOf(plan, run, 2).record.shards });
  for (const snapshot of [...first.snapshots, ...second.snapshots.slice(0, 7)]) aggregate.fold(snapshot);
  aggregate.foldFinal(first.final);
  aggregate.expectAtLeast("a1", 3, 9);
  const facts = factsOf(plan, run, 2, { record: { state: "failed" } });
  const report = reportOf(facts, aggregate, { stages: run.stages });
  checkSound(report);
  assert.equal(report.totals.requests.unknown, 2, "two users of a1 were waiting for an answer");
  assert.deepEqual(report.completeness.missing, [{ agent: "a1", from: 8, to: 9 }]);
  assert.equal(report.verdict.status, "invalid");
  assert.ok(
    report.verdict.reasons.includes(
      "no final word came from a1 (known to have cut 9): what else is missing is not known",
    ),
    report.verdict.reasons.join("\n"),
  );
  assert.equal(only(report).completedPerUserMin, null);
});

const sampleAt = (tUs: number, change: Partial<ServerSample>): ServerSample => ({
  ...counters(),
  tUs,
  running: 0,
  waiting: 0,
  kvUsage: 0,
  ...change,
});

test("the server's gauges stand beside the level, each held until the next was read", () => {
  const serverSamples = [
    sampleAt(13 * S, { running: 99, waiting: 99, kvUsage: 1, preemptions: 50 }),
    sampleAt(2 * S - 100, { running: 50, preemptions: 3, prefixHits: 160 }),
    sampleAt(2 * S + 500_000, { running: 1, waiting: 2, kvUsage: 0.5, preemptions: 3 }),
    sampleAt(7 * S, { running: 4, waiting: 0, kvUsage: 0.97, preemptions: 5, prefixHits: 176 }),
  ];
  const report = summarise(healthy, { serverSamples });
  const { server } = only(report);
  // 4.5 s of 1, then 5 s of 4; counters from the sample nearest to the window's beginning.
  assert.ok(Math.abs((server.runningMean ?? 0) - 24.5 / 9.5) < 1e-12);
  assert.ok(Math.abs((server.waitingMean ?? 0) - 9 / 9.5) < 1e-12);
  assert.deepEqual([server.kvUsageMax, server.preemptions, server.prefixHitTokens], [0.97, 2, 16]);
  const restarted = [sampleAt(2 * S, { preemptions: 9 }), sampleAt(9 * S, { preemptions: 1 })];
  assert.equal(only(summarise(healthy, { serverSamples: restarted })).server.preemptions, null);
});

test("the verdict says who was the limit, from the rows and the server's gauges", () => {
  const each = (change: Partial<ServerSample>) =>
    Array.from({ length: 10 }, (_, second) => sampleAt((2 + second) * S, change));
  const limit = (change: Partial<ServerSample>) =>
    summarise(healthy, { serverSamples: each(change) }).verdict.limitedBy;
  assert.equal(limit({ running: 2, waiting: 2, kvUsage: 0.5 - 1e-9 }), "queue");
  assert.equal(limit({ running: 2, waiting: 2, kvUsage: 0.97 }), "kv");
  assert.equal(limit({ running: 4, waiting: 0, kvUsage: 0.5 }), null, "one level is no comparison");
});

test("a level's means of the server's own times are of what it handed out in the window", () => {
  const timesAt = (second: number, count: number, sumUs: number) =>
    sampleAt(second * S, { times: { ttft: { count, sumUs }, itl: { count: 10 * count, sumUs }, e2e: null } });
  const serverSamples = [
    timesAt(1, 5, 9_000),
    timesAt(2, 8, 10_000),
    timesAt(11, 28, 70_000),
    timesAt(13, 99, 1e6),
  ];
  const { ttftMeanUs, itlMeanUs, e2eMeanUs } = only(summarise(healthy, { serverSamples })).server;
  assert.deepEqual([ttftMeanUs, itlMeanUs, e2eMeanUs], [3000, 300, null]);
});

test("the server's counters are differences of its scrapes, exact when nothing ran at either", () => {
  const before = {
    quiescent: true,
    counters: counters({ promptTokens: 5, generationTokens: 10, successes: 1 }),
  };
  const after = (change = {}, quiescent = true) => ({
    quiescent,
    counters: counters({ promptTokens: 105, generationTokens: 30, successes: 3, ...change }),
  });
  const server = (serverAfter: ReturnType<typeof after>) => {
    const { totals } = summarise(healthy, { facts: { facts: { serverBefore: before, serverAfter } } });
    const { checks: _checks, latencies: _latencies, ...counts } = totals.server;
    return counts;
  };
  assert.deepEqual(server(after()), {
    prompt: 100,
    output: 20,
    successes: 2,
    prefixHitTokens: 0,
    exact: true,
  });
  assert.equal(server(after({}, false)).exact, false);
  assert.deepEqual(
    [server(after({ successes: 0 })).successes, server(after({ successes: 0 })).exact],
    [null, false],
  );
});

test("prefix hits are reckoned against whole blocks of the chat template", () => {
  const verdict = (
    prefixHits: number,
    change: {
      prompts?: "identical";
      templateTokens?: number | null;
      api?: "openai-completions";
      blockTokens?: number;
    } = {},
  ) => {
    const planned = planOf({
      workload: { prompts: change.prompts ?? "unique" },
      target: { urls: ["http://127.0.0.1:8000"], api: change.api ?? "openai-chat" },
    });
    const { templateTokens = 20, blockTokens } = change;
    const blocks = blockTokens === undefined ? {} : { blockTokens };
    const counted = { promptTokens: 9600, generationTokens: 1056, successes: 96, prefixHits };
    const serverAfter = { quiescent: true, counters: { ...counters(counted), ...blocks } };
    return summarise(healthy, { plan: planned, facts: { facts: { serverAfter, templateTokens } } }).verdict;
  };
  // 96 requests, a template of 20 tokens: one block of 16 each.
  assert.equal(verdict(96 * 16).status, "valid");
  assert.deepEqual(verdict(96 * 16 + 16).reasons, [
    "1552 prompt tokens came from the prefix cache though prompts were unique (the chat template explains 1536)",
  ]);
  assert.equal(verdict(96 * 32, { blockTokens: 32 }).status, "degraded", "not one whole block of 32");
  // A block of one token: the whole template, and what of a salt is found by chance.
  assert.equal(verdict(96 * 24, { blockTokens: 1 }).status, "valid");
  assert.equal(verdict(96 * 24 + 1, { blockTokens: 1 }).status, "degraded");
  assert.equal(verdict(5000, { prompts: "identical" }).status, "valid");
  assert.equal(verdict(5000, { templateTokens: null }).status, "valid", "nothing is known of the template");
  assert.equal(verdict(16, { templateTokens: null, api: "openai-completions" }).status, "degraded");
});

test("goodput counts every request that was due, and is nothing without limits for one", () => {
  assert.equal(only(summarise(healthy)).goodput, null);
  const limited = planOf({ slos: { e2eMs: 450 } });
  const requests = closedLoop({
    stage: 0,
    fromUs: 0,
    toUs: 12 * S,
    users: 4,
    e2eUs: (user) => (user === 0 ? 400_000 : 500_000),
  });
  const level = only(summarise(runOf(limited, requests), { plan: limited }));
  assert.deepEqual(level.goodput, { share: 25 / (25 + 60), requestsPerS: 2.5 });
});

/** What does not depend on how many agents there were; their vitals do. */
function shared({ totals, stages, thresholds, verdict, completeness }: RunReport) {
  return {
    totals,
    thresholds,
    stages: stages.map(({ inFlight, byAgent: _, outliers, ...level }) => ({
      ...level,
      outliers: outliers?.filter(({ of }) => of === "target"),
      inFlight: { ...inFlight, minAtLeast: 0, maxAtMost: 0 },
    })),
    reasons: verdict.reasons.filter((reason) => !reason.startsWith("the client")),
    missing: completeness.samplesRecorded - completeness.samplesMerged,
  };
}

test("the report does not depend on how requests were shared, nor on the order in which results came", () => {
  const thresholds = ["e2e.p50 < 1s", "ttft.p99 < 60ms", "success.rate >= 0.5", "itl.p90 < 30ms"];
  const planned = planOf({ slos: { ttftMs: 60 }, thresholds });
  for (let seed = 1; seed <= 25; seed += 1) {
    const random = seeded(seed);
    const run = randomRun(random, { stops: true });
    const report = (agents: number, order: <T>(items: readonly T[]) => readonly T[]): RunReport => {
      const aggregate: Aggregate = foldAll(run, playOn(run, agents), order);
      const summary = reportOf(factsOf(planned, run, agents), aggregate, { stages: run.stages });
      checkSound(summary);
      return summary;
    };
    const alone = report(1, (items) => items);
    const five = report(5, (items) => items);
    assert.deepEqual(shared(five), shared(alone), `seed ${seed}`);
    assert.deepEqual(
      report(5, (items) => shuffled(random, items)),
      five,
      `seed ${seed}`,
    );
  }
});
