import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "../errors.js";
import type { Aggregate } from "./aggregate.js";
import { emptyDue, emptyFlow, emptyLedger } from "./counts.js";
import { createAggregate } from "./fold.js";
import { createHistogram } from "./hdr-histogram.js";
import { type Block, type Final, METRICS, type Snapshot, TARGET_METRICS } from "./snapshot.js";
import { assignment, foldAll, playOn } from "./testing/cluster.js";
import { randomRun, userStage } from "./testing/random-run.js";
import { IDLE_VITALS } from "./testing/scripted-run.js";
import { seeded } from "./testing/seeded.js";
import { shuffled } from "./testing/shuffled.js";

/** All that does not depend on how requests were shared among agents: not the bounds of in-flight. */
function shared(aggregate: Aggregate) {
  return aggregate.blocks().map(({ stage, phase, flow, due, unsettled, unoffered, histograms }) => ({
    stage,
    phase,
    flow: { ...flow, inFlightMin: 0, inFlightMax: 0 },
    due,
    unsettled,
    unoffered,
    histograms: METRICS.map((metric) => histograms.get(metric)?.encode()),
  }));
}

/** Everything that it says. */
function whole(aggregate: Aggregate) {
  return {
    blocks: aggregate.blocks().map(({ histograms, ...block }) => ({
      ...block,
      histograms: METRICS.map((metric) => histograms.get(metric)?.encode()),
    })),
    agents: aggregate.agents(),
    colours: [0.5, 1, 4].map((factor) => [...aggregate.colours(() => factor)].sort()),
    loopDelays: [0, 1, 2].map((stage) => [...aggregate.loopDelays(stage)].sort()),
    recent: aggregate.recentIntervals().map(({ histograms, ...interval }) => ({
      fromUs: interval.fromUs,
      toUs: interval.toUs,
      agents: interval.agents,
      flow: interval.flow,
      stage: interval.stage,
      phase: interval.phase,
      histograms: METRICS.map((metric) => histograms.get(metric)?.encode()),
    })),
    samples: aggregate.samplesMerged(),
  };
}

test("however requests are shared among agents, the fold is the same", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const run = randomRun(seeded(seed), { stops: true });
    const alone = shared(foldAll(run, playOn(run, 1)));
    for (const agents of [2, 3, 7]) {
      assert.deepEqual(shared(foldAll(run, playOn(run, agents))), alone, `seed ${seed}, ${agents} agents`);
    }
  }
});

test("in whatever order, and however often results come, the fold is the same and complete", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = seeded(seed);
    const run = randomRun(random, { stops: true });
    const played = playOn(run, 3);
    const inOrder = foldAll(run, played);
    const twice = foldAll(run, played, (items) => shuffled(random, [...items, ...items]));
    assert.deepEqual(whole(twice), whole(inOrder), `seed ${seed}`);
    const recorded = played.reduce((sum, { final }) => sum + final.samplesRecorded, 0);
    assert.equal(inOrder.samplesMerged(), recorded);
    for (const { received, expected, missing } of inOrder.agents()) {
      assert.deepEqual([received, missing], [expected, []]);
    }
    for (const { unsettled, unoffered } of inOrder.blocks()) assert.deepEqual([unsettled, unoffered], [0, 0]);
  }
});

const stages = [userStage(0, { rampUpUs: 0, settleUs: 0, durationUs: 10_000_000 })];

function aggregateOf(agents: number): Aggregate {
  return createAggregate({ stages, shards: Array.from({ length: agents }, (_, i) => assignment(i)) });
}

function block(change: { flow?: Partial<Block["flow"]>; due?: Partial<Block["due"]> } = {}): Block {
  return {
    stage: 0,
    phase: "measured",
    flow: { ...emptyFlow(), durationUs: 1_000_000, ...change.flow },
    due: { ...emptyDue(), ...change.due },
    histograms: {},
  };
}

function snapshot(agent: number, seq: number, change: Partial<Snapshot> = {}): Snapshot {
  return {
    run: "r",
    agent: `a${agent}`,
    epoch: 3,
    seq,
    fromUs: (seq - 1) * 1_000_000,
    toUs: seq * 1_000_000,
    ledger: emptyLedger(),
    blocks: [block()],
    vitals: { ...IDLE_VITALS, scheduleLagP99Us: 0, coalescedShare: 0 },
    ...change,
  };
}

function final(agent: number, lastSeq: number): Final {
  return {
    run: "r",
    agent: `a${agent}`,
    epoch: 3,
    lastSeq,
    samplesRecorded: 0,
    ledger: emptyLedger(),
    startErrorUs: 0,
    evicted: 0,
    completedPerUserMin: {},
    reader: "test",
  };
}

