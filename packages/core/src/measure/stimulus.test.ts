import assert from "node:assert/strict";
import { test } from "node:test";
import { type Density, densityOf, mostWithin } from "../load/density.js";
import { MOST_PLANNED_ARRIVALS, plannedArrivals } from "../load/planned-arrivals.js";
import { resolveStages } from "../load/resolve-stages.js";
import { initialStageStarts } from "../load/timeline.js";
import type { TestPlan } from "../plan/schema.js";
import type { RunReport, StageReport, StimulusReport } from "../run/report.js";
import { arrivalDistance } from "./arrival-distance.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import { startOf } from "./stimulus.js";
import { foldAll, playOn } from "./testing/cluster.js";
import { closedLoop, factsOf, planOf, reportOf, runOf } from "./testing/run-facts.js";
import type { Played, ScriptedRequest, ScriptedRun } from "./testing/scripted-run.js";
import { seeded } from "./testing/seeded.js";

const S = 1_000_000;

function openPlan(spacing: "even" | "poisson", seed = 1): TestPlan {
  return planOf({
    seed,
    load: {
      kind: "arrival-rate",
      spacing,
      stages: [
        { durationMs: 1000, fromRps: 1, toRps: 100 },
        { durationMs: 4000, fromRps: 100 },
      ],
    },
  });
}

/** What the plan asks for, each handed over so late; null: dropped. */
function arrivalsOf(plan: TestPlan, lagUs: (dueUs: number, k: number) => number | null): ScriptedRequest[] {
  const stages = resolveStages(plan);
  const startsUs = initialStageStarts(stages);
  const requests = [...(plannedArrivals(plan, stages) ?? [])].flatMap(([stage, dueUs]) =>
    dueUs.map((us, k): ScriptedRequest => {
      const lag = lagUs(us, k);
      const atUs = (startsUs[stage] ?? 0) + us;
      const beginUs = atUs + (lag ?? 0);
      const how = { outcome: { kind: "cancelled" }, usage: null, tokenSource: "none", finish: null } as const;
      return {
        stage,
        user: null,
        dueUs: atUs,
        drop: lag === null ? { tUs: atUs, reason: "in-flight-limit" } : null,
        beginUs: lag === null ? null : beginUs,
        connectUs: null,
        sentUs: lag === null ? null : beginUs,
        headersUs: null,
        events: [],
        staleRetry: false,
        end: lag === null ? null : { tUs: beginUs + 1000, how },
      };
    }),
  );
  return requests;
}

function reportWith(
  plan: TestPlan,
  run: ScriptedRun,
  agents = 1,
  played: readonly Played[] = playOn(run, agents),
): RunReport {
  return reportOf(factsOf(plan, run, agents), foldAll(run, played), { stages: run.stages });
}

function levelOf(report: RunReport): StageReport & { readonly stimulus: StimulusReport } {
  const [level] = report.stages;
  assert.ok(level?.stimulus !== undefined && report.stages.length === 1);
  return { ...level, stimulus: level.stimulus };
}

function openLevel(plan: TestPlan, requests: readonly ScriptedRequest[], agents = 1) {
  const level = levelOf(reportWith(plan, runOf(plan, requests), agents));
  const { open } = level.stimulus;
  assert.ok(open !== null);
  return { ...level, open };
}

/** The distance itself, from all times: the largest difference of the two counts at any moment, over the planned. */
function distanceOf(requests: readonly ScriptedRequest[], stage: number): number {
  const measured = requests.filter((request) => request.stage === stage);
  const changes = measured
    .flatMap(({ dueUs, beginUs }) => [
      { tUs: dueUs, by: 1 },
      ...(beginUs === null ? [] : [{ tUs: beginUs, by: -1 }]),
    ])
    .sort((a, b) => a.tUs - b.tUs || a.by - b.by);
  let waiting = 0;
  let most = 0;
  for (const [at, { tUs, by }] of changes.entries()) {
    waiting += by;
    if (changes[at + 1]?.tUs !== tUs) most = Math.max(most, waiting);
  }
  return most / measured.length;
}

