import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResolvedStage } from "../load/stages.js";
import { emptyDue, emptyFlow, total } from "./counts.js";
import { createHistogram, decodeHistogram } from "./hdr-histogram.js";
import type { Histogram } from "./histogram.js";
import type { Recorder, RecorderOptions, RequestEnd } from "./recorder.js";
import {
  type Block,
  isCounted,
  METRICS,
  type MetricName,
  type Phase,
  type Snapshot,
  TARGET_METRICS,
  type TargetPart,
} from "./snapshot.js";
import { createRecorder } from "./stamped-recorder.js";
import { naiveBlocks } from "./testing/naive-recorder.js";
import { randomRun, userStage } from "./testing/random-run.js";
import { IDLE_VITALS, play, type ScriptedRun, urlOf } from "./testing/scripted-run.js";
import { seeded } from "./testing/seeded.js";

const S = 1_000_000;

/** One level of 10 users: ramp 1 s, settle 1 s, measured from 2 s to 5 s; grace 2 s; intervals of 1 s. */
const level = userStage(0, { rampUpUs: S, settleUs: S, durationUs: 3 * S }, 10);

function recording(change: Partial<RecorderOptions> = {}): { recorder: Recorder; snapshots: Snapshot[] } {
  const snapshots: Snapshot[] = [];
  const recorder = createRecorder({
    run: "r1",
    agent: "a1",
    epoch: 1,
    stages: [level],
    stageStartsUs: [0],
    intervalUs: S,
    gracePeriodUs: 2 * S,
    slos: undefined,
    vitals: () => IDLE_VITALS,
    onSnapshot: (snapshot) => snapshots.push(snapshot),
    ...change,
  });
  return { recorder, snapshots };
}

const offer = (recorder: Recorder, dueUs: number, stage = 0, user: number | null = 0) =>
  recorder.offer({ stage, dueUs, user, askedPromptTokens: 10, askedOutputTokens: 20 });

/** Offered, begun and sent at once. */
function send(recorder: Recorder, tUs: number, user: number | null = 0) {
  const sample = offer(recorder, tUs, 0, user);
  recorder.begin(sample, tUs);
  recorder.sent(sample, tUs);
  return sample;
}

const completed: RequestEnd = {
  outcome: { kind: "completed" },
  usage: null,
  tokenSource: "events",
  finish: "stop",
};
const cancelled: RequestEnd = { ...completed, outcome: { kind: "cancelled" } };
const facts = { startErrorUs: 0, evicted: 0, reader: "test" };

/** Blocks of all snapshots by `stage phase`, added up the plain way. */
function fold(snapshots: readonly Snapshot[]) {
  const folded = new Map<
    string,
    { flow: Block["flow"]; due: Block["due"]; histograms: Map<string, Histogram> }
  >();
  for (const { stage, phase, flow, due, histograms } of snapshots.flatMap(({ blocks }) => blocks)) {
    const key = `${stage} ${phase}`;
    const sum = folded.get(key) ?? { flow: emptyFlow(), due: emptyDue(), histograms: new Map() };
    folded.set(key, sum);
    const isFirst = sum.flow.durationUs === 0;
    const { inFlightMin, inFlightMax } = sum.flow;
    addUp(sum.flow, flow);
    addUp(sum.due, due);
    sum.flow.inFlightMin = inFlightMin;
    sum.flow.inFlightMax = inFlightMax;
    if (flow.durationUs > 0) {
      sum.flow.inFlightMin = isFirst ? flow.inFlightMin : Math.min(inFlightMin, flow.inFlightMin);
      sum.flow.inFlightMax = isFirst ? flow.inFlightMax : Math.max(inFlightMax, flow.inFlightMax);
    }
    for (const [metric, encoded] of Object.entries(histograms)) {
      const merged = sum.histograms.get(metric) ?? createHistogram();
      merged.merge(decodeHistogram(encoded));
      sum.histograms.set(metric, merged);
    }
  }
  return folded;
}

function addUp(into: object, from: object): void {
  for (const [name, value] of Object.entries(from)) {
    const before: unknown = Reflect.get(into, name);
    if (typeof value === "number") Reflect.set(into, name, (typeof before === "number" ? before : 0) + value);
    else if (typeof before === "object" && before !== null) addUp(before, value);
  }
}

