import assert from "node:assert/strict";
import { test } from "node:test";
import { type LiveUpdate, LoadError, type LoadErrorCode, type RunRecord } from "@tokenstorm/core";
import {
  createOperations,
  findLeader,
  findRun,
  getReport,
  KeptRuns,
  listAgents,
  listRuns,
  planDigest,
  reportBlob,
  stopRun,
  submitRun,
  watchRun,
} from "@tokenstorm/protocol";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster, testPlan } from "./testing/cluster.js";

function empty(): Cluster {
  return new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
}

const failsWith = (code: LoadErrorCode, says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LoadError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, says);
  return true;
};

async function submitAs(cluster: Cluster, id: string, createdAtMs: number): Promise<RunRecord> {
  return submitRun(cluster, { plan: testPlan(), id, salt: "s", createdAtMs });
}

test("runs are found by the beginning of their id, the latest where none is named", async () => {
  const cluster = empty();
  await assert.rejects(findRun(cluster.transport, undefined), failsWith("RUN_UNKNOWN", /no run yet/));
  await submitAs(cluster, "abc1", 3000);
  await submitAs(cluster, "abd", 9000);
  await submitAs(cluster, "ab", 1000);
  await cluster.transport.state.compareAndSet("run.broken", new Uint8Array([1, 2]), undefined);
  assert.deepEqual(
    (await listRuns(cluster.transport)).map(({ id }) => id),
    ["abd", "abc1", "ab"],
  );
  assert.equal((await findRun(cluster.transport, undefined)).id, "abd");
  assert.equal((await findRun(cluster.transport, "abc")).id, "abc1");
  // An exact id is meant, though others begin with it.
  assert.equal((await findRun(cluster.transport, "ab")).id, "ab");
  await assert.rejects(
    findRun(cluster.transport, "a"),
    failsWith("RUN_UNKNOWN", /3 runs begin with a: abd, abc1, ab/),
  );
  await assert.rejects(findRun(cluster.transport, "x"), failsWith("RUN_UNKNOWN", /there is no run x/));
});

/** How often the store was asked for each key; a list of keys counts as "*". */
function counting(cluster: Cluster) {
  const { state, bus, blobs, dataSets } = cluster.transport;
  let asked: string[] = [];
  const counted: typeof state = {
    ...state,
    get: (key) => {
      asked.push(key);
      return state.get(key);
    },
    keys: (prefix) => {
      asked.push("*");
      return state.keys(prefix);
    },
  };
  return {
    transport: { state: counted, bus, blobs, dataSets },
    asked: () => {
      const all = asked;
      asked = [];
      return all;
    },
  };
}

test("a whole id is read without a list, the beginning of one reads those that begin so, and what is over is read once", async () => {
  const cluster = empty();
  const { transport, asked } = counting(cluster);
  const operations = createOperations(
    { transport, subjects: cluster.subjects },
    { clock: cluster.clock, newId: () => "x" },
  );
  for (const id of ["r1", "r2", "s1", "s2"]) await submitAs(cluster, id, 0);
  await stopRun(cluster, { run: "r1", level: "cut", reason: "" });
  await operations.run("s1");
  assert.deepEqual(asked(), ["run.s1"]);
  await assert.rejects(operations.run("r"), failsWith("RUN_UNKNOWN", /2 runs begin with r/));
  assert.deepEqual(asked().sort(), ["*", "run.r", "run.r1", "run.r2"]);
  await operations.runs();
  assert.deepEqual(asked().sort(), ["*", "run.r2", "run.s1", "run.s2"]);
  // What is not over yet is read again, and what is not there any more is forgotten.
  await stopRun(cluster, { run: "s2", level: "cut", reason: "" });
  await transport.state.delete("run.r1");
  const rows = await operations.runs();
  assert.deepEqual(
    rows.map(({ id, state }) => [id, state]),
    [
      ["r2", "submitted"],
      ["s1", "submitted"],
      ["s2", "aborted"],
    ],
  );
});

