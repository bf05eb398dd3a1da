import assert from "node:assert/strict";
import { test } from "node:test";
import { recoverZeroUs } from "./leader-resume.js";
import type { ShardAssignment } from "./run-record.js";

const shards = ["a1", "a2", "a3"].map(
  (agent, index): ShardAssignment => ({
    agent,
    instance: `${agent}-1`,
    epoch: 1,
    index,
    host: "h",
    version: "0",
    clockOffsetUs: 0,
    clockErrorUs: 0,
  }),
);
/** How an agent's clock stands to the new leader's. */
const offset = (offsetUs: number) => ({ offsetUs, errorUs: 10, rttUs: 20 });

test("time zero on a new leader's clock is the median of what the agents' own clocks say", () => {
  const localUs = { a1: 1_000_000, a2: 900_000_020, a3: 5_000_100 };
  const offsets = new Map([
    ["a1", offset(-6_000_000)],
    ["a2", offset(893_000_000)],
    ["a3", offset(-2_000_000)],
  ]);
  assert.equal(recoverZeroUs(localUs, shards, offsets), 7_000_020);
  offsets.delete("a3");
  assert.equal(recoverZeroUs(localUs, shards, offsets), 7_000_010);
  assert.equal(recoverZeroUs(localUs, shards, new Map()), null, "nobody answered");
});
