import assert from "node:assert/strict";
import { test } from "node:test";
import {
  binomialCdf,
  coefficientOfVariation,
  varianceTest,
  varianceTestOverLevels,
  welchInterval,
} from "@tokenstorm/core";
import { inOtherState, profiles, runFactor } from "@tokenstorm/simulator";
import { type AbLevel, aiterLoads, aiterTables, createRuns } from "./aiter.js";
import { readPublished } from "./data.js";

// Repeats of the study's A/B, five runs a side, on the engine and a client of no cost: ten thousand runs of the whole client
// would take hours. A run's noise is one factor on all its steps, so four tokens show it as well as 512 would.
const REPEATS = 200;
const FIRST_SEED = 20_000;
const RUNS = 5;
const { off: OFF_COV = 0, on: ON_COV = 0 } = profiles["llama-3.1-405b"].runNoiseCov;
/** What is published of the spread with AITER on: 1 to 5 %, not said at which level. The calibration's own lies between. */
const ON_COVS = [0.01, ON_COV, 0.05];

const loads = aiterLoads(readPublished());
const burst = loads.find(({ inFlight }) => inFlight === 100) ?? assert.fail("no burst of a hundred");
const { off, on } = aiterTables();

interface Sides {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

const shapeOf = (inFlight: number): AbLevel => ({ users: inFlight, requests: inFlight });
const kept = new Map<string, readonly Sides[]>();

/** Two hundred repeats at a load, made once. */
function repeatsOf(shape: AbLevel, onCov: number): readonly Sides[] {
  const name = `${shape.users} ${onCov}`;
  const found = kept.get(name) ?? makeRepeats(shape, onCov);
  kept.set(name, found);
  return found;
}

function makeRepeats(shape: AbLevel, onCov: number): readonly Sides[] {
  const withoutAiter = createRuns({ decodeStepMs: off, runNoiseCov: OFF_COV }, shape);
  const withAiter = createRuns({ decodeStepMs: on, runNoiseCov: onCov }, shape);
  return sidesFrom(FIRST_SEED + 10_000 * shape.users, REPEATS, { a: withoutAiter, b: withAiter });
}

/** No two sides share a server: each run has a seed of its own. */
function sidesFrom(
  firstSeed: number,
  repeats: number,
  run: Readonly<Record<"a" | "b", (seed: number) => number>>,
): Sides[] {
  return Array.from({ length: repeats }, (_, repeat) => {
    const seed = firstSeed + repeat * 2 * RUNS;
    const runs = (of: (seed: number) => number, from: number) =>
      Array.from({ length: RUNS }, (_, i) => of(from + i));
    return { a: runs(run.a, seed), b: runs(run.b, seed + RUNS) };
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

/** What must hold: 180 to 199 of 200, whatever approximation one would use for the share. */
const isPoint = (inside: number): boolean => inside >= 180 && inside <= 199;

for (const { inFlight, rows } of loads) {
  test(`each AITER difference published for ${inFlight} in flight lies in 180 to 199 of 200 Welch intervals`, (t) => {
    for (const { nominal_concurrency, diff_pct } of rows) {
      const inside = holding(repeatsOf(shapeOf(inFlight), ON_COV), diff_pct);
      const text = `row ${nominal_concurrency}, ${diff_pct} %: ${inside} of ${REPEATS}, seeds from ${FIRST_SEED}`;
      t.diagnostic(text);
      assert.ok(isPoint(inside), text);
    }
  });
}

/** Where all steps of a run have one factor, its throughput is that of a run without noise over the factor. */
function byFactor({ seed, cov, exact }: { seed: number; cov: number; exact: number }): number {
  return exact / runFactor({ seed, runNoiseCov: cov });
}

test("that is no luck of the seeds: nearly all of a hundred blocks of 200 repeats come out so, at each published spread", (t) => {
  const BLOCKS = 100;
  for (const { inFlight, rows, differencePct } of loads) {
    const shape = shapeOf(inFlight);
    const noiseless = (decodeStepMs: typeof on) => createRuns({ decodeStepMs, runNoiseCov: 0 }, shape)(1);
    const exact = { a: noiseless(off), b: noiseless(on) };
    for (const cov of ON_COVS) {
      const run = {
        a: (seed: number) => byFactor({ seed, cov: OFF_COV, exact: exact.a }),
        b: (seed: number) => byFactor({ seed, cov, exact: exact.b }),
      };
      // The engine's own run says the same.
      const ofEngine = createRuns({ decodeStepMs: on, runNoiseCov: cov }, shape)(FIRST_SEED);
      assert.ok(Math.abs(run.b(FIRST_SEED) / ofEngine - 1) < 1e-6);
      // At 1 % the rows of the burst exclude one another: there their mean is what can hold.
      const told = cov < ON_COV ? [differencePct] : rows.map(({ diff_pct }) => diff_pct);
      const repeats = sidesFrom(5_000_000 + 1_000_000 * inFlight, BLOCKS * REPEATS, run);
      for (const published of told) {
        const counts = Array.from({ length: BLOCKS }, (_, i) =>
          holding(repeats.slice(i * REPEATS, (i + 1) * REPEATS), published),
        );
        const share = counts.reduce((sum, count) => sum + count, 0) / (BLOCKS * REPEATS);
        const good = counts.filter(isPoint).length;
        const text = `${inFlight} in flight, ${published.toFixed(2)} % at a CoV of ${100 * cov} %: in ${(100 * share).toFixed(1)} % of the intervals, ${good} of ${BLOCKS} blocks`;
        t.diagnostic(text);
        assert.ok(good >= 97, text);
        // As many blocks as the binomial distribution lets expect of this share, and no fewer.
        const chance = binomialCdf(199, REPEATS, share) - binomialCdf(179, REPEATS, share);
        assert.ok(chance > 0.98, text);
      }
    }
  }
});

test("the three rows of one burst ask for a spread with AITER on of about 1.7 %, and 1 % does not hold all of them", (t) => {
  // Each row is a mean of five runs, so that runs spread by the root of five more.
  const spread = (values: readonly number[]) => {
    const cov = coefficientOfVariation(values);
    assert.ok(cov.kind === "value");
    return {
      cov: cov.cov * Math.sqrt(RUNS),
      low: cov.low === null ? 0 : cov.low * Math.sqrt(RUNS),
      high: cov.high === null ? Number.POSITIVE_INFINITY : cov.high * Math.sqrt(RUNS),
    };
  };
  const [withAiter, without] = [
    spread(burst.rows.map((row) => row.on_tok_s)),
    spread(burst.rows.map((row) => row.off_tok_s)),
  ];
  const text = ({ cov, low, high }: typeof withAiter) =>
    `${(100 * cov).toFixed(2)} % (${(100 * low).toFixed(2)} to ${(100 * high).toFixed(1)} %)`;
  t.diagnostic(`on ${text(withAiter)}, off ${text(without)}`);
  assert.ok(withAiter.cov > 0.016 && withAiter.cov < 0.018, text(withAiter));
  // The calibration's are not contradicted.
  assert.ok(withAiter.low < ON_COV && ON_COV < withAiter.high, text(withAiter));
  assert.ok(without.low < 0.003 && OFF_COV < without.high, text(without));
  const inside = burst.rows.map((row) => [
    row.nominal_concurrency,
    holding(repeatsOf(shapeOf(100), 0.01), row.diff_pct),
  ]);
  t.diagnostic(`at a CoV of 1 %: ${inside.map(([level, count]) => `${level}: ${count}`).join(", ")}`);
  assert.ok(
    inside.some(([, count]) => (count ?? 0) < 180),
    JSON.stringify(inside),
  );
});

test("the calibration's 0.97 for the burst is a gain of 3.09 %, below the 3.88 % that its three rows come to", (t) => {
  const coarse = inOtherState(off, [[100, 0.97]]);
  const exact = (decodeStepMs: typeof on) => createRuns({ decodeStepMs, runNoiseCov: 0 }, shapeOf(100))(1);
  const gain = (table: typeof on) => 100 * (exact(table) / exact(off) - 1);
  t.diagnostic(`${gain(coarse).toFixed(2)} % by the calibration, ${gain(on).toFixed(2)} % by the rows`);
  assert.ok(Math.abs(gain(coarse) - 3.09) < 0.01 && Math.abs(gain(on) - burst.differencePct) < 0.01);
  const repeats = sidesFrom(FIRST_SEED, REPEATS, {
    a: createRuns({ decodeStepMs: off, runNoiseCov: OFF_COV }, shapeOf(100)),
    b: createRuns({ decodeStepMs: coarse, runNoiseCov: 0.01 }, shapeOf(100)),
  });
  const inside = holding(repeats, burst.differencePct);
  t.diagnostic(`at a CoV of 1 % the mean of the rows lies in ${inside} of ${REPEATS} of its intervals`);
  assert.ok(inside < 180, String(inside));
});

test("the larger spread with AITER on is found over the ladder, and none is found where there is none", (t) => {
  // Each level of a ladder with a spread of 1, 4 or 5 % beside 0.2 %.
  const byLevel = loads.map(({ inFlight }, i) =>
    repeatsOf(shapeOf(inFlight), ON_COVS[i % ON_COVS.length] ?? 0),
  );
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
  // At a level of 5 % ten are due; by the binomial distribution more than twenty come about once in a thousand.
  assert.ok(falsely <= 20 && 1 - binomialCdf(20, REPEATS, 0.05) < 0.002, text);
});
