import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeVitals, vitalsFactor } from "./judge-vitals.js";
import type { ProbeDelays } from "./probe-delays.js";
import type { Vitals } from "./vitals.js";

const healthy: Vitals = {
  loopDelayP99Us: 900,
  loopDelayMaxUs: 4000,
  utilisation: 0.4,
  cpu: 0.45,
  starvation: -0.05,
  gcUs: 0,
  throttledUs: 0,
  rssBytes: 1,
  openSockets: 1,
  descriptors: 79,
  descriptorLimit: 100,
  scheduleLagP99Us: 500,
  coalescedShare: 0,
};

function probe(change: Partial<ProbeDelays>): ProbeDelays {
  return { count: 190, p50Us: 100, p90Us: 200, p99Us: 900, maxUs: 900_000, buckets: [], ...change };
}

for (const [name, change, factor, colour] of [
  ["a healthy process is green", {}, 1, "green"],
  ["a loop delay of 3 ms is yellow", { loopDelayP99Us: 3000 }, 1, "yellow"],
  ["a loop delay of 8.1 ms is red", { loopDelayP99Us: 8100 }, 1, "red"],
  ["a loop delay of 8.1 ms is yellow at an ITL of 40 ms", { loopDelayP99Us: 8100 }, 2, "yellow"],
  ["a loop delay of 4.1 ms is red at an ITL of 10 ms", { loopDelayP99Us: 4100 }, 0.5, "red"],
  ["a late schedule is judged like a late loop", { scheduleLagP99Us: 9000 }, 1, "red"],
  ["utilisation over 0.85 is red however slow the tokens", { utilisation: 0.86 }, 4, "red"],
  ["coalesced reads over 2 % are red however slow the tokens", { coalescedShare: 0.021 }, 4, "red"],
  ["coalesced reads of 1 % are yellow", { coalescedShare: 0.01 }, 1, "yellow"],
  ["starvation alone is yellow, never red", { starvation: 0.9 }, 1, "yellow"],
  ["a self-probe p99 of 3 ms / 1.6 is yellow", { selfProbe: probe({ p99Us: 1875 }) }, 1, "yellow"],
  ["a self-probe p99 under 3 ms / 1.6 x f is green", { selfProbe: probe({ p99Us: 3749 }) }, 2, "green"],
  [
    "a self-probe p99 is never red, for it may be one stall",
    { selfProbe: probe({ p99Us: 900_000 }) },
    1,
    "yellow",
  ],
  ["a self-probe p90 over 5 ms is red", { selfProbe: probe({ p90Us: 5001, p99Us: 5001 }) }, 1, "red"],
  [
    "a self-probe p90 over 5 ms is yellow at an ITL of 40 ms",
    { selfProbe: probe({ p90Us: 9999, p99Us: 9999 }) },
    2,
    "yellow",
  ],
  ["four fifths of the descriptors are yellow", { descriptors: 80 }, 1, "yellow"],
  ["more than 95 of a hundred descriptors are red", { descriptors: 96 }, 4, "red"],
  ["a limit of descriptors that is not known is none", { descriptors: 80, descriptorLimit: 0 }, 1, "green"],
  ["local ports that are nearly used up are yellow", { localPorts: { used: 800, range: 1000 } }, 1, "yellow"],
  ["local ports that are used up are red", { localPorts: { used: 951, range: 1000 } }, 1, "red"],
  ["local ports that suffice are green", { localPorts: { used: 799, range: 1000 } }, 1, "green"],
] as const) {
  test(name, () => {
    const judged = judgeVitals({ ...healthy, ...change }, factor);
    assert.equal(judged.colour, colour, judged.reasons.join());
    assert.equal(judged.reasons.length > 0, colour !== "green");
  });
}

test("a red interval names what is red and its limit, and nothing that is only yellow", () => {
  const vitals = {
    ...healthy,
    loopDelayP99Us: 1900,
    scheduleLagP99Us: 4100,
    starvation: 0.3,
    utilisation: 0.86,
  };
  assert.deepEqual(judgeVitals(vitals, 0.5).reasons, [
    "schedule lag p99 4.1 ms (limit 4.0 ms)",
    "event-loop utilisation 86.0 % (limit 85.0 %)",
  ]);
  assert.deepEqual(judgeVitals({ ...healthy, starvation: 0.08, coalescedShare: 0.006 }, 1).reasons, [
    "coalesced events 0.6 % (limit 0.5 %)",
    "starvation 8.0 % (limit 7.0 %)",
  ]);
  assert.equal(judgeVitals({ ...healthy, starvation: 0.07 }, 1).colour, "green");
});

test("the factor follows the median ITL within 0.5 and 4", () => {
  assert.deepEqual([null, 1000, 20_000, 45_000, 400_000].map(vitalsFactor), [1, 0.5, 1, 2.25, 4]);
});
