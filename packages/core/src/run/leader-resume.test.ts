import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanSchema } from "../plan/schema.js";
import { leadRun } from "./leader-machine.js";
import { recoverZeroUs, resumeLeading } from "./leader-resume.js";
import type { RunRecord, ShardAssignment } from "./run-record.js";

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

test("a run that is taken over while it delivers, and of which nobody said when it had drained, has an end all the same", () => {
  const plan = PlanSchema.parse({
    version: 1,
    target: { urls: ["http://h:8000"] },
    load: { kind: "users", stages: [{ users: 3, durationMs: 1000 }] },
  });
  const localUs = { a1: 1_000_000, a2: 1_000_000, a3: 1_000_000 };
  const record: RunRecord = {
    v: 1,
    id: "r1",
    name: "r",
    createdAtMs: 0,
    plan,
    planDigest: "",
    salt: "s",
    state: "delivering",
    term: 2,
    leader: "l",
    revision: 5,
    shards,
    start: { attempt: 1, committed: true, leaderUs: 7, epochUs: 0, localUs },
    stageStartsUs: [0, 100],
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
  };
  const config = { term: 2, leader: "l", epoch: 1, epochOffsetUs: 0, listeningSinceUs: 0 };
  for (const endUs of [0, 4_000_000]) {
    const { state } = leadRun(resumeLeading(record, config, 0).state, {
      kind: "restored",
      nowUs: 0,
      endUs,
      isScraped: true,
    });
    const offsets = new Map(shards.map(({ agent }) => [agent, offset(0)]));
    const { effects } = leadRun(state, { kind: "probed", nowUs: 9_000_000, offsets });
    assert.deepEqual(
      effects.filter(({ kind }) => kind === "drained"),
      endUs === 0 ? [{ kind: "drained", endUs: 8_000_000 }] : [],
    );
  }
});
