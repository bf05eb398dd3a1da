import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../measure/testing/seeded.js";
import { type SaturationLevel, saturationEstimate } from "./saturation-estimate.js";

/** Milliseconds of a step by sequences in it, from the study's published rows; beyond the last the slope is kept. */
const STEPS: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  llama: [
    [1, 25.1],
    [10, 31.4],
    [50, 38.9],
    [100, 50.3],
    [150, 59.4],
    [200, 73],
    [300, 91.5],
    [450, 120.5],
  ],
  qwen: [
    [1, 16.5],
    [10, 18.4],
    [50, 24.8],
    [100, 31],
    [150, 42.3],
    [200, 44.7],
    [300, 52.7],
    [450, 62.4],
  ],
  kimi: [
    [1, 130],
    [10, 152],
    [50, 291.8],
    [100, 358.3],
    [450, 415],
  ],
  deepseek: [
    [1, 42.5],
    [10, 44],
    [50, 51],
    [100, 59],
    [450, 122],
  ],
};

function stepMs(table: readonly (readonly [number, number])[], sequences: number): number {
  const at = Math.max(
    1,
    table.findIndex(([n]) => n >= sequences),
  );
  const i = table.some(([n]) => n >= sequences) ? at : table.length - 1;
  const [[n0, t0], [n1, t1]] = [table[i - 1] ?? [0, 0], table[i] ?? [1, 1]];
  return t0 + ((sequences - n0) * (t1 - t0)) / (n1 - n0);
}

const LADDER = [1, 10, 50, 100, 200, 500, 750, 1000];
/** Tokens of an answer. */
const LENGTH = 128;

/** A closed load on a server that takes up to `limit` at a time; five repeats. */
function ladder(
  table: readonly (readonly [number, number])[],
  options: {
    readonly users?: readonly number[];
    readonly limit?: number;
    readonly cov?: number;
    readonly random?: () => number;
    readonly isTimed?: boolean;
  },
): SaturationLevel[] {
  const { users = LADDER, limit = Number.POSITIVE_INFINITY, cov = 0, random = () => 0.5, isTimed } = options;
  // Sums of twelve uniform numbers are close enough to normal.
  const normal = () => Array.from({ length: 12 }, random).reduce((sum, one) => sum + one, -6);
  return users.map((inFlight) => {
    const served = Math.min(limit, inFlight);
    const exact = served / stepMs(table, served);
    const throughput = Array.from({ length: 5 }, () => exact * (1 + cov * normal()));
    const waitingShare = 1 - (served / inFlight) * (1 - 1 / LENGTH);
    return {
      inFlight,
      throughput,
      success: 1,
      ...(isTimed === true ? { waitingShares: [waitingShare] } : {}),
    };
  });
}

test("the calibration tables keep growing, so that none is found up to 1,000", () => {
  for (const [name, table] of Object.entries(STEPS)) {
    for (const users of [LADDER, [1, 10, 100, 500, 1000], [100, 200, 400, 1000]]) {
      const found = saturationEstimate(ladder(table, { users }));
      assert.equal(found.kind, "none", `${name} ${users}: ${JSON.stringify(found)}`);
      assert.ok(found.kind === "none" && found.upTo === 1000, name);
      assert.match(
        found.sentence,
        /^None found up to 1,000 in flight: from \d+ to 1,000 in flight the throughput grew by/,
      );
    }
  }
});

test("a limit of 256 sequences is found within a tenth, on every profile, with times to tell waiting from being served", () => {
  for (const [name, table] of Object.entries(STEPS)) {
    for (const users of [LADDER, [1, 10, 100, 500, 1000], [300, 500, 1000], [200, 250, 300, 500, 1000]]) {
      const found = saturationEstimate(ladder(table, { users, limit: 256, isTimed: true }));
      const where = `${name} ${users}: ${JSON.stringify(found)}`;
      assert.ok(found.kind === "found", where);
      assert.ok(Math.abs(found.inFlight / 256 - 1) < 0.1, where);
      assert.ok(found.low <= 256 && found.high >= 250, where);
      assert.equal(found.by, "service", where);
    }
  }
});

