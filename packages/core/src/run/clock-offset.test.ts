import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClockExchange, estimateOffset } from "./clock-offset.js";

/** Numbers in [0, 1) that a seed repeats. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

function exchange(options: {
  offsetUs: number;
  outUs: number;
  backUs: number;
  atUs?: number;
}): ClockExchange {
  const t0 = options.atUs ?? 1_000_000;
  const t1 = t0 + options.outUs + options.offsetUs;
  const t2 = t1 + 20;
  return { t0, t1, t2, t3: t2 - options.offsetUs + options.backUs };
}

test("symmetric ways give the offset exactly, with half the round trip as its bound, and what clocks part by meanwhile", () => {
  const one = exchange({ offsetUs: -7_000_000, outUs: 10_000, backUs: 10_000 });
  // 1,000 ppm of half of 20,020 us.
  const found = { offsetUs: -7_000_000, errorUs: 10_011, rttUs: 20_000, atUs: 1_010_010 };
  assert.deepEqual(estimateOffset([one]), found);
});

test("slow exchanges have no say", () => {
  const fast = [1, 2].map(() => exchange({ offsetUs: 500, outUs: 50, backUs: 50 }));
  const slow = [1, 2, 3, 4, 5, 6].map((i) => exchange({ offsetUs: 500, outUs: 9000 * i, backUs: 10 }));
  assert.deepEqual(estimateOffset([...slow, ...fast]), {
    offsetUs: 500,
    errorUs: 51,
    rttUs: 100,
    atUs: 1_000_060,
  });
});

test("the true offset lies within the bound, however lopsided the ways are", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = numbers(seed);
    const offsetUs = Math.round((random() - 0.5) * 1e12);
    const exchanges = Array.from({ length: 16 }, (_, i) =>
      exchange({
        offsetUs,
        outUs: Math.round(random() * 2000),
        backUs: Math.round(random() ** 3 * 20_000),
        atUs: i * 1000,
      }),
    );
    const found = estimateOffset(exchanges);
    const shortest = Math.min(...exchanges.map(({ t0, t1, t2, t3 }) => t3 - t0 - (t2 - t1)));
    assert.ok(Math.abs(found.offsetUs - offsetUs) <= found.errorUs, `seed ${seed}: ${JSON.stringify(found)}`);
    // All of them lie within 40 ms.
    assert.ok(found.errorUs <= Math.ceil(shortest / 2 + 20), `seed ${seed}: ${JSON.stringify(found)}`);
  }
});

test("where exchanges contradict each other the shortest decides", () => {
  const drifted = [
    exchange({ offsetUs: 0, outUs: 10, backUs: 10 }),
    exchange({ offsetUs: 1000, outUs: 15, backUs: 15 }),
    ...[1, 2, 3, 4, 5, 6].map(() => exchange({ offsetUs: 0, outUs: 5000, backUs: 5000 })),
  ];
  assert.deepEqual(estimateOffset(drifted), {
    offsetUs: 0,
    errorUs: 11,
    rttUs: 20,
    atUs: 1_000_025,
  });
});
