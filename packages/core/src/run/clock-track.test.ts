import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../measure/testing/seeded.js";
import { shuffled } from "../measure/testing/shuffled.js";
import { type ClockReading, clockTracks, driftOf } from "./clock-track.js";
import { readingsOf } from "./testing/true-clocks.js";

const S = 1_000_000;

function reading(runUs: number, offsetUs: number, errorUs = 49, agent = "a1"): ClockReading {
  return { agent, runUs, offsetUs, errorUs };
}

function trackOf(...clocks: ClockReading[]) {
  const [track, ...others] = clockTracks([{ term: 1, clocks }]);
  assert.ok(track !== undefined && others.length === 0);
  return track;
}

test("a drift is the slope between the first and the last comparison, within the sum of their errors by the time between", () => {
  // 20 ms in 100 s are 200 ppm; 100 + 50 us in 100 s are 1.5 ppm, and a figure of three decimals is 0.0005 off.
  const track = trackOf(reading(-2 * S, 1000, 99), reading(30 * S, 7399), reading(98 * S, 21_000, 49));
  assert.deepEqual(driftOf(track), { ppm: 200, errorPpm: 1.501 });
  assert.deepEqual([track.comparisons, track.first.runUs, track.last.runUs], [3, -2 * S, 98 * S]);
  // -1 us in 3 s.
  const slow = trackOf(reading(0, 5, 0), reading(3 * S, 4, 0));
  assert.deepEqual(driftOf(slow), { ppm: -0.333, errorPpm: 0.668 });
});

test("a drift is not told of one comparison, nor of two so close that their errors allow any", () => {
  assert.equal(driftOf(trackOf(reading(0, 7))), null);
  assert.equal(driftOf(trackOf(reading(0, 7), reading(0, 7))), null);
  assert.equal(driftOf(trackOf(reading(0, 7), reading(99_000, 7))), null);
  assert.deepEqual(driftOf(trackOf(reading(0, 7), reading(S, 7))), { ppm: 0, errorPpm: 100.001 });
});

test("a clock that moves further than clocks drift has jumped, and its drift is not told", () => {
  // 1,000 ppm of 30 s are 30 ms; both comparisons may be 50 us off.
  const moved = (byUs: number) =>
    trackOf(reading(0, 10), reading(30 * S, 10 + byUs), reading(60 * S, 10 + byUs));
  assert.deepEqual(moved(30_100).jumps, []);
  assert.notEqual(driftOf(moved(30_100)), null);
  for (const byUs of [30_101, -30_101]) {
    assert.deepEqual(moved(byUs).jumps, [{ fromUs: 0, toUs: 30 * S, byUs }]);
    assert.equal(driftOf(moved(byUs)), null);
  }
});

test("each leader's comparisons stand apart, and it makes no difference in which order they are heard of", () => {
  const noted = [
    { term: 1, clocks: [reading(-S, 100), reading(-S, 900, 49, "a2")] },
    { term: 1, clocks: [reading(30 * S, 110)] },
    { term: 2, clocks: [reading(45 * S, -7_000_000), reading(45 * S, -7_000_900, 49, "a2")] },
    { term: 2, clocks: [reading(60 * S, -7_000_000)] },
  ];
  const random = seeded(3);
  const tracks = clockTracks(noted);
  assert.deepEqual(
    tracks.map(({ term, agent, comparisons, jumps }) => [term, agent, comparisons, jumps.length]),
    [
      [1, "a1", 2, 0],
      [1, "a2", 1, 0],
      [2, "a1", 2, 0],
      [2, "a2", 1, 0],
    ],
  );
  for (let i = 0; i < 20; i += 1) assert.deepEqual(clockTracks(shuffled(random, noted)), tracks);
});

test("the true drift lies within its bound, and no clock is said to have jumped, whatever the ways and paces", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const { readings, paces } = readingsOf(random, { agents: 2, rounds: 2 + Math.floor(random() * 6) });
    for (const track of clockTracks([{ term: 1, clocks: readings }])) {
      assert.deepEqual(track.jumps, [], `seed ${seed}`);
      const drift = driftOf(track);
      if (drift === null) continue;
      const truePpm = ((paces.get(track.agent) ?? 1) / (paces.get("leader") ?? 1) - 1) * 1e6;
      const said = `seed ${seed}: ${track.agent} drifts by ${truePpm} ppm, ${JSON.stringify(drift)}`;
      assert.ok(Math.abs(drift.ppm - truePpm) <= drift.errorPpm, said);
    }
  }
});
