import assert from "node:assert/strict";
import { test } from "node:test";
import { foldAll, playOn } from "./testing/cluster.js";
import { closedLoop, factsOf, planOf, reportOf, runOf } from "./testing/run-facts.js";
import { seeded } from "./testing/seeded.js";

const S = 1_000_000;
const SECONDS = 20;

/** A ladder on a server that answers up to `limit` requests at a time in half a second; the others wait. */
function ladder(users: readonly number[], limit: number, fails = false) {
  const random = seeded(7);
  const stages = users.map((count) => ({
    users: count,
    rampUpMs: 0,
    settleMs: 0,
    durationMs: SECONDS * 1000,
  }));
  const plan = planOf({ load: { kind: "users", stages } });
  const requests = users.flatMap((count, stage) =>
    closedLoop({
      ...{ stage, users: count, fromUs: stage * SECONDS * S, toUs: (stage + 1) * SECONDS * S },
      e2eUs: () => Math.round(500_000 * Math.max(1, count / limit) * (0.98 + 0.04 * random())),
      fails: () => fails,
    }),
  );
  const run = runOf(plan, requests);
  return reportOf(factsOf(plan, run, 2), foldAll(run, playOn(run, 2)), { stages: run.stages });
}

test("a ladder past what the server answers at a time says where it stopped growing", () => {
  const { saturation } = ladder([2, 4, 8, 16, 32], 10);
  assert.ok(saturation?.kind === "found", JSON.stringify(saturation));
  assert.ok(Math.abs(saturation.inFlight / 10 - 1) < 0.1, JSON.stringify(saturation));
  assert.ok(saturation.low <= 10 && saturation.high >= 10, JSON.stringify(saturation));
});

test("a ladder that keeps growing found none up to its highest level", () => {
  const { saturation } = ladder([2, 4, 8, 16], 1000);
  assert.ok(saturation?.kind === "none" && Math.round(saturation.upTo) === 16, JSON.stringify(saturation));
});

test("a run of one level is no ladder, and one that failed has a sentence", () => {
  assert.equal(ladder([4], 10).saturation, undefined);
  const { saturation } = ladder([4, 8], 10, true);
  assert.ok(saturation?.kind === "unknown" && saturation.because.length > 20, JSON.stringify(saturation));
});
