import assert from "node:assert/strict";
import { test } from "node:test";
import type { LevelOutcome } from "./judge-level.js";
import { carriedRate, lowestCapacity, nextRate, type RateLadder, type Trial } from "./rate-search.js";

const LADDER: RateLadder = {
  rates: [3_000, 6_000, 12_000, 18_000, 24_000, 36_000, 48_000, 72_000],
  firstEventsPerS: 12_000,
};

type Host = (askedEventsPerS: number) => LevelOutcome;

const trialOf = (
  askedEventsPerS: number,
  outcome: LevelOutcome,
  { isClientClean = outcome === "clean", eventsPerS = askedEventsPerS } = {},
): Trial => ({ askedEventsPerS, eventsPerS, outcome, isClientClean });

/** A search to its end on a host that answers so. */
function searchOn(host: Host, ladder = LADDER): { tried: number[]; carried: ReturnType<typeof carriedRate> } {
  const trials: Trial[] = [];
  for (
    let rate = nextRate(ladder, trials);
    rate !== null && trials.length < 100;
    rate = nextRate(ladder, trials)
  )
    trials.push(trialOf(rate, host(rate)));
  return { tried: trials.map((trial) => trial.askedEventsPerS), carried: carriedRate(trials) };
}

const upTo =
  (limit: number, beyond: LevelOutcome = "unclean"): Host =>
  (rate) =>
    rate <= limit ? "clean" : beyond;

const HOSTS: readonly { what: string; host: Host; tried: number[]; carried: [number, boolean] }[] = [
  {
    what: "the climb ends at two unclean levels, and the gap below them is looked into once",
    host: upTo(30_000),
    tried: [12_000, 18_000, 24_000, 36_000, 48_000, 29_500],
    carried: [29_500, false],
  },
  {
    what: "where the middle of the gap is unclean too, the level below it stands",
    host: upTo(24_000),
    tried: [12_000, 18_000, 24_000, 36_000, 48_000, 29_500],
    carried: [24_000, false],
  },
  {
    what: "a slow host is searched downwards, and its gap looked into until it is narrow",
    host: upTo(4_000),
    tried: [12_000, 6_000, 3_000, 4_000, 5_000],
    carried: [4_000, false],
  },
  {
    what: "one unclean level between clean ones is the host's doing",
    host: (rate) => (rate === 24_000 ? "unclean" : upTo(36_000)(rate)),
    tried: [12_000, 18_000, 24_000, 36_000, 48_000, 72_000, 41_500],
    carried: [36_000, false],
  },
  {
    what: "a server that is the limit ends the climb, and more may be carried",
    host: upTo(18_000, "server-limited"),
    tried: [12_000, 18_000, 24_000, 36_000, 21_000],
    carried: [18_000, true],
  },
  {
    what: "a host that carries everything carries at least the highest rate",
    host: upTo(1_000_000),
    tried: [12_000, 18_000, 24_000, 36_000, 48_000, 72_000],
    carried: [72_000, true],
  },
  {
    what: "a host on which nothing is clean carries nothing, and is known to",
    host: upTo(0),
    tried: [12_000, 6_000, 3_000],
    carried: [0, false],
  },
];

for (const { what, host, tried, carried } of HOSTS) {
  test(what, () => {
    const found = searchOn(host);
    assert.deepEqual(found.tried, tried);
    assert.deepEqual([found.carried.eventsPerS, found.carried.isAtLeast], carried);
  });
}

test("a search on any host ends, tries no rate twice, and never says more than was clean", () => {
  for (let limit = 1_000; limit < 100_000; limit += 700) {
    for (const firstEventsPerS of LADDER.rates) {
      const { tried, carried } = searchOn(upTo(limit), { ...LADDER, firstEventsPerS });
      assert.equal(new Set(tried).size, tried.length, `limit ${limit}`);
      assert.ok(carried.eventsPerS <= limit && carried.eventsPerS >= Math.min(72_000, limit / 1.5) - 3_000);
      assert.ok(tried.length <= LADDER.rates.length + 3, `${limit}: ${tried}`);
    }
  }
});

test("what was read clean of a late server counts as it came, and says at least", () => {
  const late = trialOf(36_000, "server-limited", { isClientClean: true, eventsPerS: 33_100.5 });
  assert.deepEqual(carriedRate([trialOf(12_000, "clean"), late]), { eventsPerS: 33_100, isAtLeast: true });
  const spoilt = trialOf(36_000, "server-limited", { isClientClean: false, eventsPerS: 33_100 });
  assert.deepEqual(carriedRate([trialOf(12_000, "clean"), spoilt]), { eventsPerS: 12_000, isAtLeast: true });
});

test("a search that was cut short says at least what it found", () => {
  const [first, second] = [trialOf(12_000, "clean"), trialOf(18_000, "clean")];
  assert.deepEqual(carriedRate([first, second]), { eventsPerS: 18_000, isAtLeast: true });
  assert.deepEqual(carriedRate([]), { eventsPerS: 0, isAtLeast: true });
});

test("a ladder below the first rate is begun at its top", () => {
  assert.equal(nextRate({ rates: [500, 1000], firstEventsPerS: 12_000 }, []), 1000);
});

test("of several numbers of streams the lowest figure counts, with its own certainty", () => {
  const low = { eventsPerS: 18_000, isAtLeast: true };
  assert.equal(lowestCapacity([{ eventsPerS: 36_000, isAtLeast: false }, low]), low);
});