const only = (snapshots: readonly Snapshot[], phase: Phase, stage = 0) => {
  const block = fold(snapshots).get(`${stage} ${phase}`);
  assert.ok(block !== undefined, `no block of stage ${stage}, phase ${phase}`);
  return block;
};

/** Count, sum, least and greatest of a metric. */
const figures = (block: { histograms: Map<string, Histogram> }, metric: MetricName) => {
  const histogram = block.histograms.get(metric);
  return histogram === undefined ? null : [histogram.count, histogram.sum, histogram.min, histogram.max];
};

test("an event stamped after an edge closes the interval at the edge first", () => {
  const { recorder, snapshots } = recording();
  const sample = send(recorder, 300_000);
  recorder.event(sample, S - 1, 2, true, false);
  assert.equal(snapshots.length, 0);
  recorder.event(sample, S, 3, true, false);
  assert.equal(snapshots.length, 1);
  recorder.event(sample, 2_400_000, 5, true, false);
  assert.deepEqual(
    snapshots.map(({ seq, fromUs, toUs }) => [seq, fromUs, toUs]),
    [
      [1, 0, S],
      [2, S, 2 * S],
    ],
  );
  assert.deepEqual(
    snapshots.map(({ blocks }) =>
      blocks.map(({ flow }) => [flow.outputTokens, flow.inFlightUs, flow.durationUs]),
    ),
    [[[2, 700_000, S]], [[3, S, S]]],
  );
});

test("a request that becomes due at an edge is offered in the interval that follows", () => {
  const { recorder, snapshots } = recording();
  offer(recorder, S - 1);
  offer(recorder, S);
  assert.deepEqual(
    snapshots.map(({ ledger }) => [ledger.offered, ledger.waiting]),
    [[1, 1]],
  );
});

test("an interval that a phase's edge divides holds both parts, each with its own time and tokens", () => {
  const { recorder, snapshots } = recording({ intervalUs: 1_500_000 });
  const sample = send(recorder, 0);
  recorder.event(sample, 1_999_999, 1, true, false);
  recorder.event(sample, 2_000_000, 10, true, false);
  recorder.advance(3_000_000);
  assert.deepEqual(
    snapshots[1]?.blocks.map(({ phase, flow }) => [
      phase,
      flow.durationUs,
      flow.inFlightUs,
      flow.outputTokens,
    ]),
    [
      ["ramp", 500_000, 500_000, 1],
      ["measured", S, S, 10],
    ],
  );
});

test("outcome and latency belong to the phase in which the request was due, tokens to that in which they came", () => {
  const { recorder, snapshots } = recording();
  const sample = send(recorder, 1_900_000);
  recorder.event(sample, 2_100_000, 1, true, false);
  recorder.end(sample, 2_500_000, completed);
  recorder.finish(2_600_000, facts);
  const ramp = only(snapshots, "ramp");
  const measured = only(snapshots, "measured");
  assert.deepEqual([ramp.due.offered, ramp.due.completed, measured.due.completed], [1, 1, 0]);
  assert.deepEqual([ramp.flow.outputTokens, measured.flow.outputTokens], [0, 1]);
  assert.deepEqual([ramp.flow.completed, measured.flow.completed], [0, 1]);
  assert.deepEqual(figures(ramp, "ttft"), [1, 200_000, 200_000, 200_000]);
  assert.deepEqual(figures(ramp, "e2e"), [1, 600_000, 600_000, 600_000]);
  assert.equal(figures(measured, "e2e"), null);
});

