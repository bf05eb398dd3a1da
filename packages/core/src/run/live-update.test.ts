import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveStages } from "../load/resolve-stages.js";
import { initialStageStarts, nextStageStarts } from "../load/timeline.js";
import type { Aggregate, IntervalSummary } from "../measure/aggregate.js";
import { emptyFlow } from "../measure/counts.js";
import { createAggregate } from "../measure/fold.js";
import { createHistogram } from "../measure/hdr-histogram.js";
import { type PlanInput, PlanSchema } from "../plan/schema.js";
import { askedInFlight, buildLiveUpdate, type LiveInput } from "./live-update.js";
import type { RunRecord } from "./run-record.js";

const S = 1_000_000;

function input(
  plan: Partial<PlanInput>,
  change: Partial<LiveInput> & { readonly record?: never } = {},
): LiveInput {
  const parsed = PlanSchema.parse({
    version: 1,
    target: { urls: ["http://h:1"] },
    warmUp: { requests: 0 },
    load: { kind: "users", stages: [] },
    ...plan,
  });
  const stages = resolveStages(parsed);
  const record: RunRecord = {
    v: 1,
    id: "r1",
    name: "n",
    createdAtMs: 0,
    plan: parsed,
    planDigest: "",
    salt: "s",
    state: "running",
    term: 1,
    leader: "c",
    revision: 5,
    shards: [],
    start: null,
    stageStartsUs: initialStageStarts(stages),
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
  };
  return {
    record,
    stages,
    transport: "memory",
    runTimeUs: 0,
    agents: [],
    givenUp: [],
    aggregate: null,
    server: null,
    notes: [],
    ...change,
  };
}

const ladder: Partial<PlanInput> = {
  load: {
    kind: "users",
    stages: [
      { users: 10, rampUpMs: 1000, settleMs: 500, durationMs: 2000 },
      { users: 110, rampUpMs: 2000, settleMs: 0, durationMs: 3000 },
    ],
  },
};

test("stage, phase and the time left follow from the run time", () => {
  const table: readonly (readonly [number, string, string, number, number])[] = [
    [0, "u10", "ramp", 3.5, 8.5],
    [1.2, "u10", "ramp", 2.3, 7.3],
    [1.5, "u10", "measured", 2, 7],
    [3.5, "u110", "ramp", 5, 5],
    [5.5, "u110", "measured", 3, 3],
  ];
  for (const [atS, name, phase, left, total] of table) {
    const live = buildLiveUpdate(input(ladder, { runTimeUs: atS * S }));
    assert.deepEqual([live.stage?.name, live.stage?.phase], [name, phase], `at ${atS} s`);
    assert.equal(live.stage?.count, 2);
    assert.ok(Math.abs((live.stage?.leftUs ?? 0) - left * S) < 1, `at ${atS} s`);
    assert.ok(Math.abs((live.totalLeftUs ?? 0) - total * S) < 1, `at ${atS} s`);
  }
});

test("before time zero there is no stage, and run time does not run backwards", () => {
  for (const runTimeUs of [undefined, -2 * S]) {
    const live = buildLiveUpdate({ ...input(ladder), runTimeUs });
    assert.equal(live.stage, null);
    assert.equal(live.runTimeUs, 0);
    assert.equal(live.inFlight.asked, null);
  }
});

test("asked in flight rises with the ramp to what the stage holds, from what stays of the one before", () => {
  const [first, second] = input(ladder).stages;
  assert.ok(first !== undefined && second !== undefined);
  const at = (stage: typeof first, s: number) => askedInFlight(stage, s * S, "ramp");
  assert.deepEqual(
    [0, 0.05, 0.5, 0.95, 1, 3].map((s) => at(first, s)),
    [1, 1, 6, 10, 10, 10],
  );
  assert.deepEqual(
    [0, 1, 2, 4].map((s) => at(second, s)),
    [11, 61, 110, 110],
  );
  assert.equal(askedInFlight(first, S, "drain"), 0);
});

