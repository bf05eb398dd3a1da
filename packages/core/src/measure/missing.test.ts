import assert from "node:assert/strict";
import { test } from "node:test";
import type { Aggregate } from "./aggregate.js";
import { emptyDue, emptyFlow, emptyLedger } from "./counts.js";
import { createAggregate } from "./fold.js";
import { missingBetween } from "./missing.js";
import { assignment } from "./testing/cluster.js";
import { userStage } from "./testing/random-run.js";
import { IDLE_VITALS } from "./testing/scripted-run.js";

const S = 1_000_000;
const stages = [userStage(0, { rampUpUs: 0, settleUs: 0, durationUs: 10 * S })];

/** Two agents; each interval offers ten requests. */
function aggregateOf(seqs: readonly (readonly number[])[], finals: readonly (number | null)[]): Aggregate {
  const aggregate = createAggregate({ stages, shards: [assignment(0), assignment(1)] });
  for (const [agent, own] of seqs.entries()) {
    for (const seq of own) {
      aggregate.fold({
        run: "r",
        agent: `a${agent}`,
        epoch: 3,
        seq,
        fromUs: (seq - 1) * S,
        toUs: seq * S,
        ledger: emptyLedger(),
        blocks: [
          {
            stage: 0,
            phase: "measured",
            flow: { ...emptyFlow(), durationUs: S },
            due: { ...emptyDue(), offered: 10 },
            histograms: {},
          },
        ],
        vitals: { ...IDLE_VITALS, scheduleLagP99Us: 0, coalescedShare: 0 },
      });
    }
  }
  for (const [agent, lastSeq] of finals.entries()) {
    if (lastSeq === null) continue;
    aggregate.foldFinal({
      run: "r",
      agent: `a${agent}`,
      epoch: 3,
      lastSeq,
      samplesRecorded: 7 * lastSeq,
      ledger: { ...emptyLedger(), offered: 10 * lastSeq },
      startErrorUs: 0,
      evicted: 0,
      completedPerUserMin: {},
      reader: "test",
    });
  }
  return aggregate;
}

const between = (aggregate: Aggregate, fromS: number, toS: number) =>
  missingBetween(aggregate, { fromUs: fromS * S, toUs: toS * S, intervalUs: S });

test("nothing is missing when everything came", () => {
  const whole = aggregateOf(
    [
      [1, 2, 3],
      [1, 2],
    ],
    [3, 2],
  );
  assert.deepEqual(between(whole, 0, 10), { requests: 0, samples: 0 });
});

test("a gap matters to the time in which it lies, and is no greater than what finals have more", () => {
  // Interval 5 is [4 s, 5 s).
  const gap = aggregateOf(
    [
      [1, 2, 3, 4, 6],
      [1, 2, 3],
    ],
    [6, 3],
  );
  const missing = { requests: 10, samples: 63 };
  assert.deepEqual(between(gap, 0, 4), { requests: 0, samples: 0 });
  assert.deepEqual(between(gap, 0, 4.1), missing);
  assert.deepEqual(between(gap, 4.9, 9), missing);
  assert.deepEqual(between(gap, 5, 9), { requests: 0, samples: 0 });
});

test("an agent without a final may have recorded anything after its last interval, and nothing else before", () => {
  const lost = aggregateOf(
    [
      [1, 2, 3, 4],
      [1, 2],
    ],
    [4, null],
  );
  assert.deepEqual(between(lost, 0, 2), { requests: 0, samples: 0 });
  assert.deepEqual(between(lost, 0, 2.5), { requests: Infinity, samples: Infinity });
  assert.deepEqual(between(lost, 50, 60), { requests: Infinity, samples: Infinity });
});

test("a final that says less than what came makes nothing negative", () => {
  const strange = aggregateOf(
    [
      [1, 2, 4],
      [1, 2, 3],
    ],
    [1, 5],
  );
  const { requests, samples } = between(strange, 0, 10);
  assert.ok(requests >= 0 && samples >= 0);
});
