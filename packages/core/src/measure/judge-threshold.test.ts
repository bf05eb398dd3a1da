import assert from "node:assert/strict";
import { test } from "node:test";
import type { ThresholdResult } from "../run/report.js";
import { emptyDue, emptyFlow } from "./counts.js";
import { createHistogram } from "./hdr-histogram.js";
import { judgeThreshold } from "./judge-threshold.js";
import type { LevelData } from "./level-data.js";
import { METRICS, type MetricName } from "./snapshot.js";
import { userStage } from "./testing/random-run.js";
import { parseThreshold, type Threshold } from "./thresholds.js";

type Values = Partial<Record<MetricName, readonly (readonly [valueUs: number, times: number])[]>>;

function level(change: Partial<LevelData> = {}, values: Values = {}): LevelData {
  const histograms = new Map(
    METRICS.flatMap((name) => {
      const recorded = values[name];
      if (recorded === undefined) return [];
      const histogram = createHistogram();
      for (const [valueUs, times] of recorded) histogram.record(valueUs, times);
      return [[name, histogram] as const];
    }),
  );
  return {
    stage: userStage(0, { rampUpUs: 0, settleUs: 0, durationUs: 10_000_000 }, 10),
    windowStartUs: 0,
    windowUs: 10_000_000,
    plannedUs: 10_000_000,
    flow: emptyFlow(),
    due: emptyDue(),
    histograms,
    missing: { requests: 0, samples: 0 },
    lost: { unknown: 0, neverSent: 0, users: 0, agents: [], counted: new Set() },
    hasSlos: true,
    asked: 10,
    inFlightMean: 10,
    medianE2e: null,
    isTooShort: false,
    isNeverFull: false,
    dropped: 0,
    stimulus: { open: null, closed: null },
    isSteady: true,
    ...change,
  };
}

function parsed(text: string): Threshold {
  const threshold = parseThreshold(text);
  assert.ok(!("problem" in threshold), JSON.stringify(threshold));
  return threshold;
}

const judge = (text: string, ...levels: LevelData[]) => judgeThreshold(parsed(text), levels, []);
const result = (text: string, ...levels: LevelData[]): ThresholdResult => judge(text, ...levels).result;

/** `count` values of 100 ms, and the same of 200 ms. */
const halves = (count: number): NonNullable<Values["e2e"]> => [
  [100_000, count],
  [200_000, count],
];

test("a percentile of one value per request needs its whole confidence interval on one side", () => {
  // Of 20 values, 10 of each, the median's interval reaches from the 6th to the 15th value.
  const few = level({}, { e2e: halves(10) });
  assert.equal(result("e2e.p50 < 150ms", few), "inconclusive");
  assert.equal(result("e2e.p50 < 250ms", few), "passed");
  assert.equal(result("e2e.p50 < 90ms", few), "failed");
  assert.equal(result("e2e.p50 > 90ms", few), "passed");
  assert.equal(result("e2e.p50 > 250ms", few), "failed");
  assert.equal(judge("e2e.p50 < 150ms", few).observed, 100_031, "the upper edge of its bucket");
});

test("a high percentile of few values has no upper bound, and so nothing to pass by", () => {
  const hundred = level({}, { ttft: [[1000, 100]] });
  assert.equal(result("ttft.p99 < 1h", hundred), "inconclusive");
  assert.equal(result("ttft.p99 < 1us", hundred), "failed");
  assert.equal(result("ttft.p99 < 2ms", level({}, { ttft: [[1000, 400]] })), "passed");
});

test("gaps and ITL are judged by what was seen: their values depend on each other", () => {
  const values: Values = {
    itl: [
      [20_000, 99],
      [90_000, 1],
    ],
    gap: [
      [20_000, 99],
      [90_000, 1],
    ],
  };
  assert.equal(result("itl.p99 < 21ms", level({}, values)), "passed");
  assert.equal(result("gap.p99 < 19ms", level({}, values)), "failed");
  assert.equal(
    result("itl.p99 < 21ms", level({ missing: { requests: 1, samples: 1 } }, values)),
    "inconclusive",
  );
  assert.equal(result("itl.p50 < 21ms", level({ missing: { requests: 1, samples: 1 } }, values)), "passed");
  const lost = level({ due: { ...emptyDue(), offered: 50, unknown: 1 } }, values);
  assert.equal(result("itl.p50 < 21ms", lost), "inconclusive", "nobody knows how many tokens it had");
});

