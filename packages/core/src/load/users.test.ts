import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResolvedStage } from "./stages.js";
import { quotaOf, usersOfShard } from "./users.js";

function userStage(
  users: number,
  more: Partial<Extract<ResolvedStage, { kind: "users" }>> = {},
): Extract<ResolvedStage, { kind: "users" }> {
  return {
    kind: "users",
    index: 1,
    name: "u",
    isWarmUp: false,
    users,
    staying: 0,
    rampUpUs: 0,
    settleUs: 0,
    thinkUs: 0,
    bound: { kind: "duration", durationUs: 1_000_000 },
    ...more,
  };
}

test("added users start evenly over the ramp, staying ones at once", () => {
  const stage = userStage(5, { staying: 2, rampUpUs: 1_000_000 });
  assert.deepEqual(
    usersOfShard(stage, { index: 0, count: 1 }).map(({ startOffsetUs }) => startOffsetUs),
    [0, 0, 0, 333_333, 666_667],
  );
});

test("a user belongs to the agent that it is congruent to", () => {
  const stage = userStage(7, { rampUpUs: 700_000 });
  assert.deepEqual(usersOfShard(stage, { index: 2, count: 3 }), [
    { user: 2, startOffsetUs: 200_000, quota: null },
    { user: 5, startOffsetUs: 500_000, quota: null },
  ]);
  assert.deepEqual(usersOfShard(userStage(2), { index: 5, count: 7 }), []);
});

test("quotas add up to the number of requests and differ by at most one", () => {
  for (const users of [1, 2, 3, 7, 10, 1000]) {
    for (const requests of [1, 2, 3, 9, 10, 11, 47, 999, 1001]) {
      const stage = userStage(users, { bound: { kind: "requests", requests, maxDurationUs: 1 } });
      const quotas = usersOfShard(stage, { index: 0, count: 1 }).map(({ quota }) => quota ?? -1);
      assert.equal(
        quotas.reduce((sum, quota) => sum + quota, 0),
        requests,
        `${requests} by ${users}`,
      );
      assert.ok(Math.max(...quotas) - Math.min(...quotas) <= 1);
      assert.ok(quotas.every((quota) => quota >= 0 && Object.is(quota, Math.abs(quota))));
    }
  }
  assert.equal(quotaOf(3, 5, 10), 0);
});