test("what does not belong to a pair of the shard map, or to a stage, is foreign", () => {
  const aggregate = aggregateOf(1);
  assert.equal(aggregate.fold(snapshot(1, 1)), "foreign");
  assert.equal(aggregate.fold(snapshot(0, 1, { epoch: 2 })), "foreign");
  assert.equal(aggregate.fold(snapshot(0, 0)), "foreign");
  assert.equal(aggregate.fold(snapshot(0, 1, { blocks: [{ ...block(), stage: 1 }] })), "foreign");
  assert.equal(aggregate.foldFinal(final(1, 1)), "foreign");
  assert.equal(aggregate.foldFinal({ ...final(0, 1), epoch: 4 }), "foreign");
  aggregate.expectAtLeast("a0", 2, 9);
  assert.equal(aggregate.agents()[0]?.expected, 0);
  assert.deepEqual([aggregate.blocks(), aggregate.contiguous("a0"), aggregate.contiguous("zz")], [[], 0, 0]);
  assert.equal(aggregate.fold(snapshot(0, 1)), "folded");
  assert.equal(aggregate.fold(snapshot(0, 1)), "duplicate");
  assert.equal(aggregate.foldFinal(final(0, 1)), "folded");
  assert.equal(aggregate.foldFinal(final(0, 2)), "duplicate");
});

test("gaps are named: from the final, or from what the agent said it cut, and by what came", () => {
  const aggregate = aggregateOf(1);
  for (const seq of [1, 2, 5, 6, 9]) aggregate.fold(snapshot(0, seq));
  const missing = () => aggregate.agents()[0]?.missing;
  const between = [
    { from: 3, to: 4 },
    { from: 7, to: 8 },
  ];
  assert.deepEqual(missing(), between);
  assert.equal(aggregate.contiguous("a0"), 2);
  aggregate.expectAtLeast("a0", 3, 12);
  aggregate.expectAtLeast("a0", 3, 11);
  assert.deepEqual(missing(), [...between, { from: 10, to: 12 }]);
  aggregate.foldFinal(final(0, 10));
  assert.deepEqual(missing(), [...between, { from: 10, to: 10 }]);
  for (const seq of [4, 3]) aggregate.fold(snapshot(0, seq));
  assert.equal(aggregate.contiguous("a0"), 6);
  assert.deepEqual([aggregate.agents()[0]?.received, aggregate.agents()[0]?.expected], [7, 10]);
});

test("what an agent has given up holds nothing up, is missing, and is taken all the same when it comes", () => {
  const aggregate = aggregateOf(1);
  for (const seq of [1, 2, 5]) aggregate.fold(snapshot(0, seq));
  const gap = { from: 3, to: 4 };
  aggregate.giveUp("a0", 9, [gap]);
  assert.equal(aggregate.contiguous("a0"), 2, "of another epoch");
  aggregate.giveUp("a0", 3, [gap, { from: 7, to: 7 }]);
  aggregate.giveUp("a0", 3, [gap]);
  assert.equal(aggregate.contiguous("a0"), 5);
  const agent = () => aggregate.agents()[0];
  assert.deepEqual([agent()?.received, agent()?.missing], [3, [gap, { from: 6, to: 7 }]]);
  assert.equal(aggregate.fold(snapshot(0, 4)), "folded");
  assert.equal(aggregate.fold(snapshot(0, 4)), "duplicate");
  assert.deepEqual(agent()?.missing[0], { from: 3, to: 3 });
  aggregate.fold(snapshot(0, 6));
  assert.deepEqual([aggregate.contiguous("a0"), agent()?.received], [7, 5]);
  aggregate.foldFinal({ ...final(0, 9), gaps: [{ from: 8, to: 9 }] });
  assert.equal(aggregate.contiguous("a0"), 9);
  assert.deepEqual(agent()?.missing, [
    { from: 3, to: 3 },
    { from: 7, to: 9 },
  ]);
});

test("a final that claims more intervals than anyone could cut costs nothing", () => {
  const aggregate = aggregateOf(1);
  aggregate.fold(snapshot(0, 1));
  aggregate.foldFinal(final(0, Number.MAX_SAFE_INTEGER));
  assert.deepEqual(aggregate.agents()[0]?.missing, [{ from: 2, to: Number.MAX_SAFE_INTEGER }]);
});

