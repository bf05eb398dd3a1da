import assert from "node:assert/strict";
import { test } from "node:test";
import { type Arrival, arrivals, expectedArrivals, pacedArrivals } from "./arrivals.js";
import type { ResolvedStage } from "./stages.js";

type Profile = readonly (readonly [fromRps: number, toRps: number, durationMs: number])[];

function stagesOf(profile: Profile, firstIndex = 0): ResolvedStage[] {
  return profile.map(([fromRps, toRps, durationMs], i) => ({
    kind: "rate",
    index: firstIndex + i,
    name: `r${i}`,
    isWarmUp: false,
    fromRps,
    toRps,
    durationUs: durationMs * 1000,
  }));
}

const ALONE = { index: 0, count: 1 };

function walk(profile: Profile, spacing: "even" | "poisson", seed = 1): Arrival[] {
  return [...arrivals({ stages: stagesOf(profile), spacing, seed, shard: ALONE })];
}

/** The integral of the rate up to a time, by adding up: another way to the same number. */
function integral(profile: Profile, untilUs: number): number {
  let sum = 0;
  let startUs = 0;
  for (const [fromRps, toRps, durationMs] of profile) {
    const t = Math.min(Math.max(untilUs - startUs, 0), durationMs * 1000) / 1e6;
    sum += fromRps * t + ((toRps - fromRps) * t * t) / (2 * (durationMs / 1000));
    startUs += durationMs * 1000;
  }
  return sum;
}

test("an even load of ten a second is due every 100 ms, ten in a second", () => {
  const due = walk([[10, 10, 2000]], "even").map(({ dueUs }) => dueUs);
  // The last falls on the end of the stage and is due in its last microsecond.
  assert.deepEqual(due, [...Array.from({ length: 19 }, (_, i) => (i + 1) * 100_000), 1_999_999]);
});

const profiles: Readonly<Record<string, Profile>> = {
  "one rate": [[50, 50, 4000]],
  "a ramp from nothing": [[0, 200, 3000]],
  "a ramp to nothing": [[200, 0, 3000]],
  "up, held, down": [
    [0, 100, 2000],
    [100, 100, 2000],
    [100, 0, 2000],
  ],
  "a pause between": [
    [80, 80, 1000],
    [0, 0, 1500],
    [80, 80, 1000],
  ],
  "rates that are no whole numbers": [
    // In floating point 0.29 x 100 is a little less than 29.
    [0.29, 0.29, 100_000],
    [33.3, 33.3, 60_000],
    [0.1, 7.7, 33_333],
    [7.7, 2.5, 1234],
  ],
  "less than one arrival a stage": [
    [0.3, 0.3, 1000],
    [0.3, 0.3, 1000],
    [0.9, 0.9, 1000],
    [0.1, 2.9, 1000],
  ],
};

for (const [name, profile] of Object.entries(profiles)) {
  test(`arrival k of an even load is due when k + 1 have been promised: ${name}`, () => {
    const list = walk(profile, "even");
    const promised = expectedArrivals(stagesOf(profile));
    assert.ok(Math.abs(promised - integral(profile, 1e12)) < 1e-6);
    assert.equal(list.length, Math.floor(promised + 1e-6));
    for (const { key, dueUs } of list) {
      // Rounding to a microsecond moves the integral by at most the rate times that.
      assert.ok(Math.abs(integral(profile, dueUs) - (key.k + 1)) < 3e-4, `arrival ${key.k} at ${dueUs}`);
    }
  });

  for (const spacing of ["even", "poisson"] as const) {
    test(`key and due time name one stage, in order, in whole microseconds: ${name}, ${spacing}`, () => {
      const list = walk(profile, spacing, 11);
      let startUs = 0;
      const edges = profile.map(([, , durationMs]) => {
        const fromUs = startUs;
        startUs += durationMs * 1000;
        return { fromUs, toUs: startUs };
      });
      let beforeUs = 0;
      list.forEach(({ key, dueUs }, i) => {
        assert.equal(key.k, i);
        assert.ok(Number.isSafeInteger(dueUs) && dueUs >= beforeUs);
        const edge = edges[key.stage];
        assert.ok(
          edge !== undefined && dueUs >= edge.fromUs && dueUs < edge.toUs,
          `${dueUs} in ${key.stage}`,
        );
        beforeUs = dueUs;
      });
      const inPause = list.filter(
        ({ key }) => profile[key.stage]?.[0] === 0 && profile[key.stage]?.[1] === 0,
      );
      assert.equal(inPause.length, 0);
    });
  }
}

test("a stage whose rate times length is a whole number sends that many, whatever the rounding", () => {
  for (const [rps, seconds, count] of [
    [0.29, 100, 29],
    [33.3, 60, 1998],
    [1.1, 10, 11],
    [0.7, 30, 21],
  ] as const) {
    assert.equal(walk([[rps, rps, seconds * 1000]], "even").length, count, `${rps} for ${seconds} s`);
  }
});

