import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outlier } from "../run/report.js";
import { emptyDue, emptyFlow } from "./counts.js";
import { createHistogram } from "./hdr-histogram.js";
import { MemberFold } from "./member-fold.js";
import { findOutliers, type Member } from "./outliers.js";
import type { Block } from "./snapshot.js";
import { seeded } from "./testing/seeded.js";

const MS = 1000;

interface Draw {
  readonly requests: number;
  /** Times that of the others. */
  readonly slower?: number;
  readonly failed?: number;
}

/** Requests whose latencies are log-normal about 40 ms (TTFT), 20 ms (ITL, ten of each) and 300 ms (E2E). */
function member(id: string, random: () => number, { requests, slower = 1, failed = 0 }: Draw): Member {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const drawn = (medianUs: number, sigma: number) =>
    Math.round(medianUs * slower * Math.exp(sigma * normal()));
  const [ttft, itl, e2e] = [createHistogram(), createHistogram(), createHistogram()];
  for (let i = 0; i < requests; i += 1) {
    ttft.record(drawn(40 * MS, 0.6));
    itl.record(drawn(20 * MS, 0.3), 10);
    e2e.record(drawn(300 * MS, 0.4));
  }
  const block: Block = {
    stage: 0,
    phase: "measured",
    flow: emptyFlow(),
    due: { ...emptyDue(), offered: requests + failed, completed: requests, failed: { empty: failed } },
    histograms: { ttft: ttft.encode(), itl: itl.encode(), e2e: e2e.encode() },
  };
  const folded = new MemberFold();
  folded.addBlock(block);
  return { id, folded };
}

const named = (outliers: readonly Outlier[]) =>
  [...new Set(outliers.map(({ id, figure }) => `${id} ${figure}`))].sort();

test("equal members are never named, however they were drawn", () => {
  let comparisons = 0;
  for (let seed = 1; seed <= 150; seed += 1) {
    const random = seeded(seed);
    const count = 2 + Math.floor(random() * 9);
    const requests = 20 + Math.floor(random() * 700);
    const failed = Math.floor(random() * 4);
    const members = Array.from({ length: count }, (_, i) => member(`m${i}`, random, { requests, failed }));
    comparisons += count * 7;
    assert.deepEqual(named(findOutliers("agent", members)), [], `seed ${seed}`);
  }
  assert.ok(comparisons > 4000, `${comparisons}`);
});

test("one that is three times slower is named by each of its figures, and nobody else is", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = seeded(seed);
    const count = 2 + (seed % 8);
    const members = Array.from({ length: count }, (_, i) =>
      member(`m${i}`, random, { requests: 200, slower: i === 1 ? 3 : 1 }),
    );
    const expected = ["m1 e2e.p50", "m1 itl.p50", "m1 ttft.p50"];
    assert.deepEqual(named(findOutliers("target", members)), expected, `seed ${seed}`);
  }
});

test("one that is faster is named among several, and of two only the slower one is", () => {
  const random = seeded(5);
  const fast = (i: number) => ({ requests: 200, slower: i === 0 ? 0.3 : 1 });
  const several = [0, 1, 2, 3].map((i) => member(`m${i}`, random, fast(i)));
  assert.deepEqual(named(findOutliers("target", several)), ["m0 e2e.p50", "m0 itl.p50", "m0 ttft.p50"]);
  const two = [0, 1].map((i) => member(`m${i}`, random, fast(i)));
  assert.deepEqual(named(findOutliers("target", two)), ["m1 e2e.p50", "m1 itl.p50", "m1 ttft.p50"]);
});

test("where half are slow there is no middle, and the slow ones alone are named", () => {
  const random = seeded(6);
  const members = [1, 1, 3, 3].map((slower, i) => member(`m${i}`, random, { requests: 300, slower }));
  const ids = new Set(findOutliers("agent", members).map(({ id }) => id));
  assert.deepEqual([...ids].sort(), ["m2", "m3"]);
});

test("a difference that moves no conclusion names nobody, nor does one among members that all differ", () => {
  const random = seeded(9);
  const of = (slower: readonly number[]) =>
    findOutliers(
      "agent",
      slower.map((one, i) => member(`m${i}`, random, { requests: 4000, slower: one })),
    );
  assert.deepEqual(named(of([1, 1, 1, 1.15])), [], "certain, and small");
  assert.deepEqual(named(of([1, 1.35, 0.7, 1.6, 0.8, 1.2, 1.75])), [], "one among many that vary");
  assert.equal(of([1, 1, 1, 1.75]).length, 6);
});

test("tails are compared only where there are requests enough, and the worst figure comes first", () => {
  const random = seeded(7);
  const of = (requests: number) =>
    [1, 1, 1, 4].map((slower, i) => member(`m${i}`, random, { requests, slower }));
  const few = findOutliers("agent", of(499));
  assert.ok(few.length === 3 && few.every(({ figure }) => figure.endsWith("p50")));
  const many = findOutliers("agent", of(3000));
  assert.equal(many.length, 6);
  const ratios = many.map(({ value, others }) => value / others);
  assert.deepEqual(
    ratios,
    ratios.toSorted((a, b) => b - a),
  );
  assert.deepEqual(
    findOutliers(
      "agent",
      [1, 1, 1, 4].map((slower, i) => member(`m${i}`, random, { requests: 19, slower })),
    ),
    [],
  );
});

test("one that fails more often than the others is named, chance and single failures are not", () => {
  const random = seeded(8);
  const failures = (counts: readonly number[]) =>
    findOutliers(
      "target",
      counts.map((failed, i) => member(`m${i}`, random, { requests: 200, failed })),
    );
  assert.deepEqual(failures([4, 0, 0, 0]), [], "four failures say nothing");
  assert.deepEqual(failures([9, 6, 7, 5]), [], "all fail alike");
  assert.deepEqual(failures([6, 2, 2, 2]), [], "three times as many, and so few that it may be chance");
  const [one, ...more] = failures([40, 2, 0, 3]);
  assert.deepEqual([one?.id, one?.figure, more], ["m0", "failures.share", []]);
  assert.ok(one !== undefined && one.value === 40 / 240 && one.others < 0.02);
  assert.deepEqual(named(failures([30, 28, 0, 0, 1])), ["m0 failures.share", "m1 failures.share"]);
});
