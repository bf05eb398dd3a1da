import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClockReading, clockTracks } from "../run/clock-track.js";
import type { RunFacts } from "../run/facts.js";
import { readingsOf } from "../run/testing/true-clocks.js";
import { clocksOf } from "./clocks.js";
import { factsOf, planOf, runOf } from "./testing/run-facts.js";
import { seeded } from "./testing/seeded.js";

const S = 1_000_000;

/** Of a run of 100 s; agents are `a0`, `a1`, ..., and each has its time zero where its clock shows this. */
function facts(
  noted: readonly { readonly term: number; readonly clocks: readonly ClockReading[] }[],
  localUs: Readonly<Record<string, number>>,
): RunFacts {
  const plan = planOf({});
  const all = factsOf(plan, runOf(plan, []), Object.keys(localUs).length);
  const start = { attempt: 1, committed: true, leaderUs: 0, epochUs: 0, localUs };
  return { ...all, endUs: 100 * S, clocks: clockTracks(noted), record: { ...all.record, start } };
}

const reading = (agent: string, runUs: number, offsetUs: number, errorUs = 99): ClockReading => ({
  agent,
  runUs,
  offsetUs,
  errorUs,
});

test("the skew of an agent is its run time less the median of the others', within their errors together", () => {
  // Offsets at the end less those by which time zero was chosen: 0, +300, and -5,000 us.
  const clocks = [
    reading("a0", 100 * S, 7000),
    reading("a1", 100 * S, 1_000_300),
    reading("a2", 100 * S, -500_000 - 5000),
  ];
  const { byAgent, clocks: report } = clocksOf(
    facts([{ term: 1, clocks }], { a0: 7000, a1: 1_000_000, a2: -500_000 }),
  );
  const skew = (agent: string) => byAgent.get(agent)?.skew;
  // a0 beside the mean of +300 and -5,000.
  assert.deepEqual(skew("a0"), { atMs: 100_000, us: 2350, errorUs: 200 });
  assert.deepEqual(skew("a1"), { atMs: 100_000, us: 2800, errorUs: 200 });
  assert.deepEqual(skew("a2"), { atMs: 100_000, us: -5150, errorUs: 200 });
  assert.deepEqual(report, { skewLimitUs: 10_000, sentences: [] });
});

test("an agent whose intervals may lie more than a hundredth of one off the others' is named, with how far", () => {
  const clocks = [
    ...["a0", "a1", "a4", "a5"].map((agent) => reading(agent, 100 * S, 0)),
    reading("a2", 100 * S, 24_000),
    reading("a3", 100 * S, 0, 10_499),
  ];
  const zeros = { a0: 0, a1: 0, a2: 0, a3: 0, a4: 0, a5: 0 };
  const { clocks: report } = clocksOf(facts([{ term: 1, clocks }], zeros));
  assert.deepEqual(report?.sentences, [
    "the run time of a2 was +24 ms off the other agents' at 100.0 s, known within 0.2 ms: the edges of its intervals may " +
      "have lain 24.2 ms off theirs, more than 1 % of an interval (10 ms)",
    "the run time of a3 was +0 ms off the other agents' at 100.0 s, known within 10.6 ms: the edges of its intervals may " +
      "have lain 10.6 ms off theirs, more than 1 % of an interval (10 ms)",
  ]);
});

test("a clock that jumped is named; where all jump at once against the leader's, it was that one", () => {
  const at = (runUs: number, offsets: readonly number[]) =>
    offsets.map((offsetUs, i) => reading(`a${i}`, runUs, offsetUs));
  const sentences = (...offsets: readonly (readonly number[])[]) =>
    clocksOf(
      facts([{ term: 1, clocks: offsets.flatMap((own, i) => at((40 + i * 30) * S, own)) }], { a0: 0, a1: 0 }),
    ).clocks?.sentences.filter((text) => text.includes("jump"));
  assert.deepEqual(sentences([0, 0], [0, 500_000], [0, 500_000]), [
    "the clock of a1 jumped by +500 ms against the coordinator's between 40.0 s and 70.0 s: the intervals of that time are " +
      "not those of the other agents",
  ]);
  assert.deepEqual(sentences([0, 0], [-500_000, -500_010], [-500_000, -500_010]), [
    "the coordinator's clock jumped by about +500 ms between 40.0 s and 70.0 s",
  ]);
});

