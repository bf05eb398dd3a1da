import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanSchema } from "../plan/schema.js";
import { abortingThresholds, failedSoFar } from "./abort-threshold.js";
import { emptyDue, emptyFlow, emptyLedger } from "./counts.js";
import { createAggregate } from "./fold.js";
import { createHistogram } from "./hdr-histogram.js";
import type { Block, MetricName } from "./snapshot.js";
import { assignment } from "./testing/cluster.js";
import { userStage } from "./testing/random-run.js";
import { IDLE_VITALS } from "./testing/scripted-run.js";

const stages = [0, 1].map((index) =>
  userStage(index, { rampUpUs: 0, settleUs: 0, durationUs: 60_000_000 }, index === 0 ? 10 : 100),
);

interface Measured {
  readonly agent?: number;
  readonly stage?: number;
  readonly seconds?: number;
  readonly due?: Partial<Block["due"]>;
  readonly flow?: Partial<Block["flow"]>;
  readonly values?: Partial<Record<MetricName, readonly (readonly [valueUs: number, times: number])[]>>;
}

const SHARDS = [assignment(0), assignment(1)];

/** What a leader has of agents that are still at it, by one interval for each level. */
function folded(...levels: readonly Measured[]) {
  const aggregate = createAggregate({ stages, shards: SHARDS });
  levels.forEach(({ agent = 0, stage = 0, seconds = 20, due, flow, values = {} }, index) => {
    const toUs = seconds * 1_000_000;
    const histograms = Object.fromEntries(
      Object.entries(values).map(([name, recorded]) => {
        const histogram = createHistogram();
        for (const [valueUs, times] of recorded) histogram.record(valueUs, times);
        return [name, histogram.encode()];
      }),
    );
    const block: Block = {
      stage,
      phase: "measured",
      flow: { ...emptyFlow(), durationUs: toUs, ...flow },
      due: { ...emptyDue(), ...due },
      histograms,
    };
    const place = { run: "r", agent: `a${agent}`, epoch: 3, seq: index + 1, fromUs: 0, toUs };
    const vitals = { ...IDLE_VITALS, scheduleLagP99Us: 0, coalescedShare: 0 };
    assert.equal(aggregate.fold({ ...place, ledger: emptyLedger(), blocks: [block], vitals }), "folded");
  });
  return aggregate;
}

const PLAN = PlanSchema.parse({
  version: 1,
  target: { urls: ["http://127.0.0.1:8000"], model: "m" },
  load: { kind: "users", stages: [{ users: 10, durationMs: 60_000 }] },
  slos: { ttftMs: 100 },
});

/** One agent leads its part alone, unless the levels are of several. */
function failure(text: string, ...levels: readonly Measured[]) {
  const thresholds = abortingThresholds({ thresholds: [`${text} abortOnFail`] });
  assert.equal(thresholds.length, 1, text);
  const isShared = levels.some(({ agent }) => agent !== undefined);
  const record = { plan: PLAN, shards: isShared ? SHARDS : SHARDS.slice(0, 1) };
  return failedSoFar(thresholds, { record, stages, aggregate: folded(...levels) });
}

const failed = (connectRefused: number) => ({ ...emptyDue().failed, "connect-refused": connectRefused });

test("only thresholds that say so end a run", () => {
  const thresholds = ["ttft.p99 < 500ms", "success.rate >= 0.9 abortOnFail"];
  assert.deepEqual(
    abortingThresholds({ thresholds }).map(({ name }) => name),
    ["success.rate"],
  );
});

test("a level that fails is named with the threshold and what was seen, whichever level it is", () => {
  const good: Measured = { due: { offered: 100, completed: 100 } };
  const bad: Measured = { stage: 1, due: { offered: 100, completed: 80, failed: failed(20) } };
  assert.equal(failure("success.rate >= 0.9", good), null);
  assert.deepEqual(failure("success.rate >= 0.9", good, bad), {
    expression: "success.rate >= 0.9 abortOnFail",
    stage: stages[1]?.name,
    observed: 0.8,
  });
  assert.equal(failure(`success.rate{stage=${stages[0]?.name}} >= 0.9`, good, bad), null, "another's level");
});

test("requests that are still open count as if they ended well", () => {
  const due = { offered: 200, completed: 80, failed: failed(20) };
  assert.equal(failure("success.rate >= 0.9", { due }), null, "180 of 200 may still be good");
  assert.notEqual(failure("success.rate >= 0.91", { due }), null);
});

test("rates, shares and latencies of less than ten seconds end nothing; counts and maxima do", () => {
  const young: Measured = {
    seconds: 9,
    due: { offered: 100, completed: 80, failed: failed(20) },
    flow: { outputTokens: 900 },
    values: { ttft: [[1_000_000, 100]], e2e: [[2_000_000, 100]] },
  };
  for (const text of ["success.rate >= 0.9", "rates.outputTokensPerS > 1000", "ttft.p50 < 1ms"]) {
    assert.equal(failure(text, young), null, text);
    assert.notEqual(failure(text, { ...young, seconds: 10 }), null, text);
  }
  for (const text of ["failures.count < 20", "failures.count <= 19", "ttft.max < 500ms"])
    assert.notEqual(failure(text, young), null, text);
  assert.equal(failure("failures.count <= 20", young), null);
});

