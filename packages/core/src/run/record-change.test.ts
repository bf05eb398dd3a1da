import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanSchema } from "../plan/schema.js";
import { applyChange, type RecordChange, stopProblem, strongerStop } from "./record-change.js";
import type { RunRecord } from "./run-record.js";

const record: RunRecord = {
  v: 1,
  id: "r1",
  name: "n",
  createdAtMs: 0,
  plan: PlanSchema.parse({
    version: 1,
    target: { urls: ["http://h:1"] },
    load: { kind: "users", stages: [{ users: 1, durationMs: 1000 }] },
  }),
  planDigest: "",
  salt: "s",
  state: "arming",
  term: 3,
  leader: "c",
  revision: 7,
  shards: [],
  start: null,
  stageStartsUs: [null],
  stop: { level: "none", reason: "" },
  problem: null,
  result: null,
};

test("a change keeps what it does not speak of, at the next revision", () => {
  const changed = applyChange(record, { name: "drain", fields: { state: "draining" } });
  assert.deepEqual(changed, { ...record, state: "draining", revision: 8 });
});

test("a stop that stands in the record survives a change; the stronger one wins, and of equals the first", () => {
  const drain = { level: "drain", reason: "a person" } as const;
  const cut = { level: "cut", reason: "the leader" } as const;
  const change = (stop?: RunRecord["stop"]): RecordChange =>
    stop === undefined ? { name: "drain", fields: {} } : { name: "drain", fields: {}, stop };
  assert.deepEqual(applyChange({ ...record, stop: drain }, change())?.stop, drain);
  assert.deepEqual(applyChange({ ...record, stop: drain }, change(cut))?.stop, cut);
  assert.deepEqual(applyChange({ ...record, stop: cut }, change(drain))?.stop, cut);
  const earlier = { level: "cut", reason: "earlier" } as const;
  assert.deepEqual(applyChange({ ...record, stop: earlier }, change(cut))?.stop, earlier);
  assert.equal(strongerStop(drain, undefined), drain);
});

test("no change is made to a run that is over, or is led under a higher term; no start once it was stopped", () => {
  const end: RecordChange = { name: "end", fields: { state: "failed" } };
  for (const state of ["completed", "failed", "aborted"] as const) {
    assert.equal(applyChange({ ...record, state }, end), null);
  }
  assert.equal(applyChange(record, { name: "gather", fields: { term: 2 } }), null);
  assert.equal(applyChange(record, { name: "gather", fields: { term: 4 } })?.term, 4);
  const stopped = { ...record, stop: { level: "drain", reason: "" } } as const;
  assert.equal(applyChange(stopped, { name: "commit", fields: { state: "running" } }), null);
});

test("a stop reads as a sentence, whatever its reason", () => {
  const table: readonly (readonly [string, string])[] = [
    ["", "the run was stopped"],
    ["stopped by Ctrl-C", "the run was stopped by Ctrl-C"],
    ["out of time", "the run was stopped: out of time"],
  ];
  for (const [reason, message] of table) {
    assert.deepEqual(stopProblem({ level: "cut", reason }), { code: "RUN_ABORTED", message });
  }
});
