import assert from "node:assert/strict";
import { test } from "node:test";
import { logUniform, seeded } from "../measure/testing/seeded.js";
import { auditResults } from "./audit-results.js";
import { AUDIT_LIMITS, type AuditedRow, type ClaimedRow } from "./audit-types.js";
import { exact } from "./figure.js";
import {
  type ClosedLoop,
  closedLoop,
  PERCENTILE_RULES,
  printedRow,
  type Shown,
} from "./testing/closed-loop.js";

const SEEDS = 1_000;

function audit(row: ClaimedRow): AuditedRow {
  const [audited] = auditResults([row]).rows;
  assert.ok(audited !== undefined);
  return audited;
}

/** From constant to heavy-tailed service times. */
function latencies(random: () => number): () => number {
  const scaleS = 10 ** (4 * random() - 3);
  const kind = Math.floor(random() * 4);
  return () => {
    if (kind === 0) return scaleS;
    if (kind === 1) return scaleS * (0.5 + random());
    if (kind === 2) return scaleS * -Math.log(1 - random());
    return scaleS * (random() < 0.02 ? 30 + 30 * random() : 1 + random());
  };
}

function loopOf(random: () => number): ClosedLoop {
  const users = 1 + logUniform(random, 200);
  return closedLoop(users, Math.ceil(users * (1 + 12 * random() ** 2)), latencies(random));
}

function shownOf(random: () => number): Shown {
  const flip = () => random() < 0.5;
  return {
    mean: flip(),
    percentiles: [50, 90, 95, 99, 99.9].filter(flip),
    max: flip(),
    requests: flip(),
    duration: flip(),
    tokens: flip() ? 1 + Math.floor(random() * 900) : undefined,
    digits: 2 + Math.floor(random() * 4),
    percentileRule: PERCENTILE_RULES[Math.floor(random() * PERCENTILE_RULES.length)] ?? "linear",
  };
}

function eachSeed(body: (random: () => number, seed: number) => void): void {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    try {
      body(seeded(seed), seed);
    } catch (cause) {
      throw new Error(`fails with seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  }
}

test("an honest closed loop is never impossible, and its bounds lie above the truth, whatever its table shows", () => {
  let bounded = 0;
  eachSeed((random) => {
    const loop = loopOf(random);
    const row = audit(printedRow(loop, loop.users, shownOf(random)));
    assert.notEqual(row.status, "impossible", row.findings.map((one) => one.sentence).join("\n"));
    if (row.meanAtMost !== null) {
      bounded += 1;
      assert.ok(row.meanAtMost >= loop.meanInFlight * (1 - 1e-9), `${row.meanAtMost} < ${loop.meanInFlight}`);
    }
    if (row.atMost !== null) assert.ok(row.atMost >= loop.maxInFlight);
  });
  assert.ok(bounded > SEEDS / 4, `only ${bounded} rows had a bound`);
});

test("an honest closed loop is contradicted only if it was filling and draining for a third of its time", () => {
  let contradicted = 0;
  eachSeed((random) => {
    const loop = loopOf(random);
    const row = audit(printedRow(loop, loop.users, { ...shownOf(random), mean: true }));
    if (!row.isContradicted) return;
    contradicted += 1;
    assert.ok(loop.meanInFlight < loop.users * AUDIT_LIMITS.heldShare);
    assert.ok(loop.durationS < 3 * Math.max(...loop.latenciesS));
  });
  assert.ok(contradicted > 0, "no seed came near the rule");
});

test("a label inflated by three fifths or more is always contradicted", () => {
  eachSeed((random) => {
    const loop = loopOf(random);
    const claimed = Math.ceil(loop.users * (1.6 + 8 * random()));
    const shown = { ...shownOf(random), mean: true, digits: 3 };
    assert.ok(audit(printedRow(loop, claimed, shown)).isContradicted, `${loop.users} as ${claimed}`);
  });
});

test("a label above the number of requests is always contradicted, whatever else the table shows", () => {
  eachSeed((random) => {
    const loop = loopOf(random);
    const claimed = loop.requests + 1 + Math.floor(1000 * random());
    const row = audit(printedRow(loop, claimed, { ...shownOf(random), requests: true }));
    assert.equal(row.status, "at-most");
    assert.equal(row.atMost, loop.requests);
  });
});

test("a label of half of what was in flight is always impossible, given enough requests", () => {
  eachSeed((random) => {
    const users = 2 * (1 + logUniform(random, 50));
    const loop = closedLoop(users, users * 20, () => 0.5 + random());
    const shown = { ...shownOf(random), mean: true, digits: 3, requests: true };
    assert.equal(audit(printedRow(loop, users / 2, shown)).status, "impossible");
  });
});

test("the bound on average holds with requests that failed, of which no latency speaks", () => {
  eachSeed((random) => {
    const loop = loopOf(random);
    const good = loop.latenciesS.filter(() => random() < 0.8);
    if (good.length === 0) return;
    const row = audit({
      label: "with failures",
      concurrency: loop.users,
      completed: good.length,
      failed: loop.requests - good.length,
      requestsPerS: exact(good.length / loop.durationS),
      latencyS: { mean: exact(good.reduce((sum, one) => sum + one, 0) / good.length), percentiles: [] },
    });
    assert.ok(
      (row.meanAtMost ?? 0) >= loop.meanInFlight * (1 - 1e-9),
      `${row.meanAtMost} < ${loop.meanInFlight}`,
    );
  });
});
