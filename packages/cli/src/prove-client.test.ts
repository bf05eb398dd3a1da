import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, requirePlan, type TestPlan } from "@tokenstorm/core";
import { rebuildReport } from "@tokenstorm/report";
import { aRunRecord, runFacts } from "@tokenstorm/testkit";
import { proveClient } from "./prove-client.js";

const plan = requirePlan({
  salt: "k3v9",
  version: 1,
  target: { urls: ["http://127.0.0.1:8000"] },
  load: {
    kind: "users",
    stages: [
      { users: 5, durationMs: 1000 },
      { users: 20, rampUpMs: 100, durationMs: 2000 },
    ],
  },
  thresholds: ["ttft.p99 < 1s"],
});

const record = aRunRecord(plan, {
  shards: [],
  start: { attempt: 1, committed: true, leaderUs: 0, epochUs: 1_000_000, localUs: {} },
});

const facts = runFacts(record);
const report = await rebuildReport({ facts, results: [], events: [] });

const never = () => assert.fail("nothing is run a second time");

test("what is run again is the last level alone, with twice the processes, a ramp and prompts of its own and no thresholds", async () => {
  const asked: { plan: TestPlan; processes: number }[] = [];
  const { report: proved } = await proveClient({
    conducted: { record, report },
    processes: 3,
    onNote: () => undefined,
    runWith: async (again, processes) => {
      asked.push({ plan: again, processes });
      return undefined;
    },
  });
  assert.equal(asked.length, 1);
  assert.equal(asked[0]?.processes, 6);
  const { load, thresholds } = asked[0]?.plan ?? {};
  assert.deepEqual(thresholds, []);
  assert.equal(asked[0]?.plan.salt, undefined, "with the same salt every prompt would be cached");
  assert.ok(load?.kind === "users");
  assert.deepEqual(
    load.stages.map(({ users, durationMs, rampUpMs }) => [users, durationMs, rampUpMs]),
    [[20, 2000, undefined]],
  );
  assert.equal(proved?.proof?.level, "u20");
  assert.match(proved?.proof?.sentence ?? "", /not proved: the run with twice the agents did not complete/);
});

test("where processes cannot be doubled, or the second run cannot begin, the report says so and stays what it was", async () => {
  const one = await proveClient({
    conducted: { record, report },
    processes: null,
    onNote: never,
    runWith: never,
  });
  assert.match(one.report?.proof?.sentence ?? "", /not proved: there is no nats-server here/);
  const refused = await proveClient({
    conducted: { record, report },
    processes: 2,
    onNote: () => undefined,
    runWith: async () => {
      throw new LoadError("AGENTS_INSUFFICIENT", "2 of 4 agents came");
    },
  });
  const broken = await proveClient({
    conducted: { record, report },
    processes: 2,
    onNote: () => undefined,
    runWith: () => Promise.reject(new Error("EMFILE")),
  });
  assert.match(broken.report?.proof?.sentence ?? "", /not proved: EMFILE/);
  assert.match(refused.report?.proof?.sentence ?? "", /not proved: 2 of 4 agents came/);
  assert.deepEqual([refused.report?.proof?.holds, refused.report?.proof?.figures], [null, []]);
  const { proof: _, ...rest } = refused.report ?? {};
  assert.deepEqual(rest, { ...report });
});

test("a run that did not complete proves nothing and runs nothing again", async () => {
  for (const conducted of [
    { record: { ...record, state: "aborted" } as const, report },
    { record: null, report: null },
  ]) {
    const same = await proveClient({ conducted, processes: 2, onNote: never, runWith: never });
    assert.equal(same, conducted);
  }
});