test("events of one read are one arrival: a gap once, its share for each of its tokens", () => {
  const { recorder, snapshots } = recording();
  const sample = send(recorder, 2_000_000);
  recorder.event(sample, 2_050_000, 0, false, false); // role
  recorder.event(sample, 2_100_000, 2, true, false); // first token and one more: TTFT, no gap
  recorder.event(sample, 2_100_000, 1, true, true);
  recorder.event(sample, 2_130_000, 1, true, false); // 30 ms for three tokens in two events
  recorder.event(sample, 2_130_000, 2, true, true);
  recorder.event(sample, 2_150_000, 1, true, false); // 20 ms for one
  recorder.end(sample, 2_200_000, completed);
  recorder.finish(2_300_000, facts);
  const block = only(snapshots, "measured");
  assert.deepEqual(figures(block, "ttft"), [1, 100_000, 100_000, 100_000]);
  assert.deepEqual(figures(block, "gap"), [2, 50_000, 20_000, 30_000]);
  assert.deepEqual(figures(block, "itl"), [4, 3 * 10_000 + 20_000, 10_000, 20_000]);
  assert.deepEqual(figures(block, "tpot"), [1, 8333, 8333, 8333]); // 50 ms over 7 - 1 tokens
  const { arrivals, events, coalesced, outputTokens } = block.flow;
  assert.deepEqual([arrivals, events, coalesced, outputTokens], [3, 5, 2, 7]);
  assert.equal(snapshots[2]?.vitals.coalescedShare, 0.4);
});

test("the last arrival counts when the request ends, however it ends", () => {
  for (const outcome of [completed, cancelled]) {
    const { recorder, snapshots } = recording();
    const sample = send(recorder, 2_000_000);
    recorder.event(sample, 2_100_000, 1, true, false);
    recorder.event(sample, 2_110_000, 1, true, false);
    recorder.end(sample, 2_200_000, outcome);
    recorder.finish(2_300_000, facts);
    assert.deepEqual(figures(only(snapshots, "measured"), "gap"), [1, 10_000, 10_000, 10_000]);
  }
});

test("final usage corrects what was counted from events, up or down, and never below zero", () => {
  const { recorder, snapshots } = recording();
  const sample = send(recorder, 500_000);
  recorder.event(sample, 900_000, 4, true, false);
  recorder.end(sample, 1_100_000, {
    ...completed,
    usage: { prompt: 30, cachedPrompt: 16, output: 1 },
    tokenSource: "usage",
    finish: "length",
  });
  const other = send(recorder, 1_200_000);
  recorder.event(other, 2_300_000, 5, true, false);
  recorder.end(other, 2_400_000, {
    ...completed,
    usage: { prompt: 30, cachedPrompt: 0, output: 8 },
    tokenSource: "usage",
    finish: "length",
  });
  recorder.finish(2_500_000, facts);
  // 4 came, 3 were taken back where there were none: the next 5 pay for them; then 3 more.
  assert.deepEqual(
    snapshots.map(({ blocks }) => blocks.map(({ flow }) => flow.outputTokens)),
    [[4], [0], [0, 5]],
  );
  const { due } = only(snapshots, "ramp");
  assert.deepEqual([due.outputTokens, due.promptTokens, due.cachedPromptTokens], [9, 60, 16]);
  assert.deepEqual(due.tokenSource, { usage: 2 });
});

test("what is unfinished when edge and grace are over is censored at its age, and goes on in the flow alone", () => {
  const { recorder, snapshots } = recording();
  const waiting = offer(recorder, 4_000_000);
  const begun = send(recorder, 3_000_000 + 1_000_000);
  const late = send(recorder, 4_900_000);
  recorder.event(late, 5_000_000, 3, true, false);
  recorder.event(late, 6_000_000, 3, true, false);
  recorder.advance(7_000_000);
  recorder.event(begun, 7_100_000, 9, true, false);
  recorder.event(late, 7_200_000, 1, true, false);
  recorder.end(begun, 7_300_000, completed);
  recorder.end(late, 7_300_000, completed);
  recorder.end(waiting, 7_300_000, cancelled);
  recorder.finish(7_400_000, facts);
  const block = only(snapshots, "measured");
  const { offered, sent, completed: done, cancelled: cut, censored, unsent, partialOutputTokens } = block.due;
  assert.deepEqual([offered, sent, done, cut, censored, unsent, partialOutputTokens], [3, 2, 0, 0, 3, 0, 6]);
  assert.deepEqual(figures(block, "e2eCensored"), [3, 3_000_000 + 2_100_000, 0, 3_000_000]);
  assert.deepEqual(figures(block, "responseCensored"), [
    3,
    3_000_000 + 3_000_000 + 2_100_000,
    2_100_000,
    3_000_000,
  ]);
  assert.deepEqual(figures(block, "ttftCensored"), [2, 3_000_000, 0, 3_000_000]);
  assert.deepEqual(figures(block, "gap"), [1, S, S, S]);
  assert.equal(figures(block, "e2e"), null);
  const drain = only(snapshots, "drain");
  assert.deepEqual([drain.flow.completed, drain.flow.ended, drain.flow.outputTokens], [2, 2, 16]);
});