test("censored requests count with their age at best and without an end at worst", () => {
  const known = [[100_000, 1000]] as const;
  const some = (censored: number, ageUs: number) =>
    level({}, { e2e: known, e2eCensored: [[ageUs, censored]] });
  assert.equal(result("e2e.p50 < 1s", some(100, 500_000)), "passed");
  assert.equal(result("e2e.p99 < 1s", some(100, 500_000)), "inconclusive");
  assert.equal(result("e2e.p99 < 1s", some(100, 5_000_000)), "failed", "already older than the limit");
  assert.equal(result("e2e.max < 1s", some(1, 500_000)), "inconclusive");
  assert.equal(result("e2e.max < 1s", some(1, 5_000_000)), "failed");
  assert.equal(result("e2e.mean < 1s", some(1, 500_000)), "inconclusive");
  assert.equal(result("e2e.mean < 50ms", some(1, 500_000)), "failed");
  assert.equal(result("e2e.min >= 90ms", some(1, 500_000)), "passed");
  assert.equal(result("e2e.min >= 90ms", some(1, 500)), "inconclusive");
});

test("lost requests and missing intervals could have been anything", () => {
  const values: Values = { ttft: [[100_000, 1000]], tpot: [[10_000, 1000]] };
  const lost = level({ due: { ...emptyDue(), offered: 1100, unknown: 100 } }, values);
  assert.equal(result("ttft.p50 < 110ms", lost), "passed");
  assert.equal(result("ttft.p99 < 110ms", lost), "inconclusive");
  assert.equal(result("ttft.p50 < 50ms", lost), "failed");
  assert.equal(result("ttft.mean < 50ms", lost), "failed", "a hundred zeros do not bring it down so far");
  assert.equal(result("ttft.mean < 95ms", lost), "inconclusive", "but to 91 ms they might");
  assert.equal(result("ttft.min > 50ms", lost), "inconclusive");
  const nobodyKnows = level({ missing: { requests: Infinity, samples: Infinity } }, values);
  assert.equal(result("ttft.p50 < 1s", nobodyKnows), "inconclusive");
  assert.equal(result("ttft.p50 < 1us", nobodyKnows), "inconclusive");
  assert.equal(result("success.rate >= 0", nobodyKnows), "inconclusive", "there was nothing to observe");
  const censored = level({ due: { ...emptyDue(), offered: 1300, censored: 300 } }, values);
  assert.equal(result("tpot.p90 < 11ms", censored), "inconclusive", "censored requests leave no TPOT");
});

test("success is judged with the open requests on both sides", () => {
  const due = { ...emptyDue(), offered: 1000, completed: 998, failed: { empty: 1 }, censored: 1 } as const;
  const one = level({ due });
  assert.equal(judge("success.rate >= 0.999", one).observed, 998 / 999);
  assert.equal(result("success.rate >= 0.999", one), "inconclusive");
  assert.equal(result("success.rate >= 0.998", one), "passed");
  assert.equal(result("success.rate >= 0.9995", one), "failed");
  assert.equal(result("success.lower95 >= 99.9%", one), "failed");
  assert.equal(result("success.lower95 >= 99%", one), "passed");
  assert.equal(result("failures.count < 1", one), "failed");
  assert.equal(result("failures.count <= 1", one), "inconclusive");
  assert.equal(result("failures.count <= 2", one), "passed");
  const exact = level({ due: { ...emptyDue(), offered: 1000, completed: 999, failed: { empty: 1 } } });
  assert.equal(result("success.rate >= 99.9%", exact), "passed");
});

test("goodput has every request that was due in its denominator", () => {
  const due = { ...emptyDue(), offered: 100, completed: 90, good: 80, censored: 8, unknown: 2 };
  assert.equal(judge("goodput.rate >= 0.8", level({ due })).observed, 0.8);
  assert.equal(result("goodput.rate >= 80%", level({ due })), "passed");
  assert.equal(
    result("goodput.rate >= 82%", level({ due })),
    "inconclusive",
    "the two lost may have been good",
  );
  assert.equal(result("goodput.rate >= 83%", level({ due })), "failed", "the censored were not, in time");
  assert.equal(result("goodput.rate >= 1%", level({ due, hasSlos: false })), "inconclusive");
});

