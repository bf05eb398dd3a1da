import assert from "node:assert/strict";
import { test } from "node:test";
import { plannedArrivals } from "../load/planned-arrivals.js";
import { resolveStages } from "../load/resolve-stages.js";
import { initialStageStarts } from "../load/timeline.js";
import type { PlanInput, TestPlan } from "../plan/schema.js";
import type { RunReport } from "../run/report.js";
import type { Loss, RunRecord } from "../run/run-record.js";
import { foldAll, playOn } from "./testing/cluster.js";
import { closedLoop, factsOf, planOf, reportOf, runOf } from "./testing/run-facts.js";
import type { Played, ScriptedRequest, ScriptedRun } from "./testing/scripted-run.js";

const S = 1_000_000;

/** Three levels of 20 s at 10 a second, the even ones a0's and the odd ones a1's. */
const ladder = (lossPolicy: PlanInput["lossPolicy"], thresholds: string[] = []): TestPlan =>
  planOf({
    lossPolicy,
    orphanMs: 15_000,
    thresholds,
    load: {
      kind: "arrival-rate",
      spacing: "even",
      stages: ["x", "y", "z"].map((name) => ({ name, durationMs: 20_000, fromRps: 10 })),
    },
  });

/** Silent since 8 s, lost at 13 s: it had stopped for sure at 29 s. */
const loss: Loss = {
  agent: "a1",
  epoch: 3,
  lastHeardUs: 8 * S,
  lostUs: 13 * S,
  reason: "agent a1 on h1 was lost: silent for 5.0 s",
  foundUs: null,
};

/** All that the plan has, answered after 100 ms; `ownerOf` says which agent sends it. */
function sentBy(plan: TestPlan, ownerOf: (stage: number, k: number) => number): ScriptedRun {
  const stages = resolveStages(plan);
  const startsUs = initialStageStarts(stages);
  let k = -1;
  const requests = [...(plannedArrivals(plan, stages) ?? [])].flatMap(([stage, dueUs]) =>
    dueUs.map((us): ScriptedRequest => {
      k += 1;
      const atUs = (startsUs[stage] ?? 0) + us;
      const usage = { prompt: 10, cachedPrompt: 0, output: 1 };
      const how = { outcome: { kind: "completed" }, usage, tokenSource: "usage", finish: "length" } as const;
      return {
        stage,
        user: ownerOf(stage, k),
        dueUs: atUs,
        drop: null,
        beginUs: atUs,
        connectUs: null,
        sentUs: atUs,
        headersUs: atUs + 40_000,
        events: [{ tUs: atUs + 50_000, tokens: 1, content: true, sameRead: false }],
        staleRetry: false,
        end: { tUs: atUs + 100_000, how },
      };
    }),
  );
  return runOf(plan, requests);
}

/** a1's intervals up to the 8th are all that came of it. */
function untilLost(played: readonly Played[]): Played[] {
  return played.map(({ snapshots, final }, agent) => ({
    snapshots: agent === 1 ? snapshots.filter(({ seq }) => seq <= 8) : snapshots,
    final,
  }));
}

function reportWith(
  plan: TestPlan,
  run: ScriptedRun,
  record: Partial<RunRecord>,
  hasFinal = false,
): RunReport {
  const played = untilLost(playOn(run, 2));
  const withoutFinal = <T>(items: readonly T[]) =>
    items.filter(
      (item) =>
        hasFinal ||
        !(
          typeof item === "object" &&
          item !== null &&
          "lastSeq" in item &&
          "agent" in item &&
          item.agent === "a1"
        ),
    );
  const aggregate = foldAll(run, played, withoutFinal);
  return reportOf(factsOf(plan, run, 2, { record }), aggregate, { stages: run.stages });
}

const counts = (report: RunReport) =>
  report.stages.map(({ name, requests, stimulus }) => [
    name,
    requests.offered,
    requests.completed,
    requests.unknown,
    stimulus?.open?.planned,
  ]);

test("what a lost agent was to send is unknown until it had stopped for sure, and never offered after that", () => {
  const plan = ladder("continue");
  const report = reportWith(
    plan,
    sentBy(plan, (_, k) => k % 2),
    { losses: [loss] },
  );
  // Of a1 39 were due, and ended, in its eight intervals; until 29 s 61 and 44 more were.
  assert.deepEqual(counts(report), [
    ["x", 200, 139, 61, 200],
    ["y", 144, 100, 44, 200],
    ["z", 100, 100, 0, 200],
  ]);
  assert.deepEqual([report.totals.requests.offered, report.totals.requests.unknown], [444, 105]);
  assert.match(
    report.stages[2]?.notes.join() ?? "",
    /100 of 200 due requests were never sent \(100 never offered: a1 was lost before they were due\)/,
  );
  assert.ok(
    report.verdict.reasons.includes(
      "at 13.0 s agent a1 on h1 was lost: silent for 5.0 s: the run went on without its shard",
    ),
    report.verdict.reasons.join("\n"),
  );
  assert.deepEqual(report.losses, [
    {
      agent: "a1",
      lastHeardMs: 8000,
      lostAtMs: 13_000,
      foundAtMs: null,
      reason: loss.reason,
      takenOver: null,
    },
  ]);
});