test("an end stamped just before the grace time is over counts, one at that moment does not", () => {
  for (const [endUs, isCounted] of [
    [6_999_999, 1],
    [7_000_000, 0],
  ] as const) {
    const { recorder, snapshots } = recording();
    const sample = send(recorder, 4_000_000);
    recorder.event(sample, 4_100_000, 1, true, false);
    recorder.end(sample, endUs, completed);
    recorder.finish(7_500_000, facts);
    const { due } = only(snapshots, "measured");
    assert.deepEqual([due.completed, due.censored], [isCounted, 1 - isCounted]);
  }
});

test("who learns of an arrival when its count is closed may still drop it as late; sent or ended, it is censored", () => {
  const { recorder, snapshots } = recording();
  recorder.advance(7_100_000);
  recorder.drop(offer(recorder, 4_000_000), 7_100_000, "late");
  const sent = send(recorder, 4_100_000);
  recorder.end(sent, 7_200_000, completed);
  recorder.end(offer(recorder, 4_200_000), 7_200_000, cancelled);
  recorder.finish(7_500_000, facts);
  const { due } = only(snapshots, "measured");
  assert.deepEqual([due.offered, due.dropped, due.censored], [3, { late: 1 }, 2]);
  assert.deepEqual([due.completed, due.cancelled], [0, 0]);
});

test("a stop ends the window of its stage, later stages never start, and what follows is drain", () => {
  const stages = [level, userStage(1, { rampUpUs: 0, settleUs: 0, durationUs: S })];
  const { recorder, snapshots } = recording({ stages, stageStartsUs: [0, 5 * S] });
  const sample = send(recorder, 2_500_000);
  recorder.stop(3_250_000);
  recorder.stop(4_000_000);
  recorder.advance(5_300_000);
  recorder.end(sample, 5_400_000, cancelled);
  const final = recorder.finish(5_500_000, facts);
  assert.equal(only(snapshots, "measured").flow.durationUs, 1_250_000);
  assert.equal(only(snapshots, "measured").due.censored, 1, "the grace time counts from the stop");
  assert.equal(only(snapshots, "drain").flow.durationUs, 2_250_000);
  assert.deepEqual(
    [...fold(snapshots).keys()].filter((key) => key.startsWith("1")),
    [],
  );
  assert.deepEqual(Object.keys(final.completedPerUserMin), ["0"]);
});

test("the time after a stage bounded by requests is between, until the committed start of the next", () => {
  const byRequests: ResolvedStage = {
    kind: "users",
    index: 0,
    name: "by requests",
    isWarmUp: false,
    users: 12,
    staying: 0,
    rampUpUs: 0,
    settleUs: 0,
    thinkUs: 0,
    bound: { kind: "requests", requests: 5, maxDurationUs: 60 * S },
  };
  const stages = [byRequests, userStage(1, { rampUpUs: 0, settleUs: 0, durationUs: S })];
  const { recorder, snapshots } = recording({ stages, stageStartsUs: [0, null] });
  const sample = send(recorder, 0);
  recorder.end(sample, 700_000, cancelled);
  recorder.stageDone(0, 700_000);
  recorder.commitStageStarts([0, 1_900_000], 900_000);
  recorder.advance(4 * S);
  const durations = [...fold(snapshots)].map(([key, { flow }]) => [key, flow.durationUs]);
  assert.deepEqual(durations, [
    ["0 measured", 700_000],
    ["0 between", 1_200_000],
    ["1 measured", S],
    ["1 drain", 1_100_000],
  ]);
});