test("agents that did not answer are named, and have no skew", () => {
  const clocks = [
    reading("a0", -S, 0),
    reading("a1", -S, 0),
    reading("a1", 60 * S, 0),
    reading("a0", 100 * S, 0),
    reading("a3", 100 * S, 0),
  ];
  const { byAgent, clocks: report } = clocksOf(facts([{ term: 1, clocks }], { a0: 0, a1: 0, a2: 0, a3: 0 }));
  assert.deepEqual(
    ["a0", "a1", "a3"].map((agent) => byAgent.get(agent)?.skew?.us ?? null),
    [0, null, 0],
  );
  assert.equal(byAgent.get("a2"), undefined);
  assert.deepEqual(report?.sentences, [
    "the clock of a2 was never compared in the course of the run",
    "the clock of a1 was compared last at 60.0 s, 40.0 s before the end: how it went on is not known",
  ]);
});

test("a run whose clocks were not compared says nothing of them, and a lone agent has no skew", () => {
  const { clocks, byAgent } = clocksOf(facts([], { a0: 0 }));
  assert.deepEqual([clocks, byAgent.size], [null, 0]);
  const alone = clocksOf(
    facts([{ term: 1, clocks: [reading("a0", 0, 0), reading("a0", 100 * S, 20_000)] }], { a0: 0 }),
  );
  assert.deepEqual(alone.byAgent.get("a0"), {
    terms: [
      {
        term: 1,
        comparisons: 2,
        first: { atMs: 0, offsetUs: 0, errorUs: 100 },
        last: { atMs: 100_000, offsetUs: 20_000, errorUs: 100 },
        drift: { ppm: 200, errorPpm: 2.001 },
        jumps: [],
      },
    ],
    skew: null,
  });
  assert.deepEqual(alone.clocks?.sentences, []);
});

test("after a takeover the skew is by the last leader's clock, and each leader's drift stands for itself", () => {
  const noted = [
    { term: 1, clocks: [reading("a0", 0, 0), reading("a1", 0, 0)] },
    { term: 1, clocks: [reading("a0", 50 * S, 10_000), reading("a1", 50 * S, 0)] },
    { term: 2, clocks: [reading("a0", 60 * S, 777 * S), reading("a1", 60 * S, 777 * S - 12_000)] },
    { term: 2, clocks: [reading("a0", 100 * S, 777 * S - 8000), reading("a1", 100 * S, 777 * S - 28_000)] },
  ];
  const { byAgent } = clocksOf(facts(noted, { a0: 0, a1: 0 }));
  const { terms, skew } = byAgent.get("a0") ?? {};
  assert.deepEqual(
    terms?.map(({ term, drift }) => [term, drift?.ppm]),
    [
      [1, 200],
      [2, -200],
    ],
  );
  assert.deepEqual(skew, { atMs: 100_000, us: 20_000, errorUs: 200 });
});

test("a leader that took over at the very end and reached one agent takes the others' skew from nobody", () => {
  const noted = [
    { term: 1, clocks: [reading("a0", 90 * S, 0), reading("a1", 90 * S, 10_000), reading("a2", 90 * S, 0)] },
    { term: 2, clocks: [reading("a1", 100 * S, 777 * S)] },
  ];
  const { byAgent } = clocksOf(facts(noted, { a0: 0, a1: 0, a2: 0 }));
  assert.deepEqual(
    ["a0", "a1", "a2"].map((agent) => byAgent.get(agent)?.skew?.us),
    [-5000, 10_000, -5000],
  );
  assert.equal(byAgent.get("a1")?.skew?.atMs, 90_000);
});

test("the true skew lies within its bound, whatever the ways and paces", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const agents = 2 + Math.floor(random() * 5);
    const found = readingsOf(random, { agents, rounds: 2 });
    const zeroUs = 1e6 * random();
    const ahead = (agent: string, worldUs: number) => {
      const { clock } = found.clocks.find((one) => one.agent === agent) ?? {};
      return clock === undefined ? 0 : clock.at(worldUs) - clock.at(zeroUs);
    };
    const localUs = Object.fromEntries(found.clocks.map(({ agent, clock }) => [agent, clock.at(zeroUs)]));
    const { byAgent } = clocksOf(facts([{ term: 1, clocks: found.readings }], localUs));
    // The last ones were compared within 0.3 s of true time, in which no two clocks part by more than 300 us.
    for (const [agent, { skew }] of byAgent) {
      if (skew === null) continue;
      const others = [...byAgent.keys()]
        .filter((other) => other !== agent)
        .map((other) => ahead(other, found.endUs))
        .sort((a, b) => a - b);
      const middle = ((others[(others.length - 1) >> 1] ?? 0) + (others[others.length >> 1] ?? 0)) / 2;
      const trueUs = ahead(agent, found.endUs) - middle;
      assert.ok(
        Math.abs(skew.us - trueUs) <= skew.errorUs + 300,
        `seed ${seed}: ${agent} is ${trueUs} us ahead, ${JSON.stringify(skew)}`,
      );
    }
  }
});