test("requests handed over on time are as far from the plan as nothing", () => {
  const plan = openPlan("even");
  const { open, notes, steady, stimulus } = openLevel(
    plan,
    arrivalsOf(plan, () => 0),
    3,
  );
  assert.deepEqual(open, {
    planned: 400,
    offered: 400,
    handedOver: 400,
    arrivalDistance: { atLeast: 0, atMost: 0 },
  });
  assert.deepEqual(
    [notes, steady, stimulus.closed, stimulus.notFilled],
    [["no request completed: all 400 were cut, cancelled or lost"], true, null, []],
  );
});

test("a pause of the client of 200 ms puts 20 of 400 arrivals off the plan: the upper bound is the truth", () => {
  const plan = openPlan("even");
  const pauseUs = { from: 2 * S, to: 2 * S + 200_000 };
  const requests = arrivalsOf(plan, (dueUs) =>
    dueUs > pauseUs.from && dueUs <= pauseUs.to ? pauseUs.to - dueUs : 0,
  );
  const { open } = openLevel(plan, requests);
  assert.equal(distanceOf(requests, 1), 20 / 400);
  assert.equal(open.arrivalDistance?.atMost, 20 / 400);
  assert.ok((open.arrivalDistance?.atLeast ?? 0) > 0);
});

test("the distance reckoned from all times lies within the bounds, and no sharing among agents moves them", () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seeded(seed);
    const plan = openPlan(random() < 0.5 ? "even" : "poisson", seed);
    const usualUs = Math.round(random() * 3000);
    const [from, length] = [random() * 4 * S, random() * 500_000];
    const dropped = random() < 0.5 ? 0 : random() * 0.1;
    const requests = arrivalsOf(plan, (dueUs) => {
      if (random() < dropped) return null;
      const isPaused = dueUs >= from && dueUs < from + length;
      return Math.round(isPaused ? from + length - dueUs : random() * usualUs);
    });
    const { open } = openLevel(plan, requests);
    const bounds = open.arrivalDistance;
    const truth = distanceOf(requests, 1);
    assert.ok(bounds !== null);
    assert.ok(bounds.atLeast <= truth, `seed ${seed}: at least ${bounds.atLeast}, and is ${truth}`);
    assert.ok(truth <= bounds.atMost, `seed ${seed}: at most ${bounds.atMost}, and is ${truth}`);
    // What the bound is worth: nowhere more than twice the truth and a few arrivals.
    assert.ok(
      bounds.atMost <= 2 * truth + 5 / 400,
      `seed ${seed}: at most ${bounds.atMost}, and is ${truth}`,
    );
    for (const agents of [2, 5]) {
      assert.deepEqual(openLevel(plan, requests, agents).open, open, `seed ${seed}, ${agents} agents`);
    }
  }
});

test("dropped arrivals stay in the distance, and the level says why it was not offered", () => {
  const plan = openPlan("even");
  const { open, stimulus, notes } = openLevel(
    plan,
    arrivalsOf(plan, (_, k) => (k % 4 === 3 ? null : 0)),
  );
  assert.deepEqual(open, {
    planned: 400,
    offered: 400,
    handedOver: 300,
    arrivalDistance: { atLeast: 0.25, atMost: 0.25 },
  });
  const why = "100 dropped at the in-flight limit: as many requests as maxInFlight allows were in flight";
  assert.deepEqual(stimulus.notFilled, [why]);
  assert.equal(notes[0], `not the load that was asked for: 100 of 400 due requests were never sent (${why})`);
});

test("arrivals that were dropped late name the client as the reason", () => {
  const plan = openPlan("even");
  const requests = arrivalsOf(plan, (_, k) => (k < 8 ? null : 0)).map(
    (request): ScriptedRequest =>
      request.drop === null ? request : { ...request, drop: { tUs: request.dueUs + S, reason: "late" } },
  );
  const { stimulus, steady } = openLevel(plan, requests, 2);
  assert.deepEqual(stimulus.notFilled, [
    "8 dropped late: the client could not hand them over within maxLatenessMs",
  ]);
  assert.equal(steady, false);
});