test("the user that completed fewest is found among all users of the shard, also those that did nothing", () => {
  const busy = (shard?: RecorderOptions["shard"]) => {
    const { recorder } = recording(shard === undefined ? {} : { shard });
    const counts = [
      [1, 3],
      [4, 2],
      [7, 1],
    ] as const;
    const inRamp = send(recorder, 1_000_000, 7);
    recorder.event(inRamp, 1_100_000, 1, true, false);
    recorder.end(inRamp, 1_200_000, completed);
    for (const [user, requests] of counts) {
      for (let j = 0; j < requests; j += 1) {
        const sample = send(recorder, 2_000_000 + j * 1000, user);
        recorder.event(sample, 2_000_000 + j * 1000, 1, true, false);
        recorder.end(sample, 2_000_000 + j * 1000 + 500, completed);
      }
    }
    return recorder.finish(9 * S, facts).completedPerUserMin;
  };
  // Of ten users, shard 1 of 3 owns 1, 4, 7; shard 1 of 2 owns 9 too, who never came.
  assert.deepEqual(busy({ index: 1, count: 3 }), { "0": 1 });
  assert.deepEqual(busy({ index: 1, count: 2 }), { "0": 0 });
  assert.deepEqual(busy(), { "0": 1 });
  const { recorder } = recording({ shard: { index: 10, count: 11 } });
  assert.deepEqual(
    recorder.finish(9 * S, facts).completedPerUserMin,
    {},
    "a shard without a user says nothing",
  );
});

test("a request is good when it completed and met each limit that is given", () => {
  const good = (slos: RecorderOptions["slos"]) => {
    const { recorder, snapshots } = recording({ slos });
    const sample = send(recorder, 2_000_000);
    recorder.event(sample, 2_100_000, 1, true, false);
    recorder.event(sample, 2_140_000, 1, true, false);
    recorder.end(sample, 2_150_000, completed);
    recorder.finish(2_200_000, facts);
    return only(snapshots, "measured").due.good;
  };
  assert.equal(good(undefined), 1);
  assert.equal(good({ ttftMs: 100, tpotMs: 40, e2eMs: 150 }), 1);
  assert.equal(good({ ttftMs: 99.9 }), 0);
  assert.equal(good({ tpotMs: 39.9 }), 0);
  assert.equal(good({ e2eMs: 149.9 }), 0);
});

test("a stamp that goes back is taken for the latest seen", () => {
  const { recorder, snapshots } = recording();
  const sample = send(recorder, 2_000_000);
  recorder.event(sample, 2_500_000, 1, true, false);
  recorder.end(sample, 2_400_000, completed);
  recorder.finish(2_500_001, facts);
  assert.deepEqual(figures(only(snapshots, "measured"), "e2e"), [1, 500_000, 500_000, 500_000]);
});

test("an answer before the last byte left counts as sent at that moment", () => {
  const { recorder, snapshots } = recording();
  const sample = offer(recorder, 2_000_000);
  recorder.begin(sample, 2_000_000);
  recorder.headers(sample, 2_050_000);
  recorder.event(sample, 2_100_000, 1, true, false);
  recorder.sent(sample, 2_200_000);
  recorder.end(sample, 2_300_000, completed);
  recorder.finish(2_400_000, facts);
  const block = only(snapshots, "measured");
  assert.deepEqual([block.due.sent, block.due.unsent, block.due.completed], [1, 0, 1]);
  assert.deepEqual(figures(block, "ttft"), [1, 0, 0, 0]);
});

test("p99 of the schedule lag is that of the interval, not of the run", () => {
  const { recorder, snapshots } = recording();
  for (const [dueUs, lagUs] of [
    [100_000, 9000],
    [1_100_000, 20],
  ] as const) {
    const sample = offer(recorder, dueUs);
    recorder.begin(sample, dueUs + lagUs);
    recorder.end(sample, dueUs + lagUs, cancelled);
  }
  recorder.advance(3 * S);
  assert.deepEqual(
    snapshots.map(({ vitals }) => vitals.scheduleLagP99Us),
    [9000, 20, 0],
  );
});

test("the last interval is cut however short it is, and not at all when it is empty", () => {
  const atEdge = recording();
  assert.equal(atEdge.recorder.finish(3 * S, facts).lastSeq, 3);
  const after = recording();
  assert.equal(after.recorder.finish(3 * S + 1, facts).lastSeq, 4);
  assert.deepEqual([after.snapshots[3]?.fromUs, after.snapshots[3]?.toUs], [3 * S, 3 * S + 1]);
  const something = recording();
  const sample = send(something.recorder, 3 * S);
  something.recorder.end(sample, 3 * S, cancelled);
  assert.equal(something.recorder.finish(3 * S, facts).lastSeq, 4, "a request at the edge itself is kept");
});