test("a percentile fails where its whole confidence interval does, whatever open requests become", () => {
  const values = { ttft: [[1_000_000, 100]] } as const;
  // All 100 that are open have had their first token: nothing of them is unseen.
  assert.notEqual(failure("ttft.p50 < 900ms", { due: { offered: 100 }, values }), null);
  assert.equal(failure("ttft.p50 < 900ms", { due: { offered: 200 }, values }), null, "100 may be fast yet");
  assert.notEqual(failure("ttft.p95 < 900ms", { due: { offered: 110 }, values }), null);
  assert.notEqual(failure("itl.p50 < 900ms", { due: { offered: 200 }, values: { itl: values.ttft } }), null);
});

test("a level bounded by requests is judged after ten seconds as well", () => {
  const [stage] = stages;
  assert.ok(stage?.kind === "users");
  const bounded = [
    { ...stage, bound: { kind: "requests", requests: 50, maxDurationUs: 3_600_000_000 } as const },
  ];
  const thresholds = abortingThresholds({ thresholds: ["success.rate >= 0.9 abortOnFail"] });
  const due = { offered: 10, failed: failed(10) };
  const record = { plan: PLAN, shards: SHARDS.slice(0, 1) };
  for (const [seconds, fails] of [
    [9, false],
    [10, true],
  ] as const) {
    const aggregate = folded({ seconds, due });
    assert.equal(failedSoFar(thresholds, { record, stages: bounded, aggregate }) !== null, fails);
  }
});

test("agents that have come differently far are not taken for slow ones", () => {
  const e2e = { e2e: [[1_000_000, 100]] } as const;
  const at = (agent: number, seconds: number): Measured => ({
    agent,
    seconds,
    flow: { completed: seconds * 5, inFlightUs: seconds * 5_000_000 },
    values: e2e,
  });
  for (const text of ["rates.requestsPerS >= 9.9", "inFlight.mean >= 9.9"]) {
    assert.equal(failure(text, at(0, 12), at(1, 8)), null, text);
    assert.equal(failure(text, at(0, 12)), null, "of the other one nothing has come yet");
  }
  assert.equal(failure("rates.requestsPerS >= 10.1", at(0, 12), at(1, 8))?.observed, 10);
});

test("rates are judged once three median responses have been measured, and never of a run that has lost a shard", () => {
  const slow: Measured = { seconds: 44, flow: { completed: 10 }, values: { e2e: [[15_000_000, 10]] } };
  assert.equal(failure("rates.requestsPerS >= 1", slow), null);
  assert.notEqual(failure("rates.requestsPerS >= 1", { ...slow, seconds: 46 }), null);
  assert.equal(failure("rates.requestsPerS >= 1", { seconds: 60 }), null, "nothing has ended yet");

  const thresholds = abortingThresholds({ thresholds: ["rates.requestsPerS >= 1 abortOnFail"] });
  const loss = { agent: "a0", epoch: 3, lastHeardUs: 1, lostUs: 2, foundUs: null, reason: "silent" };
  const record = { plan: PLAN, shards: SHARDS.slice(0, 1), losses: [loss] };
  assert.equal(
    failedSoFar(thresholds, { record, stages, aggregate: folded({ ...slow, seconds: 50 }) }),
    null,
  );
});

test("what chance alone would bring about within a hundred looks ends nothing", () => {
  // Of 100 values 61 above the limit: beyond the 95 % interval of a median, within that of 99.9 %.
  const values = {
    ttft: [
      [1_000, 39],
      [1_000_000, 61],
    ],
  } as const;
  assert.equal(failure("ttft.p50 < 900ms", { due: { offered: 100, completed: 100 }, values }), null);
  const more = {
    ttft: [
      [1_000, 30],
      [1_000_000, 70],
    ],
  } as const;
  assert.notEqual(failure("ttft.p50 < 900ms", { due: { offered: 100, completed: 100 }, values: more }), null);
});

test("a rate is judged where nothing completes because nearly all of it fails", () => {
  const dead: Measured = { due: { offered: 100, failed: failed(60) } };
  assert.equal(failure("rates.requestsPerS >= 1", dead)?.observed, 0);
  assert.equal(failure("rates.requestsPerS >= 1", { due: { offered: 100, failed: failed(40) } }), null);
});

test("rates are not judged where a number of requests ends the level", () => {
  const [stage] = stages;
  assert.ok(stage?.kind === "users");
  const bounded = [
    { ...stage, bound: { kind: "requests", requests: 50, maxDurationUs: 3_600_000_000 } as const },
  ];
  const thresholds = abortingThresholds({ thresholds: ["rates.requestsPerS < 1 abortOnFail"] });
  const record = { plan: PLAN, shards: SHARDS };
  const values = { e2e: [[100_000, 1000]] } as const;
  const aggregate = folded(
    { agent: 0, seconds: 4, flow: { completed: 1000 }, values },
    { agent: 1, seconds: 20, flow: { completed: 100 }, values },
  );
  assert.equal(failedSoFar(thresholds, { record, stages: bounded, aggregate }), null);
});