test("records that are kept have a bound in bytes, and one that was deleted makes room", async () => {
  const cluster = empty();
  const record = { ...(await submitAs(cluster, "r1", 0)), state: "aborted" as const };
  const kept = new KeptRuns({ mostBytes: 250 });
  for (const key of ["run.a", "run.b", "run.c"]) kept.add(key, record, 100);
  kept.add("run.open", { ...record, state: "running" }, 1);
  const held = () => ["run.a", "run.b", "run.c", "run.open"].filter((key) => kept.get(key) !== undefined);
  assert.deepEqual(held(), ["run.a", "run.b"]);
  kept.keepOnly(["run.b", "run.c"]);
  kept.add("run.c", record, 100);
  assert.deepEqual(held(), ["run.b", "run.c"]);
});

test("an id that is taken is refused, and ids that are none never reach the store", async () => {
  const cluster = empty();
  await submitAs(cluster, "r1", 0);
  await assert.rejects(submitAs(cluster, "r1", 0), failsWith("RUN_UNKNOWN", /r1 is there already/));
  await assert.rejects(submitAs(cluster, "r.1", 0), failsWith("PROTOCOL_MALFORMED", /r\.1/));
  const stop = { run: "nope", level: "cut", reason: "" } as const;
  await assert.rejects(stopRun(cluster, stop), failsWith("RUN_UNKNOWN", /there is no run nope/));
});

test("a stop is written once, grows stronger only, and leaves what is over alone", async () => {
  const cluster = empty();
  cluster.coordinate();
  cluster.agent("a1", { script: { prepareMs: 20_000 } });
  cluster.agent("a2");
  await cluster.submit();
  await cluster.untilState("preparing");
  const drained = await stopRun(cluster, { run: "r1", level: "drain", reason: "first" });
  assert.deepEqual(drained.stop, { level: "drain", reason: "first" });
  const cut = await stopRun(cluster, { run: "r1", level: "cut", reason: "second" });
  assert.deepEqual([cut.stop, cut.revision], [{ level: "cut", reason: "second" }, drained.revision + 1]);
  const again = await stopRun(cluster, { run: "r1", level: "drain", reason: "third" });
  assert.deepEqual([again.stop.reason, again.revision], ["second", cut.revision]);
  const over = await cluster.untilOver();
  assert.equal((await stopRun(cluster, { run: "r1", level: "cut", reason: "late" })).revision, over.revision);
});

test("a watch shows every state from whenever it began, and gives the end", async () => {
  const cluster = empty();
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.submit();
  const states: string[] = [];
  const live: LiveUpdate[] = [];
  const watch = watchRun(cluster, {
    clock: cluster.clock,
    run: "r1",
    onRecord: (record) => states.push(record.state),
    onLive: (update) => live.push(update),
  });
  await cluster.untilState("running");
  const late = watchRun(cluster, { clock: cluster.clock, run: "r1" });
  await cluster.untilOver();
  await cluster.pass(1500);
  const [first, second] = await Promise.all([watch.ended, late.ended]);
  assert.deepEqual([first.state, second.state], ["completed", "completed"]);
  assert.equal(states[0], "submitted");
  assert.ok(states.includes("running") && states.at(-1) === "completed", states.join());
  assert.ok(live.length >= 4);
});

test("garbage on the live subject does not disturb a watch, and a closed one hears nothing", async () => {
  const cluster = empty();
  await submitAs(cluster, "r1", 0);
  let calls = 0;
  const count = () => {
    calls += 1;
  };
  const watch = watchRun(cluster, { clock: cluster.clock, run: "r1", onRecord: count, onLive: count });
  cluster.transport.bus.publish(cluster.subjects.live("r1"), new Uint8Array([9, 9]));
  await cluster.pass(3000);
  assert.equal(calls, 1);
  watch.close();
  watch.close();
  await stopRun(cluster, { run: "r1", level: "cut", reason: "" });
  await cluster.pass(3000);
  assert.equal(calls, 1);
});

test("a watch outlives an outage of the store, but not for ever", async () => {
  const cluster = empty();
  await submitAs(cluster, "r1", 0);
  let isOut = false;
  const { state, bus } = cluster.transport;
  const flaky: typeof state = {
    ...state,
    get: async (key) => {
      if (isOut) throw new LoadError("BUS_UNAVAILABLE", "no answer");
      return state.get(key);
    },
  };
  const watch = watchRun(
    { transport: { bus, state: flaky }, subjects: cluster.subjects },
    { clock: cluster.clock, run: "r1" },
  );
  let error: unknown;
  void watch.ended.catch((reason: unknown) => {
    error = reason;
  });
  isOut = true;
  await cluster.pass(50_000);
  isOut = false;
  await cluster.pass(2000);
  isOut = true;
  await cluster.pass(58_000);
  assert.equal(error, undefined);
  await cluster.pass(5000);
  failsWith("BUS_UNAVAILABLE", /no answer/)(error);
});