test("bugs of a caller are assertions, not measurements", () => {
  const { recorder } = recording();
  const sample = send(recorder, 100);
  assert.throws(() => recorder.event(sample, Number.NaN, 1, true, false), /not a stamp/);
  assert.throws(() => recorder.event(sample, 200, 0.5, true, false), /not a number of tokens/);
  assert.throws(() => recorder.begin(sample, 300), /begun twice/);
  assert.throws(() => recorder.drop(sample, 300, "late"), /after it was begun/);
  assert.throws(() => recorder.finish(400, facts), /0 requests waiting and 1 in flight/);
  recorder.end(sample, 400, cancelled);
  assert.throws(() => recorder.end(sample, 500, cancelled), /had ended/);
  assert.throws(() => recorder.event({ ...sample }, 600, 1, true, false), /never saw/);
});

/** In-flight extremes by block: on entering it, and after every change in it. */
function extremes(run: ScriptedRun, keyAt: (tUs: number) => string): Map<string, [number, number]> {
  const changes = run.requests
    .flatMap(({ sentUs, end }) =>
      sentUs === null || end === null
        ? []
        : [
            [sentUs, 1],
            [end.tUs, -1],
          ],
    )
    .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  const found = new Map<string, [number, number]>();
  const observe = (key: string, inFlight: number) => {
    const [min, max] = found.get(key) ?? [inFlight, inFlight];
    found.set(key, [Math.min(min, inFlight), Math.max(max, inFlight)]);
  };
  let inFlight = 0;
  let at = 0;
  for (let tUs = 0; tUs < run.finishUs; tUs += 1000) {
    observe(keyAt(tUs), inFlight);
    for (; at < changes.length && (changes[at]?.[0] ?? 0) < tUs + 1000; at += 1) {
      inFlight += changes[at]?.[1] ?? 0;
      observe(keyAt(changes[at]?.[0] ?? 0), inFlight);
    }
  }
  return found;
}

test("on random runs the recorder says what a slow, naive model says, block by block", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const run = randomRun(seeded(seed), { stops: true });
    const { snapshots, final } = play(run, { id: "a", epoch: 1, shard: { index: 0, count: 1 } });
    const expected = naiveBlocks(run);
    const folded = fold(snapshots);
    const segments = snapshots.flatMap(({ blocks }) => blocks).filter(({ flow }) => flow.durationUs > 0);
    assert.ok(segments.length > 0);
    for (const [key, block] of expected) {
      const found = folded.get(key);
      if (found === undefined) {
        assert.deepEqual(
          [block.flow, block.due],
          [emptyFlow(), emptyDue()],
          `seed ${seed}, ${key} is missing`,
        );
        continue;
      }
      const { inFlightMin, inFlightMax } = found.flow;
      assert.deepEqual(
        found.flow,
        { ...block.flow, inFlightMin, inFlightMax },
        `seed ${seed}, flow of ${key}`,
      );
      assert.deepEqual(found.due, block.due, `seed ${seed}, due of ${key}`);
      for (const metric of METRICS) {
        const histogram = createHistogram();
        for (const value of block.values[metric] ?? []) histogram.record(value);
        const merged: Histogram = found.histograms.get(metric) ?? createHistogram();
        assert.deepEqual(merged.encode(), histogram.encode(), `seed ${seed}, ${metric} of ${key}`);
      }
    }
    assert.ok(
      [...folded.keys()].every((key) => expected.has(key)),
      `seed ${seed}: ${[...folded.keys()]}`,
    );
    checkIntervals(run, snapshots, seed);
    const samples = [...folded.values()].flatMap(({ histograms }) =>
      METRICS.filter(isCounted).flatMap((metric) => histograms.get(metric) ?? []),
    );
    assert.equal(
      final.samplesRecorded,
      samples.reduce((sum, { count }) => sum + count, 0),
    );
    assert.equal(final.lastSeq, snapshots.length);
  }
});