test("arrivals of the plan that no agent was offered are missed, though the agents' own counts add up", () => {
  const plan = openPlan("poisson", 3);
  const all = arrivalsOf(plan, () => 0);
  const planned = all.filter(({ stage }) => stage === 1).length;
  const { open, notes, steady, requests } = openLevel(plan, all.slice(0, -40), 2);
  assert.deepEqual([open.planned, open.offered, open.handedOver], [planned, planned - 40, planned - 40]);
  assert.deepEqual(open.arrivalDistance, { atLeast: 40 / planned, atMost: 40 / planned });
  assert.deepEqual([steady, requests.offered], [false, planned - 40]);
  assert.match(notes[0] ?? "", new RegExp(`^not the load that was asked for: 40 of ${planned} due`));
});

test("where an interval is missing, what it held may have been handed over", () => {
  const plan = openPlan("even");
  const run = runOf(
    plan,
    arrivalsOf(plan, () => 0),
  );
  const played = playOn(run, 1).map(({ snapshots, final }) => ({
    final,
    snapshots: snapshots.filter(({ seq }) => seq !== 3),
  }));
  const { stimulus, notes } = levelOf(reportWith(plan, run, 1, played));
  assert.deepEqual(stimulus.open?.arrivalDistance, { atLeast: 0, atMost: 0.25 });
  assert.deepEqual([stimulus.notFilled, notes.some((note) => /not the load/.test(note))], [[], false]);
});

/** A trace of bursts at seeded times, as its plan is after submission. */
function tracePlan(dueUs: readonly number[], density: readonly Density[] | null): TestPlan {
  const load = { kind: "trace", file: "t.jsonl", requests: dueUs.length, lengthMs: 4000 } as const;
  return planOf({
    workload: { kind: "trace" },
    load: density === null ? load : { ...load, density: [...density] },
  });
}

function handedOver(dueUs: readonly number[], lagUs: (k: number) => number | null): ScriptedRequest[] {
  const stage = 0;
  const how = { outcome: { kind: "cancelled" }, usage: null, tokenSource: "none", finish: null } as const;
  return dueUs.map((due, k): ScriptedRequest => {
    const lag = lagUs(k);
    const beginUs = lag === null ? null : due + lag;
    return {
      ...{ stage, user: null, dueUs: due, beginUs, sentUs: beginUs, connectUs: null, headersUs: null },
      ...{ events: [], staleRetry: false },
      drop: lag === null ? { tUs: due, reason: "in-flight-limit" } : null,
      end: beginUs === null ? null : { tUs: beginUs + 1000, how },
    };
  });
}

function lagsOf(requests: readonly ScriptedRequest[]): Histogram {
  const lags = createHistogram();
  for (const { dueUs, beginUs } of requests) if (beginUs !== null) lags.record(beginUs - dueUs);
  return lags;
}