test("a watch of a run that is not there says so", async () => {
  const cluster = empty();
  const watch = watchRun(cluster, { clock: cluster.clock, run: "r9" });
  await assert.rejects(watch.ended, failsWith("RUN_UNKNOWN", /there is no run r9/));
});

test("agents and the leader are heard within a little more than a second, garbage is passed over", async () => {
  const cluster = empty();
  cluster.coordinate();
  cluster.agent("b1", { labels: { zone: "x" } });
  cluster.agent("a1");
  await cluster.pass(2000);
  const began = cluster.clock.nowUs();
  const heard = Promise.all([listAgents(cluster, cluster.clock), findLeader(cluster, cluster.clock)]);
  for (const subject of [cluster.subjects.beacon, cluster.subjects.heartbeat("z")]) {
    cluster.transport.bus.publish(subject, new Uint8Array([1]));
  }
  await cluster.pass(1200);
  const [agents, leader] = await heard;
  assert.equal(cluster.clock.nowUs() - began, 1_200_000);
  assert.deepEqual(
    agents.map(({ agent, labels }) => [agent, labels]),
    [
      ["a1", {}],
      ["b1", { zone: "x" }],
    ],
  );
  assert.equal(leader?.leader, "c1");
});

test("nobody there gives an empty list and no leader", async () => {
  const cluster = empty();
  const heard = Promise.all([listAgents(cluster, cluster.clock), findLeader(cluster, cluster.clock)]);
  await cluster.pass(1200);
  assert.deepEqual(await heard, [[], undefined]);
});

test("a report that is not there, or is none, is refused in words; unknown fields are kept", async () => {
  const cluster = empty();
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2");
  await cluster.submit();
  const early = await cluster.record();
  await assert.rejects(
    getReport(cluster.transport, early),
    failsWith("RESULTS_UNREADABLE", /no report .* is submitted/),
  );
  const record = await cluster.untilOver();
  const report = await getReport(cluster.transport, record);
  const put = (text: string) =>
    cluster.transport.blobs.put(reportBlob("r1", record.term), new TextEncoder().encode(text));
  await put(JSON.stringify({ ...report, later: { field: 1 } }));
  assert.deepEqual(await getReport(cluster.transport, record), { ...report, later: { field: 1 } });
  // What stands under the name of its term is the run's only when the record says so; of older leaders it is another name.
  await assert.rejects(
    getReport(cluster.transport, { ...record, state: "delivering", result: null }),
    failsWith("RESULTS_UNREADABLE", /no report .* is delivering/),
  );
  const unput = { directory: "/runs/x", reportBlob: null };
  await assert.rejects(getReport(cluster.transport, { ...record, result: unput }), {
    code: "RESULTS_UNREADABLE",
    message: "the object store has no report of run r1",
    hint: "its coordinator's host may have it: tokenstorm report /runs/x",
  });
  await cluster.transport.blobs.put("report-r1", new TextEncoder().encode(JSON.stringify(report)));
  const older = { directory: "", reportBlob: "report-r1" };
  assert.deepEqual(await getReport(cluster.transport, { ...record, result: older }), report);
  const broken: readonly (readonly [string, RegExp])[] = [
    ["{", /it is no JSON/],
    ["7", /of another form/],
    [JSON.stringify({ ...report, schemaVersion: 2 }), /schema version 2/],
    [JSON.stringify({ ...report, stages: [{ ...report.stages[0], rates: {} }] }), /stages\.0\.rates/],
  ];
  for (const [text, says] of broken) {
    await put(text);
    await assert.rejects(getReport(cluster.transport, record), failsWith("RESULTS_UNREADABLE", says));
  }
});

