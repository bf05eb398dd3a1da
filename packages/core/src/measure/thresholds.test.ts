import assert from "node:assert/strict";
import { test } from "node:test";
import { parseThreshold } from "./thresholds.js";

for (const [text, expected] of [
  [
    "ttft.p99 < 500ms",
    { metric: { kind: "latency", metric: "ttft", stat: 99 }, op: "<", limit: 500_000, stage: null },
  ],
  [
    "itl.p50{stage=u100}<=30ms",
    { metric: { kind: "latency", metric: "itl", stat: 50 }, op: "<=", limit: 30_000, stage: "u100" },
  ],
  [
    "e2e.p999 < 2s",
    { metric: { kind: "latency", metric: "e2e", stat: 99.9 }, op: "<", limit: 2e6, stage: null },
  ],
  [
    "e2e.p99.9 < 2s",
    { metric: { kind: "latency", metric: "e2e", stat: 99.9 }, op: "<", limit: 2e6, stage: null },
  ],
  [
    "tpot.mean < 1.5ms",
    { metric: { kind: "latency", metric: "tpot", stat: "mean" }, op: "<", limit: 1500, stage: null },
  ],
  [
    "success.rate >= 99.9%",
    { metric: { kind: "value", name: "success.rate" }, op: ">=", limit: 0.999, stage: null },
  ],
  [
    "success.lower95 > 0.9",
    { metric: { kind: "value", name: "success.lower95" }, op: ">", limit: 0.9, stage: null },
  ],
  [
    "e2e.max{stage = a b} < 1h",
    { metric: { kind: "latency", metric: "e2e", stat: "max" }, op: "<", limit: 3.6e9, stage: "a b" },
  ],
  [
    "inFlight.mean >= 990",
    { metric: { kind: "value", name: "inFlight.mean" }, op: ">=", limit: 990, stage: null },
  ],
] as const) {
  test(`${text} is read as it is meant`, () => {
    const parsed = parseThreshold(text);
    assert.ok(!("problem" in parsed), JSON.stringify(parsed));
    const { metric, op, limit, stage } = parsed;
    assert.equal(limit, expected.limit);
    assert.deepEqual(
      { metric, op, stage },
      { metric: expected.metric, op: expected.op, stage: expected.stage },
    );
  });
}

for (const text of [
  "",
  "ttft",
  "ttft.p99",
  "ttft.p99 < soon",
  "ttft.p100 < 1s",
  "ttft.p99 < 500",
  "speed.p99 < 1s",
  "success.rate >= 1s",
  "ttft.p99 = 1s",
]) {
  test(`"${text}" is refused with a sentence`, () => {
    const parsed = parseThreshold(text);
    assert.ok("problem" in parsed && parsed.problem.length > 10);
  });
}

test("abortOnFail after an expression is read as such, and is not part of its limit", () => {
  const parsed = parseThreshold("ttft.p99{stage=u100} < 500ms  abortOnFail");
  assert.ok(!("problem" in parsed), JSON.stringify(parsed));
  assert.deepEqual([parsed.limit, parsed.stage, parsed.abortOnFail], [500_000, "u100", true]);
  const plain = parseThreshold("ttft.p99 < 500ms");
  assert.ok(!("problem" in plain) && !plain.abortOnFail);
});

test("abortOnFail is refused where only the end can tell", () => {
  for (const text of ["requests.completed >= 100", "failures.count > 1", "success.lower95 >= 0.99"]) {
    assert.ok(!("problem" in parseThreshold(text)), text);
    const parsed = parseThreshold(`${text} abortOnFail`);
    assert.ok("problem" in parsed && /when the level is over/.test(parsed.problem), JSON.stringify(parsed));
  }
});