test("what a lost agent was to send on a slope counts in the totals, though no level has it", () => {
  const plan = planOf({
    lossPolicy: "continue",
    orphanMs: 15_000,
    load: {
      kind: "arrival-rate",
      spacing: "even",
      stages: [
        { name: "x", durationMs: 20_000, fromRps: 10 },
        { name: "up", durationMs: 20_000, fromRps: 10, toRps: 30 },
        { name: "z", durationMs: 20_000, fromRps: 30 },
      ],
    },
  });
  const report = reportWith(
    plan,
    sentBy(plan, (_, k) => k % 2),
    { losses: [loss] },
  );
  // Until 29 s the slope has 130 of its 400 arrivals, 90 by its first rate and 40 by its rise; half of them are a1's.
  const { offered, completed, unknown } = report.totals.requests;
  assert.deepEqual([offered, completed, unknown], [139 + 200 + 300 + 61 + 65, 139 + 200 + 300, 61 + 65]);
  assert.deepEqual(
    report.stages.map(({ name, requests }) => [name, requests.unknown]),
    [
      ["x", 61],
      ["z", 0],
    ],
  );
  assert.match(report.verdict.reasons.join("\n"), /what became of 126 of 765 requests \(16 %\) is not known/);
});

test("a level at whose start others had taken a lost shard over is whole, steady, and judged by thresholds", () => {
  const plan = ladder("reshard", [
    "success.rate{stage=z} >= 0.99",
    "itl.p99{stage=z} < 1s",
    "e2e.p99{stage=y} < 1s",
  ]);
  const moves = [{ lost: "a1", fromStage: 2, to: [{ agent: "a0", index: 1, count: 2 }] }];
  const report = reportWith(
    plan,
    sentBy(plan, (stage, k) => (stage === 2 ? 0 : k % 2)),
    { losses: [loss], moves },
  );
  assert.deepEqual(counts(report), [
    ["x", 200, 139, 61, 200],
    ["y", 144, 100, 44, 200],
    ["z", 200, 200, 0, 200],
  ]);
  const [, y, z] = report.stages;
  assert.deepEqual([y?.steady, z?.steady, z?.notes], [false, true, []]);
  assert.deepEqual(
    report.thresholds.map(({ result }) => result),
    ["passed", "inconclusive", "inconclusive"],
    "one token has no ITL; of y nearly a third is unknown",
  );
  assert.match(report.verdict.reasons.join("\n"), /its shard went to a0 from stage z on/);
});

test("an agent that was found again left nothing unknown, and its loss alone degrades nothing", () => {
  const plan = ladder("continue");
  const run = sentBy(plan, (_, k) => k % 2);
  const losses = [{ ...loss, foundUs: 38 * S }];
  const aggregate = foldAll(run, playOn(run, 2));
  const report = reportOf(factsOf(plan, run, 2, { record: { losses } }), aggregate, { stages: run.stages });
  assert.deepEqual(
    counts(report).map(([, offered, , unknown]) => [offered, unknown]),
    [
      [200, 0],
      [200, 0],
      [200, 0],
    ],
  );
  assert.deepEqual(report.verdict.status, "valid", report.verdict.reasons.join("\n"));
  assert.equal(report.losses?.[0]?.foundAtMs, 38_000);
});

test("of a level bounded by requests a lost agent's quota is unknown, and never sent where it said what it had sent", () => {
  const plan = planOf({
    lossPolicy: "continue",
    orphanMs: 15_000,
    load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, requests: 80 }] },
  });
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 10 * S, users: 4, e2eUs: () => 500_000 });
  const run = runOf(plan, requests, { done: [{ stage: 0, tUs: 10 * S }], finishUs: 10 * S + 1000 });
  const [level] = reportWith(plan, run, { losses: [loss] }).stages;
  // 15 of each of its two users' 20 ended in the eight intervals that came.
  assert.deepEqual(
    [level?.requests.offered, level?.requests.completed, level?.requests.unknown],
    [80, 70, 10],
  );
});

test("a level of users says which of them were of agents that were lost", () => {
  const plan = planOf({
    lossPolicy: "continue",
    load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 40_000 }] },
  });
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 40 * S, users: 4, e2eUs: () => 500_000 });
  const [level] = reportWith(plan, runOf(plan, requests), { losses: [loss] }).stages;
  assert.equal(level?.steady, false);
  assert.match(level?.notes.join() ?? "", /2 of 4 users were of agents that were lost: a1/);
});