test("open load asks for arrivals, not for requests in flight", () => {
  const open: Partial<PlanInput> = {
    load: { kind: "arrival-rate", stages: [{ durationMs: 1000, fromRps: 5 }] },
  };
  assert.equal(buildLiveUpdate(input(open, { runTimeUs: 10 })).inFlight.asked, null);
});

test("a stage bounded by requests has no end that is known, and between the stages nothing is asked", () => {
  const plan: Partial<PlanInput> = {
    load: {
      kind: "users",
      stages: [
        { users: 3, requests: 30 },
        { users: 3, durationMs: 1000 },
      ],
    },
  };
  const open = input(plan, { runTimeUs: 4 * S });
  const live = buildLiveUpdate(open);
  assert.deepEqual([live.stage?.leftUs, live.totalLeftUs, live.inFlight.asked], [null, null, 3]);
  const stageStartsUs = nextStageStarts(open.stages, open.record.stageStartsUs, 1, 5 * S);
  const between = buildLiveUpdate({ ...open, record: { ...open.record, stageStartsUs } });
  assert.deepEqual([between.stage?.phase, between.stage?.leftUs, between.inFlight.asked], ["between", S, 0]);
});

function interval(
  second: number,
  change: Partial<IntervalSummary> & { readonly ttftUs?: number },
): IntervalSummary {
  const ttft = createHistogram();
  if (change.ttftUs !== undefined) ttft.record(change.ttftUs, 10);
  return {
    fromUs: second * S,
    toUs: (second + 1) * S,
    agents: 1,
    flow: {
      ...emptyFlow(),
      durationUs: S,
      inFlightUs: 7 * S,
      completed: 3,
      outputTokens: 40,
      promptTokens: 9,
    },
    stage: 0,
    phase: "measured",
    histograms: new Map([["ttft", ttft]]),
    ...change,
  };
}

function aggregateOf(recent: readonly IntervalSummary[]): Aggregate {
  const aggregate = createAggregate({ stages: [], shards: [] });
  return Object.assign(aggregate, { recentIntervals: () => recent });
}

test("rates and in-flight are those of the last interval, latencies of the stage's last ten seconds", () => {
  const recent = [
    interval(0, { stage: 0, ttftUs: 900_000 }),
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((second) =>
      interval(second, { stage: 1, ttftUs: second * 1000 }),
    ),
    interval(13, { stage: 1 }),
  ];
  const live = buildLiveUpdate(input(ladder, { runTimeUs: 14 * S, aggregate: aggregateOf(recent) }));
  assert.deepEqual(live.rates, { requestsPerS: 3, outputTokensPerS: 40, promptTokensPerS: 9 });
  assert.equal(live.inFlight.measured, 7);
  // Seconds 4 to 13: those of the stage before, and the older ones, are out.
  assert.equal(live.latencyUs.ttft.count, 90);
  assert.ok(live.latencyUs.ttft.p50 >= 8000 && live.latencyUs.ttft.p50 < 8100, `${live.latencyUs.ttft.p50}`);
  assert.deepEqual(live.latencyUs.itl, { count: 0, p50: 0, p90: 0, p99: 0 });
  assert.equal(live.history.outputTokensPerS.length, 14);
});

test("at an edge the figures are said to be of the stage that was measured, not of the one that has just begun", () => {
  const measured = (recent: readonly IntervalSummary[]) => {
    const live = buildLiveUpdate(input(ladder, { runTimeUs: 4.5 * S, aggregate: aggregateOf(recent) }));
    return [live.stage?.index, live.measuredStage];
  };
  const before = [0, 1, 2].map((second) => interval(second, { stage: 0 }));
  assert.deepEqual(measured([]), [1, undefined]);
  assert.deepEqual(measured(before), [1, 0]);
  assert.deepEqual(measured([...before, interval(3, { stage: 1 })]), [1, 1]);
});

test("the problem that ended a run is its last note", () => {
  const ended = input(ladder, { notes: ["first"] });
  const problem = { code: "AGENT_LOST", message: "a2 was lost" } as const;
  const live = buildLiveUpdate({ ...ended, record: { ...ended.record, state: "failed", problem } });
  assert.deepEqual(live.notes, ["first", "a2 was lost"]);
  assert.equal(live.inFlight.asked, null);
});
