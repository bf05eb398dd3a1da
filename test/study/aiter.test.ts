import assert from "node:assert/strict";
import { test } from "node:test";
import { varianceTest, varianceTestOverLevels, welchInterval } from "@tokenstorm/core";
import { type AbLevel, aiterTables, createRuns } from "./aiter.js";
import { readPublished } from "./data.js";

// Repeats of the study's A/B, five runs a side, on the engine and a client of no cost: ten thousand runs of the whole client
// would take hours. A run's noise is one factor on all its steps, so four tokens show it as well as 512 would.
const REPEATS = 200;
const FIRST_SEED = 20_000;
const RUNS = 5;
const OFF_COV = 0.002;
const ON_COVS = [0.01, 0.04, 0.05];

const { levels } = readPublished().aiter_ablation;
const { off, on } = aiterTables();

interface Sides {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

/** Of the study's levels one for each number that really was in flight; the three from 100 up are one and the same burst. */
const shapes = levels
  .map((level) => ({
    level,
    shape: { users: level.inferred_max_in_flight, requests: level.inferred_max_in_flight },
  }))
  .filter(({ level }) => ![100, 500].includes(level.nominal_concurrency));

const kept = new Map<string, readonly Sides[]>();

/** Two hundred repeats at a level, made once. */
function repeatsOf(shape: AbLevel, onCov: number): readonly Sides[] {
  const name = `${shape.users} ${onCov}`;
  const found = kept.get(name) ?? makeRepeats(shape, onCov);
  kept.set(name, found);
  return found;
}

function makeRepeats(shape: AbLevel, onCov: number): readonly Sides[] {
  const withoutAiter = createRuns({ decodeStepMs: off, runNoiseCov: OFF_COV }, shape);
  const withAiter = createRuns({ decodeStepMs: on, runNoiseCov: onCov }, shape);
  return Array.from({ length: REPEATS }, (_, repeat) => {
    // No two levels share a server: each has seeds of its own.
    const seed = FIRST_SEED + 10_000 * shape.users + repeat * 2 * RUNS;
    const runs = (run: (seed: number) => number, from: number) =>
      Array.from({ length: RUNS }, (_, i) => run(from + i));
    return { a: runs(withoutAiter, seed), b: runs(withAiter, seed + RUNS) };
  });
}

/** How many Welch intervals hold the difference, % of the mean without AITER. */
function holding(repeats: readonly Sides[], differencePct: number): number {
  return repeats.filter(({ a, b }) => {
    const welch = welchInterval(a, b);
    assert.ok(welch.kind === "interval");
    const mean = a.reduce((sum, value) => sum + value, 0) / a.length;
    const [low, high] = [(100 * welch.low) / mean, (100 * welch.high) / mean];
    return low <= differencePct && differencePct <= high;
  }).length;
}

for (const { level, shape } of shapes) {
  test(`the published AITER difference at ${level.nominal_concurrency} lies in 180 to 199 of 200 Welch intervals`, (t) => {
    for (const onCov of ON_COVS) {
      const inside = holding(repeatsOf(shape, onCov), level.diff_pct);
      const text = `${level.diff_pct} % in ${inside} of ${REPEATS} at a CoV of ${100 * onCov} %, seeds from ${FIRST_SEED}`;
      assert.ok(inside >= 180 && inside <= 199, text);
      t.diagnostic(text);
    }
  });
}

test("one burst of a hundred has one difference: of the three published for it, a small spread holds only that at 200", (t) => {
  const repeats = repeatsOf({ users: 100, requests: 100 }, 0.01);
  const found = levels
    .filter((level) => level.inferred_max_in_flight === 100)
    .map(({ nominal_concurrency, diff_pct }) => [nominal_concurrency, holding(repeats, diff_pct)] as const);
  t.diagnostic(found.map(([level, inside]) => `${level}: ${inside} of ${REPEATS}`).join(", "));
  assert.deepEqual(
    found.map(([level, inside]) => [level, inside >= 180]),
    [
      [100, false],
      [200, true],
      [500, false],
    ],
  );
});

test("the larger spread with AITER on is found over the ladder, and none is found where there is none", (t) => {
  // Each level of a ladder with a spread of 1, 4 or 5 % beside 0.2 %.
  const byLevel = shapes.map(({ shape }, i) => repeatsOf(shape, ON_COVS[i % ON_COVS.length] ?? 0));
  const finds = (ladder: readonly Sides[]): boolean => {
    const test = varianceTestOverLevels(ladder);
    return test.kind === "test" && test.pValue < 0.05;
  };
  const ladders = Array.from({ length: REPEATS }, (_, r) => byLevel.flatMap((repeats) => repeats[r] ?? []));
  const found = ladders.filter(finds).length;
  // Servers without AITER against others without AITER.
  const equal = ladders.map((ladder, r) =>
    ladder.map(({ a }, i) => ({ a, b: byLevel[i]?.[(r + 1) % REPEATS]?.a ?? [] })),
  );
  const falsely = equal.filter(finds).length;
  const single = ladders.flat().filter(({ a, b }) => {
    const test = varianceTest(a, b);
    return test.kind === "test" && test.pValue < 0.05;
  }).length;
  const text = `found in ${found} of ${REPEATS}, falsely in ${falsely}; at a single level in ${single} of ${ladders.flat().length}`;
  t.diagnostic(`${text}, seeds from ${FIRST_SEED}`);
  assert.ok(found >= 190, text);
  // At a level of 5 % ten are due; three standard errors more are twenty.
  assert.ok(falsely <= 20, text);
});
