import assert from "node:assert/strict";
import { test } from "node:test";
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
  readonly stage?: number;
  readonly seconds?: number;
  readonly due?: Partial<Block["due"]>;
  readonly flow?: Partial<Block["flow"]>;
  readonly values?: Partial<Record<MetricName, readonly (readonly [valueUs: number, times: number])[]>>;
}

/** What a leader has of one agent that is still at it, by one interval for each level. */
function folded(...levels: readonly Measured[]) {
  const aggregate = createAggregate({ stages, shards: [assignment(0)] });
  levels.forEach(({ stage = 0, seconds = 20, due, flow, values = {} }, index) => {
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
    const place = { run: "r", agent: "a0", epoch: 3, seq: index + 1, fromUs: 0, toUs };
    const vitals = { ...IDLE_VITALS, scheduleLagP99Us: 0, coalescedShare: 0 };
    assert.equal(aggregate.fold({ ...place, ledger: emptyLedger(), blocks: [block], vitals }), "folded");
  });
  return aggregate;
}

function failure(text: string, ...levels: readonly Measured[]) {
  const thresholds = abortingThresholds({ thresholds: [`${text} abortOnFail`] });
  assert.equal(thresholds.length, 1, text);
  return failedSoFar(thresholds, { stages, aggregate: folded(...levels), hasSlos: true });
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
    values: { ttft: [[1_000_000, 100]] },
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
  for (const [seconds, fails] of [
    [9, false],
    [10, true],
  ] as const) {
    const aggregate = folded({ seconds, due });
    assert.equal(failedSoFar(thresholds, { stages: bounded, aggregate, hasSlos: false }) !== null, fails);
  }
});
