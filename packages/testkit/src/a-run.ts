import type { RunFacts, RunRecord, TestPlan } from "@tokenstorm/core";
import { resolveStages } from "@tokenstorm/core";

/** The record of a run that completed, committed at leader's time 0 with one agent `a`; changed as asked for. */
export function aRunRecord(plan: TestPlan, change: Partial<RunRecord> = {}): RunRecord {
  return {
    v: 1,
    id: "r1",
    name: plan.name ?? "run",
    createdAtMs: 1,
    plan,
    planDigest: "d",
    salt: "s",
    state: "completed",
    term: 1,
    leader: "l",
    revision: 9,
    shards: [
      {
        agent: "a",
        instance: "i",
        epoch: 1,
        index: 0,
        host: "h",
        version: "0",
        clockOffsetUs: 0,
        clockErrorUs: 5,
      },
    ],
    start: { attempt: 1, committed: true, leaderUs: 0, epochUs: 1_000_000, localUs: { a: 0 } },
    stageStartsUs: resolveStages(plan).map(() => 0),
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
    ...change,
  };
}

/** What a leader knew of a run at its end, with targets that were never scraped. */
export function runFacts(record: RunRecord, change: Partial<RunFacts> = {}): RunFacts {
  return {
    schemaVersion: 1,
    record,
    transport: "nats",
    version: "0",
    model: null,
    wordsPerToken: null,
    templateTokens: null,
    serverVersion: null,
    endedAtMs: 4000,
    endUs: 1_000_000,
    serverBefore: null,
    serverAfter: null,
    refusals: 0,
    ...change,
  };
}