test("without such times the rising levels are continued to the plateau, and the interval holds the limit", () => {
  for (const [name, table] of Object.entries(STEPS)) {
    for (const users of [
      LADDER,
      [1, 10, 50, 100, 150, 200, 300, 500, 1000],
      [50, 100, 200, 250, 300, 500, 1000],
    ]) {
      const found = saturationEstimate(ladder(table, { users, limit: 256 }));
      const where = `${name} ${users}: ${JSON.stringify(found)}`;
      assert.ok(found.kind === "found" && found.by === "crossing", where);
      assert.ok(found.low <= 256 * 1.001 && found.high >= 256 * 0.999, where);
      assert.ok(Math.abs(found.inFlight / 256 - 1) < 0.1, where);
    }
  }
});

test("noise between repeats widens the interval and does not move the answer", () => {
  let held = 0;
  let told = 0;
  for (let seed = 1; seed <= 200; seed += 1) {
    const options = { cov: 0.01, random: seeded(seed), users: [10, 50, 100, 150, 200, 300, 500, 750, 1000] };
    const found = saturationEstimate(ladder(STEPS["llama"] ?? [], { ...options, limit: 256 }));
    assert.notEqual(found.kind, "none", `seed ${seed}: ${JSON.stringify(found)}`);
    if (found.kind !== "found") continue;
    told += 1;
    if (found.low <= 256 && found.high >= 256) held += 1;
    const none = saturationEstimate(ladder(STEPS["qwen"] ?? [], options));
    assert.notEqual(none.kind, "found", `seed ${seed}: ${JSON.stringify(none)}`);
  }
  assert.ok(told >= 180, `${told} of 200 told`);
  assert.ok(held >= 0.95 * told, `${held} of ${told} intervals hold 256`);
});

test("levels that differ in their labels alone are one level: the compatible form cannot find a saturation", () => {
  // A hundred requests a level: never more than 100 in flight.
  const table = STEPS["llama"] ?? [];
  const levels = [10, 50, 100, 200, 500, 750, 1000].map((users) =>
    ladder(table, { users: [Math.min(users, 100)] }),
  );
  const found = saturationEstimate(levels.flat());
  assert.ok(found.kind === "none" && found.upTo === 100, JSON.stringify(found));
});

test("a limit between the last two levels is not passed over where its queue shows", () => {
  const levels = ladder(STEPS["llama"] ?? [], { users: [50, 100, 200, 300], limit: 256, isTimed: true });
  const found = saturationEstimate(levels);
  assert.ok(found.kind === "none" && found.upTo === 200, JSON.stringify(found));
  assert.match(found.sentence, /None found up to 200 in flight: .* a higher level would tell/);
});

test("a level under the limit is not taken for a part of the plateau because throughput hardly grew from it", () => {
  // Step times that leave little to gain, so that a line through 400 to 1,000 passes for flat.
  const rates = [294.9, 394.2, 411.1, 416.7, 414.3];
  const levels = [200, 400, 600, 800, 1000].map((inFlight, i) => ({
    inFlight,
    throughput: [0.999, 1, 1.001].map((factor) => factor * (rates[i] ?? 0)),
    waitingShares: [1 - Math.min(1, 500 / inFlight) * 0.993],
  }));
  const found = saturationEstimate(levels);
  assert.ok(found.kind === "found" && found.by === "service", JSON.stringify(found));
  assert.ok(Math.abs(found.inFlight / 500 - 1) < 0.02, JSON.stringify(found));
});

test("where throughput had stopped growing long before the limit, that is where it ends, and the limit is told", () => {
  // A step takes as much longer as there are more sequences in it.
  const levels = [10, 25, 50, 100, 200, 400, 600, 1000].map((inFlight) => ({
    inFlight,
    throughput: [0.999, 1, 1.001].map((factor) => factor * Math.min(2 * inFlight, 120)),
    waitingShares: [1 - Math.min(1, 300 / inFlight) * 0.99],
  }));
  const found = saturationEstimate(levels);
  assert.ok(found.kind === "found" && found.by === "crossing", JSON.stringify(found));
  assert.ok(found.low <= 60 && found.high >= 60 && found.high <= 110, JSON.stringify(found));
  assert.match(found.sentence, /the server served about 297 at once \(by how long requests waited\)/);
});