test("the distance of a trace's times lies within its bounds, by how dense its file is", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = seeded(seed);
    const dueUs = Array.from({ length: 300 }, () => {
      const burst = Math.floor(random() * 12) * 300_000;
      return Math.floor(burst + random() ** 3 * 250_000);
    }).sort((a, b) => a - b);
    const plan = tracePlan(dueUs, densityOf(dueUs));
    const pauseUs = Math.floor(random() * 3_000_000);
    // The client stands still for 0.2 s, and drops some.
    const requests = handedOver(dueUs, (k) => {
      const due = dueUs[k] ?? 0;
      if (random() < 0.01) return null;
      return due >= pauseUs && due < pauseUs + 200_000 ? pauseUs + 200_000 - due : Math.floor(random() * 300);
    });
    const { open } = openLevel(plan, requests);
    const truth = distanceOf(requests, 0);
    const bounds = open.arrivalDistance;
    const where = `seed ${seed}: ${JSON.stringify(bounds)}, and is ${truth}`;
    assert.ok(bounds !== null && open.planned === 300, where);
    assert.ok(bounds.atLeast <= truth + 1e-9 && bounds.atMost >= truth - 1e-9, where);
    // With the times themselves; between those that are told the next longer one counts, which holds at most as many again.
    const exact = arrivalDistance({
      planned: dueUs.length,
      mostWithin: (lengthUs) => mostWithin(dueUs, lengthUs),
      windowUs: 4_000_000,
      lag: lagsOf(requests),
      isWhole: true,
    });
    assert.ok(exact !== null && exact.atMost <= bounds.atMost, `${where}, by times ${exact?.atMost}`);
    assert.ok(bounds.atMost <= 2.5 * exact.atMost, `${where}, by times ${exact.atMost}`);
    assert.deepEqual(openLevel(plan, requests, 3).open, open, where);
  }
});

test("of a trace whose plan does not say how dense it is the distance is not told", () => {
  const dueUs = Array.from({ length: 40 }, (_, k) => k * 90_000);
  const { open } = openLevel(
    tracePlan(dueUs, null),
    handedOver(dueUs, () => 0),
  );
  assert.deepEqual([open.planned, open.handedOver, open.arrivalDistance], [40, 40, null]);
});

test("a level that was cut short owes what was due by then", () => {
  const plan = openPlan("even");
  const requests = arrivalsOf(plan, () => 0).filter(({ dueUs }) => dueUs < 3 * S);
  const run = runOf(plan, requests, { stopUs: 3 * S, finishUs: 4 * S });
  const { stimulus } = levelOf(reportWith(plan, run));
  assert.deepEqual([stimulus.open?.planned, stimulus.open?.offered], [200, 200]);
});

test("a plan of too many arrivals is not walked, and a closed one has none", () => {
  const huge = planOf({
    load: { kind: "arrival-rate", stages: [{ durationMs: 3000, fromRps: 1_000_000 }] },
  });
  assert.ok(3 * 1_000_000 > MOST_PLANNED_ARRIVALS);
  assert.equal(plannedArrivals(huge, resolveStages(huge)), null);
  assert.equal(plannedArrivals(planOf({}), resolveStages(planOf({}))), null);
});

test("the most moments within a length are counted in a window that is open at its beginning", () => {
  const moments = [0, 10, 11, 12, 20, 21, 40];
  const lengths = [0, 1, 2, 3, 11, 12, 100];
  assert.deepEqual(
    lengths.map((length) => mostWithin(moments, length)),
    [0, 1, 2, 3, 4, 5, 7],
  );
  assert.equal(mostWithin([], 5), 0);
});

/** Four users, asked for from 0 on; the window is from 2 s to 12 s. */
const plan = planOf({});
const loop = { stage: 0, fromUs: 0, toUs: 12 * S, e2eUs: () => 500_000 };

function closedLevel(requests: readonly ScriptedRequest[], agents = 2) {
  const level = levelOf(reportWith(plan, runOf(plan, requests), agents));
  return { closed: level.stimulus.closed, notFilled: level.stimulus.notFilled, notes: level.notes };
}

test("a level whose users all sent has nothing to say of them", () => {
  assert.deepEqual(closedLevel(closedLoop({ ...loop, users: 4 })), {
    closed: { usersAsked: 4, neverStarted: 0, startedLate: 0, startedLateUs: 0 },
    notFilled: [],
    notes: [],
  });
});

test("users that never sent a request are counted, however they are shared among agents", () => {
  for (const agents of [1, 2, 3, 7]) {
    const { closed, notFilled } = closedLevel(closedLoop({ ...loop, users: 3 }), agents);
    assert.deepEqual(
      closed,
      { usersAsked: 4, neverStarted: 1, startedLate: 0, startedLateUs: 0 },
      `${agents} agents`,
    );
    assert.deepEqual(notFilled, ["1 of 4 users sent no request in it"]);
  }
});