test("a plan that nobody could read back is refused, and not put into the store", async () => {
  const cluster = empty();
  const submit = (change: object) =>
    submitRun(cluster, { plan: { ...testPlan(), ...change }, id: "r1", salt: "s", createdAtMs: 0 });
  const broken = submit({ metricsUrls: ["http://h\u0000/metrics"] });
  await assert.rejects(broken, failsWith("PLAN_INVALID", /cannot be handed over: .*metricsUrls/));
  const huge = submit({ metricsUrls: Array.from({ length: 1000 }, () => `http://h/${"x".repeat(2000)}`) });
  await assert.rejects(huge, failsWith("PLAN_INVALID", /cannot be handed over: .*limit/));
  await assert.rejects(huge, { hint: "shorten metricsUrls: it is most of the plan" });
  const target = {
    ...testPlan().target,
    urls: Array.from({ length: 1000 }, () => `http://h/${"x".repeat(2000)}`),
  };
  await assert.rejects(submit({ target }), { hint: "shorten target.urls: it is most of the plan" });
  assert.deepEqual(await listRuns(cluster.transport), []);
});

test("the digest is that of the plan, not of how it was written", () => {
  const one = testPlan({ seed: 3, name: "n" });
  const shuffled = Object.fromEntries(Object.entries(one).reverse());
  assert.equal(planDigest({ ...one, ...shuffled }), planDigest(one));
  assert.notEqual(planDigest(testPlan({ seed: 4, name: "n" })), planDigest(one));
  assert.match(planDigest(one), /^[0-9a-f]{64}$/);
});

test("operations list runs with their verdicts, and one that cannot be read costs its own row alone", async () => {
  const cluster = empty();
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2");
  let ids = 0;
  const operations = createOperations(cluster, {
    clock: cluster.clock,
    newId: (length) => `n${(++ids).toString().padStart(length - 1, "0")}`,
  });
  const { id, salt } = await operations.submit(testPlan({ name: "first" }));
  assert.deepEqual([id.length, salt.length], [6, 8]);
  assert.deepEqual(
    (await operations.runs()).map(({ state, verdict }) => [state, verdict]),
    [["submitted", null]],
  );
  assert.equal((await operations.runsUnderWay()).length, 1);
  const record = await cluster.untilOver(id);
  const { verdict } = await operations.report(record);
  const [row] = await operations.runs();
  assert.deepEqual(
    [row?.id, row?.name, row?.agents, row?.verdict, row?.thresholds],
    [id, "first", 2, verdict.status, verdict.thresholds],
  );
  assert.deepEqual(await operations.runsUnderWay(), []);
  // What is known of a run that is over is not read again; whoever asks for the first time reads what is there.
  await cluster.transport.blobs.put(reportBlob(id, record.term), new TextEncoder().encode("{"));
  assert.equal((await operations.runs())[0]?.verdict, verdict.status);
  const others = createOperations(cluster, { clock: cluster.clock, newId: () => "x" });
  assert.equal((await others.runs())[0]?.verdict, null);
});

test("operations find agents and the leader by listening, and ask only an agent without a run for its clock", async () => {
  const cluster = empty();
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2");
  const operations = createOperations(cluster, { clock: cluster.clock, newId: () => "s1" });
  await cluster.submit();
  await cluster.untilState("running");
  cluster.agent("a3");
  const probed: Record<string, number> = {};
  for (const agent of ["a1", "a2", "a3"]) {
    cluster.transport.bus.subscribe(cluster.subjects.clock(agent), () => {
      probed[agent] = (probed[agent] ?? 0) + 1;
    });
  }
  const asked = Promise.all([operations.agents(), operations.leader()]);
  await cluster.pass(1300);
  const [agents, leader] = await asked;
  assert.equal(leader?.leader, "c1");
  assert.deepEqual(
    agents.map(({ agent, clockErrorUs }) => [agent, clockErrorUs !== null]),
    [
      ["a1", true],
      ["a2", true],
      ["a3", true],
    ],
  );
  assert.deepEqual(probed, { a3: 16 });
  // What was found a moment ago is not asked for again.
  const again = operations.agents();
  await cluster.pass(1300);
  assert.equal((await again)[2]?.clockErrorUs, agents[2]?.clockErrorUs);
  assert.deepEqual(probed, { a3: 16 });
});