test("the server's own count of running requests goes before times, unless it is more than were in flight", () => {
  const users = [100, 200, 400, 600, 1000];
  const timed = ladder(STEPS["llama"] ?? [], { users, limit: 256, isTimed: true });
  const withRunning = (of: (users: number) => number) =>
    saturationEstimate(timed.map((level) => ({ ...level, serverRunning: [of(level.inFlight)] })));
  const own = withRunning((inFlight) => Math.min(240, inFlight));
  assert.ok(own.kind === "found" && Math.round(own.inFlight) === 240, JSON.stringify(own));
  assert.match(own.sentence, /by its own count/);
  const others = withRunning((inFlight) => Math.min(240, inFlight) + 800);
  assert.ok(others.kind === "found" && Math.round(others.inFlight) === 254, JSON.stringify(others));
  assert.match(others.sentence, /by how long requests waited/);
});

test("the interval of a limit is one over repeats: it grows with what they differ by", () => {
  const users = [100, 200, 400, 600, 1000];
  const interval = (spread: number) => {
    const levels = ladder(STEPS["llama"] ?? [], { users, limit: 256 }).map((level) => ({
      ...level,
      serverRunning: [1 - spread, 1, 1 + spread].map(
        (factor) => factor * Math.min(256, 0.99 * level.inFlight),
      ),
    }));
    const found = saturationEstimate(levels);
    assert.ok(found.kind === "found" && Math.round(found.inFlight) === 256, JSON.stringify(found));
    return found.high - found.low;
  };
  assert.ok(interval(0) < 0.01 * 256);
  // Three levels with three values each and a deviation of 2 %; Student's t of ten degrees.
  const wide = interval(0.02);
  assert.ok(wide > 0.03 * 256 && wide < 0.06 * 256, String(wide));
});

test("a single rising level leaves open where the plateau begins", () => {
  const levels = [
    [100, 1950],
    [200, 2500],
    [400, 2480],
    [1000, 2490],
  ].map(([inFlight = 0, rate = 0]) => ({ inFlight, throughput: [rate * 0.995, rate, rate * 1.005] }));
  const found = saturationEstimate(levels);
  assert.ok(found.kind === "found", JSON.stringify(found));
  assert.ok(found.low <= 130 && found.high >= 200, JSON.stringify(found));
});

test("throughput that falls past the limit is past it too", () => {
  const levels = [
    [50, 1000],
    [100, 1800],
    [200, 3000],
    [400, 2900],
    [800, 2500],
  ].map(([inFlight = 0, rate = 0]) => ({ inFlight, throughput: [rate * 0.995, rate, rate * 1.005] }));
  const found = saturationEstimate(levels);
  assert.ok(found.kind === "found", JSON.stringify(found));
  assert.ok(found.inFlight >= 200 && found.inFlight <= 400, JSON.stringify(found));
});

test("what cannot be told is said in a sentence", () => {
  const flat = [100, 200, 400].map((inFlight) => ({ inFlight, throughput: [50, 50, 50] }));
  assert.equal(saturationEstimate(flat).kind, "at-most");
  const one = saturationEstimate([{ inFlight: 100, throughput: [5, 6] }]);
  assert.ok(one.kind === "unknown" && one.because.includes("different"), JSON.stringify(one));
  const noisy = saturationEstimate(
    [100, 200, 400].map((inFlight) => ({ inFlight, throughput: [20, 100, 60 + inFlight / 100] })),
  );
  assert.ok(
    noisy.kind === "unknown" && noisy.because.includes("neither flat nor growth"),
    JSON.stringify(noisy),
  );
  const failed = saturationEstimate(
    [100, 200].map((inFlight) => ({ inFlight, throughput: [50], success: 0.2 })),
  );
  assert.ok(
    failed.kind === "unknown" && failed.because.includes("2 of 2 levels left out"),
    JSON.stringify(failed),
  );
  assert.equal(saturationEstimate([]).kind, "unknown");
  const single = saturationEstimate([10, 20, 40].map((inFlight) => ({ inFlight, throughput: [inFlight] })));
  assert.ok(
    single.kind === "none" && single.sentence.includes("a spread of 1 % was assumed"),
    JSON.stringify(single),
  );
});