test("a full level of which one user in a hundred sent nothing says so without being judged by it", () => {
  const wide = planOf({
    load: { kind: "users", stages: [{ users: 100, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 }] },
  });
  const run = runOf(wide, closedLoop({ ...loop, users: 99 }));
  const report = reportWith(wide, run, 3);
  const level = levelOf(report);
  assert.deepEqual([level.steady, level.notes], [true, ["1 of 100 users sent no request in it"]]);
  assert.equal(report.verdict.status, "valid");
});

test("users that begin only in the window show that the ramp was too short", () => {
  const late = closedLoop({ ...loop, users: 4 }).filter(({ user, dueUs }) => user !== 3 || dueUs >= 6 * S);
  const { closed, notFilled, notes } = closedLevel(late);
  assert.deepEqual(closed, { usersAsked: 4, neverStarted: 0, startedLate: 1, startedLateUs: 4 * S });
  const why =
    "1 of 4 users sent their first request only in its window: ramp and settling time (2000 ms) were too short for them";
  assert.deepEqual(notFilled, [why]);
  assert.deepEqual(notes, [`never full, so not steady: 3.6 in flight of 4 asked for (${why})`]);
});

test("without a ramp all begin in the window, and that they do is no reason for what is missing", () => {
  const sudden = planOf({
    load: { kind: "users", stages: [{ users: 4, rampUpMs: 0, settleMs: 0, durationMs: 10_000 }] },
  });
  const run = runOf(sudden, closedLoop({ ...loop, toUs: 10 * S, users: 3 }));
  const { closed, notFilled } = levelOf(reportWith(sudden, run, 2)).stimulus;
  assert.deepEqual(closed, { usersAsked: 4, neverStarted: 1, startedLate: 3, startedLateUs: 0 });
  assert.deepEqual(notFilled, ["1 of 4 users sent no request in it"]);
});

test("a user that goes on from the level before is not late, whenever it sends again", () => {
  const ladder = planOf({
    load: {
      kind: "users",
      stages: [
        { users: 2, rampUpMs: 0, settleMs: 1000, durationMs: 10_000 },
        { users: 4, rampUpMs: 0, settleMs: 1000, durationMs: 10_000 },
      ],
    },
  });
  const run = runOf(ladder, [
    ...closedLoop({ ...loop, toUs: 11 * S, users: 2 }),
    // All four send first in the window, which begins at 12 s; two of them were there before.
    ...closedLoop({ ...loop, stage: 1, fromUs: 13 * S, toUs: 22 * S, users: 4 }),
  ]);
  const report = reportWith(ladder, run, 2);
  assert.deepEqual(
    report.stages.map(({ stimulus }) => stimulus?.closed),
    [
      { usersAsked: 2, neverStarted: 0, startedLate: 0, startedLateUs: 0 },
      { usersAsked: 4, neverStarted: 0, startedLate: 2, startedLateUs: 2 * S },
    ],
  );
});

test("of a level of fewer requests than users, only those that had one to send are expected", () => {
  const few = planOf({ load: { kind: "users", stages: [{ users: 4, requests: 2, rampUpMs: 0 }] } });
  const requests = closedLoop({ ...loop, toUs: 400_000, users: 2 });
  const run = runOf(few, requests, { done: [{ stage: 0, tUs: S }], finishUs: S + 1000 });
  assert.deepEqual(levelOf(reportWith(few, run, 3)).stimulus.closed, {
    usersAsked: 4,
    neverStarted: 0,
    startedLate: 0,
    startedLateUs: 0,
  });
});