test("a snapshot with more counts than a fold keeps decoded is folded like any other, also where histograms are one", () => {
  // Four full histograms are more words than there is room for.
  const full = createHistogram();
  for (let value = 0; value < 3_600_000_000; value = value < 2048 ? value + 1 : Math.ceil(value * 1.0005)) {
    full.record(value, 1 + (value % 300));
  }
  const small = createHistogram();
  small.record(7);
  const [one, other] = [full.encode(), small.encode()];
  const again = { ...one, payload: one.payload.slice() };
  const histograms = {
    ttft: other,
    gap: one,
    itl: one,
    tpot: again,
    e2e: { ...again, payload: again.payload.slice() },
  };
  const aggregate = aggregateOf(1);
  for (const seq of [1, 2]) {
    const blocks = [{ ...block(), phase: "measured" as const, histograms }];
    assert.equal(aggregate.fold(snapshot(0, seq, { blocks })), "folded");
  }
  const folded = aggregate.block(0, "measured");
  for (const [metric, encoded] of Object.entries(histograms)) {
    const twice = createHistogram();
    twice.mergeEncoded(encoded);
    twice.mergeEncoded(encoded);
    const of = METRICS.find((name) => name === metric) ?? "ttft";
    assert.deepEqual(folded?.histograms.get(of)?.encode(), twice.encode(), metric);
    const member = [...(folded?.agents.values() ?? [])][0]?.histograms;
    const kept = TARGET_METRICS.find((name) => name === metric);
    if (kept !== undefined)
      assert.deepEqual(member?.get(kept)?.encode(), twice.encode(), `${metric} of the agent`);
  }
});

test("a malformed histogram leaves nothing of its snapshot behind, and the interval may come again", () => {
  const aggregate = aggregateOf(1);
  const good = createHistogram();
  good.record(7);
  const bad = { ...good.encode(), count: 2 };
  const blocks = (ttft: typeof bad) => [
    { ...block({ flow: { sent: 5 } }), histograms: { e2e: good.encode(), ttft } },
  ];
  assert.throws(
    () => aggregate.fold(snapshot(0, 1, { blocks: blocks(bad) })),
    (error) => error instanceof LoadError && error.code === "PROTOCOL_MALFORMED",
  );
  assert.deepEqual([aggregate.samplesMerged(), aggregate.blocks(), aggregate.recentIntervals()], [0, [], []]);
  assert.equal(aggregate.fold(snapshot(0, 1, { blocks: blocks(good.encode()) })), "folded");
  assert.deepEqual([aggregate.samplesMerged(), aggregate.block(0, "measured")?.flow.sent], [2, 5]);
});

test("agents run side by side: their times do not add up, their bounds do", () => {
  const aggregate = aggregateOf(2);
  const of = (durationUs: number, inFlightMin: number, inFlightMax: number) => [
    block({ flow: { durationUs, inFlightUs: 4 * durationUs, inFlightMin, inFlightMax } }),
  ];
  aggregate.fold(snapshot(0, 1, { blocks: of(1_000_000, 4, 9) }));
  aggregate.fold(snapshot(0, 2, { blocks: of(600_000, 3, 5) }));
  aggregate.fold(snapshot(1, 1, { blocks: of(1_000_000, 10, 20) }));
  // Outcomes that came later, in a block that had no time of its own.
  aggregate.fold(
    snapshot(1, 2, { blocks: [block({ flow: { durationUs: 0 }, due: { completed: 3, offered: 3 } })] }),
  );
  const folded = aggregate.block(0, "measured");
  assert.deepEqual(folded?.flow, {
    ...emptyFlow(),
    durationUs: 1_600_000,
    inFlightUs: 10_400_000,
    inFlightMin: 13,
    inFlightMax: 29,
  });
  assert.equal(folded?.due.completed, 3);
  assert.equal(aggregate.agentBlock("a1", 0, "measured")?.inFlightMin, 10);
  assert.equal(aggregate.agentBlock("a2", 0, "measured"), undefined);
});

test("what was offered and never heard of again is unsettled, agent by agent", () => {
  const aggregate = aggregateOf(2);
  const due = (offered: number, completed: number, failed: number, censored: number) => [
    block({ due: { offered, completed, failed: { empty: failed }, censored } }),
  ];
  aggregate.fold(snapshot(0, 1, { blocks: due(10, 4, 1, 2) }));
  aggregate.fold(snapshot(1, 2, { blocks: due(5, 7, 0, 0) }));
  const folded = aggregate.block(0, "measured");
  assert.deepEqual([folded?.unsettled, folded?.unoffered], [3, 2]);
});