test("what is kept of each target is what a run of its requests alone would say", () => {
  for (let seed = 300; seed < 330; seed += 1) {
    const run: ScriptedRun = { ...randomRun(seeded(seed), { stops: true }), urls: 3 };
    const { snapshots, final } = play(run, { id: "a", epoch: 1, shard: { index: 0, count: 1 } });
    const blocks = snapshots.flatMap((snapshot) => snapshot.blocks);
    for (const { phase, targets } of blocks) assert.ok(phase === "measured" || targets === undefined);
    for (const url of [0, 1, 2]) {
      const requests = run.requests.filter((request) => urlOf(run, request) === url);
      for (const [key, { flow, due, values }] of naiveBlocks({ ...run, requests })) {
        if (!key.endsWith("measured")) continue;
        const parts = blocks
          .filter(({ stage, phase }) => `${stage} ${phase}` === key)
          .flatMap(({ targets = [] }) => targets.filter((target) => target.url === url));
        const sum = (of: (part: TargetPart) => number) => parts.reduce((so, part) => so + of(part), 0);
        assert.deepEqual(
          {
            offered: sum((part) => part.offered),
            completed: sum((part) => part.completed),
            failed: sum((part) => part.failed),
            censored: sum((part) => part.censored),
            outputTokens: sum((part) => part.outputTokens),
          },
          {
            offered: due.offered,
            completed: due.completed,
            failed: total(due.failed),
            censored: due.censored,
            outputTokens: flow.outputTokens,
          },
          `seed ${seed}, ${key} of target ${url}`,
        );
        for (const metric of TARGET_METRICS) {
          const expected = createHistogram();
          for (const value of values[metric] ?? []) expected.record(value);
          const merged = createHistogram();
          for (const { histograms } of parts) {
            const encoded = histograms[metric];
            if (encoded !== undefined) merged.mergeEncoded(encoded);
          }
          assert.deepEqual(merged.encode(), expected.encode(), `seed ${seed}, ${metric} of ${key}, ${url}`);
        }
      }
    }
    const alone = play({ ...run, urls: 1 }, { id: "a", epoch: 1, shard: { index: 0, count: 1 } });
    assert.ok(alone.snapshots.every((one) => one.blocks.every(({ targets }) => targets === undefined)));
    assert.equal(final.samplesRecorded, alone.final.samplesRecorded, "a target's samples are the same ones");
  }
});

/** Intervals follow each other without a gap, at multiples of their length, and hold exactly the tokens of their time. */
function checkIntervals(run: ScriptedRun, snapshots: readonly Snapshot[], seed: number): void {
  for (const [i, { seq, fromUs, toUs, blocks, ledger }] of snapshots.entries()) {
    assert.equal(seq, i + 1);
    assert.equal(fromUs, i * run.intervalUs);
    assert.equal(toUs, Math.min((i + 1) * run.intervalUs, run.finishUs));
    const events = run.requests.flatMap((request) => request.events).filter((one) => one.tokens > 0);
    const inside = events.filter(({ tUs }) => tUs >= fromUs && (tUs < toUs || i === snapshots.length - 1));
    const counted = blocks.reduce((sum, { flow }) => sum + flow.events, 0);
    assert.equal(counted, inside.length, `seed ${seed}, events of interval ${seq}`);
    const length = blocks.reduce((sum, { flow }) => sum + flow.durationUs, 0);
    assert.equal(length, toUs - fromUs, `seed ${seed}, length of interval ${seq}`);
    assert.equal(ledger.offered, ledger.sent + ledger.unsent + ledger.dropped + ledger.waiting);
  }
}

test("in-flight extremes are those of every moment, also where an edge falls on a change", () => {
  for (let seed = 200; seed < 230; seed += 1) {
    const run = randomRun(seeded(seed), { stops: false });
    const { snapshots } = play(run, { id: "a", epoch: 1, shard: { index: 0, count: 1 } });
    const keys: [number, string][] = [
      [217_000, "0 warm-up"],
      [300_000, "0 between"],
      [500_000, "1 ramp"],
      [1_000_000, "1 measured"],
      [1_330_000, "2 measured"],
      [1_580_000, "3 measured"],
      [1_700_000, "4 ramp"],
      [2_150_000, "5 measured"],
    ];
    const found = extremes(run, (tUs) => keys.find(([toUs]) => tUs < toUs)?.[1] ?? "5 drain");
    for (const [key, { flow }] of fold(snapshots)) {
      assert.deepEqual([flow.inFlightMin, flow.inFlightMax], found.get(key), `seed ${seed}, ${key}`);
    }
  }
});