/** Each user knocks, is refused, and pauses a second, for the whole level. */
function refused(): ScriptedRequest[] {
  const loopOfOneSecond = closedLoop({ ...loop, users: 4, e2eUs: () => S, fails: () => true });
  return loopOfOneSecond.map((request) => ({
    ...request,
    sentUs: null,
    headersUs: null,
    end: {
      tUs: request.dueUs + 1000,
      how: {
        outcome: { kind: "failed", reason: "connect-refused" },
        usage: null,
        tokenSource: "none",
        finish: null,
      },
    },
  }));
}

test("a target that refuses leaves a level empty, and is named", () => {
  const { notFilled, closed } = closedLevel(refused());
  assert.deepEqual(closed, { usersAsked: 4, neverStarted: 4, startedLate: 0, startedLateUs: 0 });
  assert.deepEqual(notFilled, [
    "4 of 4 users sent no request in it",
    "40 of 40 requests were not answered at all (connect-refused 40), and a user pauses 0.1 to 1 s after each",
  ]);
});

test("failures that were answered cost no pause, and are no reason", () => {
  // Each second begins with an error that is answered at once; what follows is a second of nothing.
  const requests = closedLoop({ ...loop, users: 4, e2eUs: () => S, fails: () => true }).map((request) => ({
    ...request,
    headersUs: request.dueUs + 100,
    end: request.end === null ? null : { ...request.end, tUs: request.dueUs + 500_000 },
  }));
  assert.deepEqual(closedLevel(requests).notFilled, ["none of the known reasons shows in the counts"]);
  const unanswered = requests.map((request) => ({ ...request, headersUs: null }));
  assert.deepEqual(closedLevel(unanswered).notFilled, [
    "40 of 40 requests were not answered at all, and a user pauses 0.1 to 1 s after each",
  ]);
});

test("time spent on connections, or on waiting for the client, is a reason where it explains a tenth of the gap", () => {
  // Each request of a second waits 300 ms for the client and 200 ms for its connection.
  const waiting = (lagUs: number, connectUs: number) =>
    closedLoop({ ...loop, users: 4, e2eUs: () => S }).map((request) => ({
      ...request,
      beginUs: request.dueUs + lagUs,
      connectUs,
      sentUs: request.dueUs + lagUs + connectUs,
      headersUs: request.dueUs + 600_000,
      events: [],
    }));
  assert.deepEqual(closedLevel(waiting(300_000, 200_000)).notFilled, [
    "0.8 users on average were opening connections",
    "1.2 users on average waited for the client to send (schedule lag)",
  ]);
  assert.deepEqual(closedLevel(waiting(20_000, 480_000)).notFilled, [
    "1.9 users on average were opening connections",
  ]);
});

test("one agent that does not say who started, whichever it is, leaves the count open", () => {
  const run = runOf(plan, closedLoop({ ...loop, users: 3 }));
  for (const silent of [0, 1]) {
    const played = playOn(run, 2).map((one, index) => {
      const { usersStarted: _, ...older } = one.final;
      return index === silent ? { ...one, final: older } : one;
    });
    const level = levelOf(reportWith(plan, run, 2, played));
    const unknown = { neverStarted: null, startedLate: null, startedLateUs: null };
    assert.deepEqual(level.stimulus.closed, { usersAsked: 4, ...unknown });
    assert.deepEqual(level.stimulus.notFilled, ["none of the known reasons shows in the counts"]);
  }
});

test("the skew of the start is the latest less the earliest, and the clocks' errors bound it", () => {
  const agents = reportWith(plan, runOf(plan, []), 3).agents;
  const started = agents.map((agent, i) => ({
    ...agent,
    startErrorUs: [40, -10, 100][i] ?? null,
    clockErrorUs: [5, 30, 20][i] ?? 0,
  }));
  assert.deepEqual(startOf(started), { agents: 3, errorMaxUs: 100, skewUs: 110, skewAtMostUs: 160 });
  assert.deepEqual(startOf(started.slice(0, 1)), { agents: 1, errorMaxUs: 40, skewUs: 0, skewAtMostUs: 0 });
  const silent = started.map((agent) => ({ ...agent, startErrorUs: null }));
  assert.equal(startOf(silent), null);
});