test("an interval of the run is there once all agents have delivered theirs, also the short last one", () => {
  const aggregate = aggregateOf(2);
  const starts = () => aggregate.recentIntervals().map(({ fromUs, toUs, agents }) => [fromUs, toUs, agents]);
  const flow = { inFlightMin: 2, inFlightMax: 5, outputTokens: 10 };
  aggregate.fold(snapshot(0, 2, { blocks: [block({ flow })] }));
  aggregate.fold(snapshot(0, 1));
  assert.deepEqual(starts(), []);
  aggregate.fold(snapshot(1, 2, { blocks: [block({ flow })] }));
  assert.deepEqual(starts(), [[1_000_000, 2_000_000, 2]]);
  aggregate.fold(snapshot(1, 1));
  assert.deepEqual(starts(), [
    [0, 1_000_000, 2],
    [1_000_000, 2_000_000, 2],
  ]);
  const last = aggregate.recentIntervals()[1];
  assert.deepEqual(last?.flow, {
    ...emptyFlow(),
    durationUs: 1_000_000,
    inFlightMin: 4,
    inFlightMax: 10,
    outputTokens: 20,
  });
  // Agent 0 ends in the third interval, agent 1 goes on into the fourth.
  aggregate.fold(snapshot(0, 3, { toUs: 2_300_000 }));
  aggregate.fold(snapshot(1, 3));
  aggregate.fold(snapshot(1, 4, { toUs: 3_200_000 }));
  assert.equal(starts().length, 3, "agent 0 may still have a fourth interval");
  aggregate.foldFinal(final(0, 3));
  assert.deepEqual(starts().slice(2), [
    [2_000_000, 3_000_000, 2],
    [3_000_000, 3_200_000, 1],
  ]);
});

test("an agent may still owe an interval when its final is in, and an interval without length is none", () => {
  const aggregate = aggregateOf(2);
  const starts = () => aggregate.recentIntervals().map(({ fromUs }) => fromUs);
  aggregate.fold(snapshot(0, 1));
  aggregate.foldFinal(final(0, 2));
  aggregate.fold(snapshot(1, 1));
  aggregate.fold(snapshot(1, 2));
  assert.deepEqual(starts(), [0], "the second of agent 0 is on its way");
  aggregate.fold(snapshot(0, 2, { toUs: 1_000_000 }));
  assert.deepEqual(starts(), [0, 1_000_000]);
  assert.equal(aggregate.recentIntervals()[1]?.agents, 1);
});

test("an interval is named after the (stage, phase) that took most of it", () => {
  const aggregate = aggregateOf(1);
  const part = (phase: Block["phase"], durationUs: number) => ({ ...block({ flow: { durationUs } }), phase });
  aggregate.fold(snapshot(0, 1, { blocks: [part("ramp", 700_000), part("measured", 300_000)] }));
  aggregate.fold(snapshot(0, 2, { blocks: [part("ramp", 500_000), part("measured", 500_000)] }));
  assert.deepEqual(
    aggregate.recentIntervals().map(({ phase }) => phase),
    ["ramp", "measured"],
  );
});

test("sixty intervals are kept, the newest dozen with histograms of their own", () => {
  const aggregate = aggregateOf(1);
  for (let seq = 1; seq <= 75; seq += 1) {
    const ttft = createHistogram();
    ttft.record(seq);
    aggregate.fold(snapshot(0, seq, { blocks: [{ ...block(), histograms: { ttft: ttft.encode() } }] }));
  }
  const recent = aggregate.recentIntervals();
  assert.equal(recent.length, 60);
  assert.deepEqual([recent[0]?.fromUs, recent.at(-1)?.fromUs], [15_000_000, 74_000_000]);
  const kept = recent.map(({ histograms }) => histograms.get("ttft")?.max);
  assert.deepEqual(kept.slice(-12), [64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75]);
  assert.ok(kept.slice(0, -12).every((max) => max === undefined));
  assert.equal(aggregate.block(0, "measured")?.histograms.get("ttft")?.count, 75);
});

test("an interval counts as measured where it touches a measured stage, and nowhere else", () => {
  const aggregate = aggregateOf(1);
  const idle = block({ flow: { durationUs: 0 }, due: { completed: 1 } });
  aggregate.fold(snapshot(0, 2, { blocks: [idle, { ...block(), phase: "drain" }] }));
  aggregate.fold(snapshot(0, 1));
  assert.deepEqual(
    [...aggregate.colours(() => 1).values()].map(({ measured }) => measured),
    [1],
  );
  assert.deepEqual([aggregate.loopDelays(0).size, aggregate.loopDelays(1).size], [1, 0]);
});
