import assert from "node:assert/strict";
import { test } from "node:test";
import { studyCost } from "./cost.js";
import { requireStudy } from "./parse-study.js";
import type { PublishedSeries } from "./published.js";
import { scheduleStudy } from "./schedule.js";
import type { StudyInput } from "./schema.js";
import { aStudy, aSuite } from "./testing/a-study.js";

const target = { urls: ["http://127.0.0.1:8000"] };
const one = { conditions: [{ name: "a", target }] };

function costOf(input: StudyInput, published: readonly PublishedSeries[] = []) {
  const study = requireStudy(input);
  return studyCost(scheduleStudy(study, { mode: "default" }), { study, published, mode: "default" }).total;
}

test("stages bounded by time cost what they last, ramp and settle included", () => {
  const stages = [{ users: 10, rampUpMs: "10s", settleMs: "5s", durationMs: "2m" }];
  const plan = { warmUp: { requests: 0 }, load: { kind: "users" as const, stages } };
  const cost = costOf(aStudy({ ...one, suites: [aSuite({ plan, repeats: 3 })] }));
  assert.deepEqual(cost.unknown, []);
  assert.ok(cost.atLeastMs >= 3 * 135_000 && cost.atLeastMs < 3 * 135_000 + 15_000, `${cost.atLeastMs}`);
  assert.ok(cost.aboutMs >= cost.atLeastMs && cost.aboutMs < 3 * 135_000 + 60_000, `${cost.aboutMs}`);
  assert.ok(cost.atMostMs > cost.aboutMs);
});

test("a stage bounded by requests costs its rounds of the stated E2E, at the suite's time scale", () => {
  const plan = {
    warmUp: { requests: 0 },
    load: { kind: "users" as const, stages: [{ users: 10, requests: 95, rampUpMs: 0 }] },
  };
  const estimate = { e2eMs: "20s", from: "a test" };
  const base = costOf(aStudy({ ...one, suites: [aSuite({ plan, estimate })] }));
  const scaled = costOf(aStudy({ ...one, suites: [aSuite({ plan, estimate, timeScale: 10 })] }));
  assert.equal(base.aboutMs - scaled.aboutMs, 10 * 20_000 * 0.9, "ten rounds, a tenth of each left");
  assert.deepEqual(base.unknown, []);
});

test("without an estimate the published p99 stands in, and without that it is said what is not known", () => {
  const series: PublishedSeries = {
    id: "s",
    model: "m",
    source: "t",
    rows: [
      { users: 10, name: "u10", totalTokensPerS: 1, outputTokensPerS: null, e2eP99Us: 16e6, status: null },
    ],
    peak: null,
  };
  const plan = {
    warmUp: { requests: 0 },
    load: { kind: "users" as const, stages: [{ users: 10, requests: 100, rampUpMs: 0 }] },
  };
  const pinned = { publishedRows: { file: "f", sha256: "0".repeat(64) } };
  const known = costOf(aStudy({ ...one, ...pinned, suites: [aSuite({ plan, published: { a: "s" } })] }), [
    series,
  ]);
  assert.deepEqual(known.unknown, []);
  const unknown = costOf(aStudy({ ...one, suites: [aSuite({ plan })] }));
  assert.equal(unknown.unknown.length, 1);
  assert.match(unknown.unknown[0] ?? "", /how long 100 requests of level u10 take/);
  assert.equal(known.aboutMs - unknown.aboutMs, 160_000);
  assert.equal(unknown.atMostMs > 3_600_000, true, "a stage has a limit all the same");
});

test("a switch without a word of how long it takes is named, and a person has no limit", () => {
  const manual = aStudy({ conditions: [{ name: "a", target, hooks: { kind: "manual" } }] });
  const cost = costOf(manual);
  assert.ok(cost.unknown.some((text) => /a switch to a/.test(text)));
  assert.equal(cost.atMostMs, Number.POSITIVE_INFINITY);
});