test("a million arrivals do not drift", () => {
  let last = 0;
  let count = 0;
  const stages = stagesOf([[333.3, 333.3, 3_000_300]]);
  for (const { key, dueUs } of arrivals({ stages, spacing: "even", seed: 1, shard: ALONE })) {
    assert.ok(Math.abs(dueUs - ((key.k + 1) / 333.3) * 1e6) <= 1);
    last = dueUs;
    count += 1;
  }
  assert.equal(count, 999_999);
  assert.ok(last > 3_000_280_000);
});

test("stages keep their index in the plan, and a stage that is no rate is passed over", () => {
  const warmUp: ResolvedStage = {
    kind: "users",
    index: 0,
    name: "warm-up",
    isWarmUp: true,
    users: 1,
    staying: 0,
    rampUpUs: 0,
    settleUs: 0,
    thinkUs: 0,
    bound: { kind: "requests", requests: 1, maxDurationUs: 1 },
  };
  const stages = [
    warmUp,
    ...stagesOf(
      [
        [10, 10, 1000],
        [20, 20, 1000],
      ],
      1,
    ),
  ];
  const list = [...arrivals({ stages, spacing: "even", seed: 1, shard: ALONE })];
  assert.deepEqual(list[0], { key: { kind: "open", stage: 1, k: 0 }, dueUs: 100_000 });
  assert.deepEqual(list[10], { key: { kind: "open", stage: 2, k: 10 }, dueUs: 1_050_000 });
  assert.deepEqual([...arrivals({ stages: [warmUp], spacing: "even", seed: 1, shard: ALONE })], []);
});

for (const seed of [1, 2, 3, 4]) {
  const ramp: Profile = [
    [0, 4000, 5000],
    [4000, 4000, 5000],
    [4000, 500, 5000],
  ];

  test(`a Poisson load has exponential gaps in its own measure, and the promised number, seed ${seed}`, () => {
    const list = walk(ramp, "poisson", seed);
    const promised = expectedArrivals(stagesOf(ramp));
    assert.ok(Math.abs(list.length - promised) < 4 * Math.sqrt(promised), `${list.length} of ${promised}`);
    // In the measure of the integrated rate any Poisson process has rate 1.
    const at = list.map(({ dueUs }) => integral(ramp, dueUs));
    const gaps = at.map((reached, i) => reached - (at[i - 1] ?? 0)).toSorted((a, b) => a - b);
    const distance = gaps.reduce((worst, gap, i) => {
      const expected = 1 - Math.exp(-gap);
      return Math.max(
        worst,
        Math.abs(expected - i / gaps.length),
        Math.abs(expected - (i + 1) / gaps.length),
      );
    }, 0);
    assert.ok(distance < 1.95 / Math.sqrt(gaps.length), `KS distance ${distance} of ${gaps.length} gaps`);
  });

  test(`counts of a Poisson load in slices of time vary as its mean does, seed ${seed}`, () => {
    const counts = new Array<number>(1000).fill(0);
    for (const { dueUs } of walk([[100, 100, 1_000_000]], "poisson", seed)) {
      const slice = Math.floor(dueUs / 1e6);
      counts[slice] = (counts[slice] ?? 0) + 1;
    }
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1);
    // The index of dispersion of 1,000 slices has a standard deviation of sqrt(2 / 999).
    assert.ok(Math.abs(variance / mean - 1) < 4 * Math.sqrt(2 / 999), `dispersion ${variance / mean}`);
  });
}

test("another seed moves a Poisson load and leaves an even one", () => {
  const profile: Profile = [[100, 100, 1000]];
  assert.notDeepEqual(walk(profile, "poisson", 1), walk(profile, "poisson", 2));
  assert.deepEqual(walk(profile, "even", 1), walk(profile, "even", 2));
});

test("paced arrivals are the same ones, with a pause after each so many that were walked, whoever's they are", () => {
  const stages = stagesOf([
    [40, 90, 20_000],
    [10, 10, 5000],
  ]);
  const profile = { stages, spacing: "poisson", seed: 3 } as const;
  const all = [...arrivals({ ...profile, shard: ALONE })].length;
  for (const shard of [
    ALONE,
    { index: 0, count: 3 },
    { index: 180, count: 380 },
    { index: 9000, count: 9900 },
  ])
    for (const steps of [1, 7, 100, 100_000]) {
      const paced = [...pacedArrivals({ ...profile, shard, steps })];
      assert.deepEqual(
        paced.filter((one) => one !== null),
        [...arrivals({ ...profile, shard })],
      );
      const pauses = paced.filter((one) => one === null).length;
      assert.equal(pauses, Math.floor(all / steps), `${steps} steps, one in ${shard.count}`);
    }
});