test("rates and in-flight are exact, until an interval is missing", () => {
  const flow = {
    ...emptyFlow(),
    outputTokens: 10_000,
    completed: 50,
    promptTokens: 500,
    inFlightUs: 99_000_000,
  };
  const whole = level({ flow });
  assert.equal(judge("rates.outputTokensPerS > 999", whole).observed, 1000);
  assert.equal(result("rates.outputTokensPerS >= 1000", whole), "passed");
  assert.equal(result("rates.outputTokensPerS > 1000", whole), "failed");
  assert.equal(result("rates.requestsPerS >= 5", whole), "passed");
  assert.equal(result("rates.promptTokensPerS >= 50", whole), "passed");
  assert.equal(result("inFlight.mean >= 9.9", whole), "passed");
  const gap = level({ flow, windowUs: 8_000_000, missing: { requests: 3, samples: 90 } });
  assert.equal(result("rates.outputTokensPerS >= 1000", gap), "passed", "what is missing can only add");
  assert.equal(result("rates.outputTokensPerS >= 1100", gap), "inconclusive");
  assert.equal(result("rates.outputTokensPerS < 1100", gap), "inconclusive");
  assert.equal(result("rates.outputTokensPerS < 900", gap), "failed");
  assert.equal(judge("inFlight.mean >= 1", level({ windowUs: 0 })).result, "inconclusive");
});

test("the worst level decides, and its figure is the one observed", () => {
  const named = (name: string, valueUs: number, times = 500): LevelData => {
    const one = level({}, { ttft: [[valueUs, times]] });
    return { ...one, stage: { ...one.stage, name } };
  };
  const fast = named("u1", 1000);
  const slow = named("u2", 3000);
  const bad = named("u3", 9000);
  const unsure = named("u4", 2000, 3);
  assert.deepEqual(judge("ttft.p99 < 5ms", fast, slow), {
    metric: "ttft.p99",
    expression: "ttft.p99 < 5ms",
    observed: 3000,
    result: "passed",
  });
  assert.deepEqual([judge("ttft.p99 > 0us", fast, slow).observed], [1000]);
  assert.deepEqual(judge("ttft.p99 < 5ms", fast, unsure).result, "inconclusive");
  assert.deepEqual(judge("ttft.p99 < 5ms", fast, unsure, bad).result, "failed");
  assert.deepEqual(judge("ttft.p99{stage=u2} < 5ms", fast, slow, bad).result, "passed");
  assert.deepEqual(judge("ttft.p99{stage=u9} < 5ms", fast), {
    metric: "ttft.p99",
    expression: "ttft.p99{stage=u9} < 5ms",
    observed: null,
    result: "inconclusive",
  });
  assert.equal(judge("ttft.p99 < 5ms", fast, level()).result, "inconclusive", "a level without a sample");
});

test("a level that the run did not reach leaves a threshold open, unless another one fails", () => {
  const fast = level({}, { ttft: [[1000, 500]] });
  const to = (text: string) => judgeThreshold(parsed(text), [fast], ["later"]);
  assert.deepEqual([to("ttft.p99 < 5ms").result, to("ttft.p99 < 5ms").observed], ["inconclusive", null]);
  assert.equal(to("ttft.p99 < 1us").result, "failed");
  assert.equal(to(`ttft.p99{stage=${fast.stage.name}} < 5ms`).result, "passed");
  assert.equal(to("ttft.p99{stage=later} < 5ms").result, "inconclusive");
});

test("counts of completed, censored and dropped requests can be asked for", () => {
  const due = { ...emptyDue(), offered: 10, completed: 6, censored: 2, dropped: { late: 2 } };
  const one = level({ due });
  assert.equal(result("requests.completed >= 6", one), "passed");
  assert.equal(result("requests.completed >= 8", one), "inconclusive");
  assert.equal(result("requests.completed >= 9", one), "failed");
  assert.equal(result("requests.censored < 3", one), "passed");
  assert.equal(result("drops.count < 2", one), "failed");
  assert.equal(
    result("drops.count < 3", level({ due, missing: { requests: 1, samples: 9 } })),
    "inconclusive",
  );
});

test("an ITL threshold is not passed by a level whose requests were cut in mid-stream", () => {
  const values = { itl: [[20_000, 10_000]] } as const;
  assert.equal(judge("itl.p99 < 50ms", level({}, values)).result, "passed");
  const cut = level({ due: { ...emptyDue(), offered: 100, completed: 1, censored: 99 } }, values);
  assert.equal(judge("itl.p99 < 50ms", cut).result, "inconclusive");
});

test("a response threshold is not passed by leaving out the requests that were never sent", () => {
  const values = { response: [[20_000, 1000]] } as const;
  assert.equal(judge("response.p99 < 50ms", level({}, values)).result, "passed");
  const due = { ...emptyDue(), offered: 2000, completed: 1000, dropped: { late: 1000 } };
  const dropping = level({ due }, values);
  assert.equal(judge("response.p99 < 50ms", dropping).result, "inconclusive");
});
