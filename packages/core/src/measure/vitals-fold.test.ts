import assert from "node:assert/strict";
import { test } from "node:test";
import type { IntervalVitals } from "./aggregate.js";
import type { IntervalColours } from "./interval-colours.js";
import { judgeVitals } from "./judge-vitals.js";
import { IDLE_VITALS } from "./testing/scripted-run.js";
import { seeded } from "./testing/seeded.js";
import { shuffled } from "./testing/shuffled.js";
import { VitalsFold } from "./vitals-fold.js";

const FACTORS = [0.5, 0.77, 1, 1.6, 2.5, 4];

/** Most are green, some change their colour with the factor, some are red whatever it is. */
function randomInterval(random: () => number, seq: number): IntervalVitals {
  const below = (n: number) => Math.floor(random() * n);
  const us = () => Math.round(10 ** (2 + 2.5 * random()));
  const probe = us();
  return {
    agent: `a${below(3)}`,
    seq,
    fromUs: (seq - 1) * 1_000_000,
    toUs: seq * 1_000_000,
    measuredStages: [[], [0], [1], [0, 1]][below(4)] ?? [],
    vitals: {
      ...IDLE_VITALS,
      loopDelayP99Us: us(),
      scheduleLagP99Us: us(),
      coalescedShare: below(40) === 0 ? 0.03 : 0,
      ...(below(3) > 0 && {
        selfProbe: { count: 50, p50Us: 1, p90Us: probe, p99Us: probe + us(), maxUs: 9e9, buckets: [] },
      }),
    },
  };
}

/** As the rule reads: each interval judged by itself, in the order of time. */
function judgedOneByOne(intervals: readonly IntervalVitals[], factorOf: (stage: number) => number) {
  const byAgent = new Map<string, IntervalColours>();
  for (const { agent, measuredStages, vitals } of intervals.toSorted((a, b) => a.fromUs - b.fromUs)) {
    if (measuredStages.length === 0) continue;
    const { colour, reasons } = judgeVitals(vitals, Math.min(...measuredStages.map(factorOf)));
    const before = byAgent.get(agent) ?? { measured: 0, red: 0, yellow: 0, redReasons: [] };
    byAgent.set(agent, {
      measured: before.measured + 1,
      red: before.red + (colour === "red" ? 1 : 0),
      yellow: before.yellow + (colour === "yellow" ? 1 : 0),
      redReasons: colour === "red" ? reasons : before.redReasons,
    });
  }
  return byAgent;
}

const sorted = <T>(colours: ReadonlyMap<string, T>) => [...colours].sort(([a], [b]) => (a < b ? -1 : 1));

test("colours by what is kept are those of each interval judged by itself, in whatever order they came", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seeded(seed);
    const intervals = Array.from({ length: 120 }, (_, i) => randomInterval(random, i + 1));
    const fold = new VitalsFold();
    for (const one of shuffled(random, intervals)) fold.add(one);
    for (const first of FACTORS) {
      for (const second of FACTORS) {
        const factorOf = (stage: number) => (stage === 0 ? first : second);
        assert.deepEqual(
          sorted(fold.colours(factorOf)),
          sorted(judgedOneByOne(intervals, factorOf)),
          `seed ${seed}, factors ${first} and ${second}`,
        );
      }
    }
  }
});
