import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError, type PlanInput, type Problem, type RunRecord } from "@tokenstorm/core";
import { decodeRunRecord, getReport } from "@tokenstorm/protocol";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";
import type { FakeAgentOptions } from "./testing/fake-agent.js";

type AgentOptions = Partial<Omit<FakeAgentOptions, "id" | "clock">>;

async function cluster(...agents: readonly AgentOptions[]): Promise<Cluster> {
  const started = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  started.coordinate();
  agents.forEach((options, i) => {
    started.agent(`a${i + 1}`, options);
  });
  await started.pass(100);
  return started;
}

const refused: Problem = { code: "TARGET_UNREACHABLE", message: "http://h:1 refuses the connection" };

/** The plan asks for two agents and waits five seconds. */
const beforeTheStart: readonly {
  readonly name: string;
  readonly agents: readonly AgentOptions[];
  readonly plan?: Parameters<Cluster["submit"]>[0];
  readonly code: Problem["code"];
  readonly says: readonly RegExp[];
  readonly withinMs: number;
}[] = [
  {
    name: "no agents",
    agents: [],
    code: "AGENTS_INSUFFICIENT",
    says: [/asks for 2 agents and 0 are there after 5 s/],
    withinMs: 6_000,
  },
  {
    name: "fewer agents than asked",
    agents: [{}],
    code: "AGENTS_INSUFFICIENT",
    says: [/asks for 2 agents and 1 is there \(a1 on host-a1\)/],
    withinMs: 6_000,
  },
  {
    name: "agents without the label",
    agents: [{ labels: { zone: "a" } }, { labels: { zone: "b" } }, {}],
    plan: { agents: { min: 2, waitMs: 5000, labels: { zone: "a" } } },
    code: "AGENTS_INSUFFICIENT",
    says: [
      /1 is there \(a1 on host-a1\)/,
      /a2 on host-a2: it lacks the label zone=a/,
      /a3 on host-a3: it lacks/,
    ],
    withinMs: 6_000,
  },
  {
    name: "an agent that cannot prepare",
    agents: [{}, { script: { refuses: refused } }],
    code: "TARGET_UNREACHABLE",
    says: [/^agent a2 on host-a2: http:\/\/h:1 refuses/],
    withinMs: 4_000,
  },
  {
    name: "an agent that never becomes ready",
    agents: [{}, { script: { prepareMs: 1e9 } }],
    code: "AGENT_NOT_READY",
    says: [/^not ready after 60 s: a2 on host-a2$/],
    withinMs: 65_000,
  },
  {
    name: "an agent that would send something else",
    agents: [{}, { script: { ready: { walkDigest: "d2" } } }, {}],
    code: "AGENT_NOT_READY",
    says: [/^a2 on host-a2 found other requests out of the same plan: d2 instead of d1$/],
    withinMs: 4_000,
  },
  {
    name: "an agent of another version",
    agents: [{}, {}, { script: { ready: { version: "9.9.9", walkDigest: "d2" } } }],
    code: "AGENT_NOT_READY",
    says: [/^a3 on host-a3 found another version of tokenstorm: 9\.9\.9 instead of 0\.1\.0$/],
    withinMs: 4_000,
  },
  {
    name: "agents that see different models",
    agents: [{ script: { ready: { model: "other" } } }, {}, {}],
    code: "AGENT_NOT_READY",
    says: [/^a1 on host-a1 found another model: other instead of test-model$/],
    withinMs: 4_000,
  },
  {
    name: "an agent that does not answer clock probes",
    agents: [{}, { script: { answersProbes: false } }],
    code: "AGENT_NOT_READY",
    says: [/no answer to clock probes from a2 on host-a2/],
    withinMs: 12_000,
  },
  {
    name: "an agent that does not arm in three attempts",
    agents: [{}, { script: { deafToAttempts: [1, 2, 3] } }],
    code: "AGENT_NOT_READY",
    says: [/^not armed in 3 attempts: a2 on host-a2$/],
    withinMs: 12_000,
  },
];

for (const { name, agents, plan, code, says, withinMs } of beforeTheStart) {
  test(`${name}: the run fails by name, and the next one is led`, async () => {
    const failing = await cluster(...agents);
    await failing.submit(plan ?? {});
    const record = await failing.untilOver("r1", withinMs);
    assert.equal(record.state, "failed");
    assert.equal(record.problem?.code, code);
    for (const pattern of says) assert.match(record.problem?.message ?? "", pattern);
    assert.equal(record.start?.committed ?? false, false);
    await failing.submit({ agents: { min: 1, waitMs: 0 } });
    await failing.until(
      "the next run is led",
      async () => (await failing.record("r2")).state !== "submitted",
    );
  });
}

test("an agent that arms at the second attempt delays the start, and nothing else", async () => {
  const late = await cluster({}, { script: { deafToAttempts: [1] } });
  await late.submit();
  const record = await late.untilOver();
  assert.equal(record.state, "completed");
  assert.equal(record.start?.attempt, 2);
});

test("an agent that does not start with the others ends the run by name", async () => {
  const absent = await cluster({}, { script: { missesCommit: true } });
  await absent.submit({ load: longLoad });
  const record = await absent.untilOver();
  assert.deepEqual([record.state, record.problem?.code], ["failed", "AGENT_NOT_READY"]);
  assert.match(record.problem?.message ?? "", /did not start with the others: a2 on host-a2/);
  assert.equal(record.stop.level, "cut");
});

test("a start that the store does not take in time starts nobody, and the run fails", async () => {
  const slow = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = slow.hub.connect();
  let isOut = false;
  const state: typeof transport.state = {
    ...transport.state,
    compareAndSet: async (key, value, expected) => {
      if (key === "run.r1" && decodeRunRecord(value).start?.committed === true) {
        isOut = slow.clock.nowUs() < (decodeRunRecord(value).start?.leaderUs ?? 0) + 3_000_000;
      }
      if (isOut) throw new LoadError("BUS_UNAVAILABLE", "no answer");
      return transport.state.compareAndSet(key, value, expected);
    },
  };
  slow.coordinate({ transport: { ...transport, state } });
  slow.agent("a1");
  slow.agent("a2");
  await slow.submit();
  await slow.untilState("arming");
  // Less than the lease lives without an answer.
  await slow.pass(6000);
  isOut = false;
  const record = await slow.untilOver("r1", 5000);
  assert.deepEqual([record.state, record.problem?.code], ["failed", "BUS_UNAVAILABLE"]);
  assert.match(record.problem?.message ?? "", /could not be committed before time zero/);
  assert.equal(record.start?.committed, false);
  assert.ok(slow.agents.every(({ appended }) => appended.length === 0));
});

const longLoad: PlanInput["load"] = {
  kind: "users",
  stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }],
};

/** A run of a minute, ten seconds after its start. */
async function running(...agents: readonly AgentOptions[]): Promise<Cluster> {
  const started = await cluster(...agents);
  await started.submit({ load: longLoad });
  await started.untilState("running");
  await started.pass(10_000);
  return started;
}

async function endedByLoss(
  lossy: Cluster,
  withinMs: number,
  level: RunRecord["stop"]["level"] = "cut",
): Promise<RunRecord> {
  const record = await lossy.untilOver("r1", withinMs);
  assert.equal(record.state, "failed");
  assert.equal(record.problem?.code, "AGENT_LOST");
  assert.equal(record.stop.level, level);
  return record;
}

test("an agent that falls silent ends the run after five seconds; what it had delivered is reported", async () => {
  const lossy = await running({}, {});
  lossy.agents[1]?.kill();
  const killedAt = lossy.clock.nowUs();
  await lossy.until("it is lost", async () => (await lossy.record()).problem !== null, 8000);
  assert.ok(lossy.clock.nowUs() - killedAt >= 4_000_000);
  const record = await endedByLoss(lossy, 20_000);
  assert.match(record.problem?.message ?? "", /^agent a2 on host-a2 was lost: silent for 5\.\d s$/);
  assert.ok(lossy.beacons.some(({ givenUp }) => givenUp.includes("a2")));
  const report = await getReport(lossy.transport, record);
  assert.equal(report.verdict.status, "invalid");
  assert.ok((report.agents.find(({ id }) => id === "a2")?.intervals ?? 0) >= 5);
  assert.ok((report.agents.find(({ id }) => id === "a1")?.intervals ?? 0) >= 10);
  assert.equal(lossy.agents[0]?.state, "idle");
});

test("an agent process that was restarted is lost, though its id is back", async () => {
  const lossy = await running({}, {});
  lossy.agents[1]?.kill();
  await lossy.pass(200);
  lossy.agent("a2", { instance: "a2-2" });
  const record = await endedByLoss(lossy, 20_000);
  assert.match(record.problem?.message ?? "", /a2 on host-a2 (was restarted|was lost)/);
});

test("an agent that fails in mid-run ends the run with its own problem", async () => {
  const failing = await running({}, {});
  failing.agents[1]?.fail({ code: "BUS_DENIED", message: "its results are refused" });
  const record = await failing.untilOver("r1", 20_000);
  assert.deepEqual([record.state, record.problem?.code], ["failed", "BUS_DENIED"]);
  assert.equal(record.problem?.message, "agent a2 on host-a2: its results are refused");
});

test("an agent that is ended by its operator is a loss, not an abort of the run, and no request is broken", async () => {
  const closed = await running({}, {});
  const [agent] = closed.agents;
  assert.ok(agent !== undefined);
  agent.problem = { code: "RUN_ABORTED", message: "the agent was closed" };
  agent.leaveEarly();
  const record = await endedByLoss(closed, 20_000, "drain");
  assert.equal(record.problem?.message, "agent a1 on host-a1: the agent was closed");
  const report = await getReport(closed.transport, record);
  assert.equal(report.totals.requests.cancelled, 0);
  assert.equal(report.completeness.intervalsReceived, report.completeness.intervalsExpected);
  assert.deepEqual(report.completeness.missing, []);
});

test("an agent that was asked to end is waited for while it drains, and lost when it dies of it", async () => {
  for (const dies of [false, true]) {
    const slow = await running({}, {});
    const [agent] = slow.agents;
    assert.ok(agent !== undefined);
    agent.holdRequests();
    agent.problem = { code: "RUN_ABORTED", message: "the agent was closed" };
    agent.leaveEarly();
    await slow.until("it drains", async () => (await slow.record()).state === "draining", 3000);
    await slow.pass(3000);
    assert.equal((await slow.record()).state, "draining", "its requests are still under way");
    assert.ok(!slow.beacons.some(({ givenUp }) => givenUp.includes("a1")));
    if (dies) agent.kill();
    const record = await endedByLoss(slow, 60_000, dies ? "cut" : "drain");
    assert.equal(record.problem?.message, "agent a1 on host-a1: the agent was closed");
    assert.equal(
      slow.beacons.some(({ givenUp }) => givenUp.includes("a1")),
      dies,
    );
  }
});

test("an agent that is asked to end when the load has ended anyway spoils nothing", async () => {
  const late = await running({}, {});
  for (const agent of late.agents) agent.holdRequests();
  await late.until("it drains", async () => (await late.record()).state === "draining", 300_000);
  const [agent] = late.agents;
  assert.ok(agent !== undefined);
  agent.problem = { code: "RUN_ABORTED", message: "the agent was closed" };
  const record = await late.untilOver("r1", 120_000);
  assert.deepEqual([record.state, record.problem], ["completed", null]);
});

test("an agent that ends its load before the others ends the run by name", async () => {
  const leaving = await running({}, {});
  leaving.agents[1]?.leaveEarly();
  const record = await endedByLoss(leaving, 20_000);
  assert.match(record.problem?.message ?? "", /ended its load .* went on: a2 on host-a2/);
});

test("while the leader's own beacon does not come back, silence is the bus's and nobody is lost", async () => {
  const deaf = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = deaf.hub.connect();
  let isBroken = false;
  const bus: typeof transport.bus = {
    ...transport.bus,
    subscribe: (subject, handler) =>
      transport.bus.subscribe(subject, (message) => isBroken || handler(message)),
  };
  deaf.coordinate({ transport: { ...transport, bus } });
  deaf.agent("a1");
  deaf.agent("a2");
  await deaf.pass(100);
  await deaf.submit({ load: longLoad });
  await deaf.untilState("running");
  await deaf.pass(5000);
  isBroken = true;
  await deaf.pass(20_000);
  isBroken = false;
  const record = await deaf.untilOver();
  assert.deepEqual([record.state, record.problem], ["completed", null]);
});

test("intervals that the log lost are asked for again, and only those", async () => {
  const lossy = await cluster({}, { script: { loses: [3, 4] } });
  await lossy.submit({
    load: { kind: "users", stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 8000 }] },
  });
  const record = await lossy.untilOver();
  assert.equal(record.state, "completed");
  const { completeness } = await getReport(lossy.transport, record);
  assert.equal(completeness.intervalsReceived, completeness.intervalsExpected);
  assert.deepEqual(completeness.missing, []);
  const asked = new Set(lossy.beacons.flatMap(({ resend }) => resend["a2"]?.seqs ?? []));
  assert.deepEqual([...asked].sort(), [3, 4]);
  // Not before they could be thought lost: the third was cut three seconds after the start.
  const first = lossy.beacons.find(({ resend }) => resend["a2"] !== undefined);
  assert.ok((first?.leaderUs ?? 0) - (record.start?.leaderUs ?? 0) >= 5_000_000);
  assert.ok(lossy.beacons.every(({ resend }) => resend["a1"] === undefined));
});

test("an interval that no agent has any more is missing: the result is degraded by agent, window and count, and no worse", async () => {
  const forgetful = await cluster({}, { script: { loses: [3, 4], forgets: [4] } });
  await forgetful.submit({ load: longLoad });
  const record = await forgetful.untilOver();
  assert.deepEqual([record.state, record.problem, record.result?.isWhole], ["completed", null, false]);
  const { completeness, verdict } = await getReport(forgetful.transport, record);
  assert.deepEqual(completeness.missing, [{ agent: "a2", from: 4, to: 4 }]);
  assert.equal(completeness.intervalsExpected - completeness.intervalsReceived, 1);
  const named = `1 of ${completeness.intervalsExpected} intervals are missing (a2 4: 3-4 s)`;
  assert.ok(verdict.reasons.includes(named), verdict.reasons.join("\n"));
  assert.equal(verdict.status, "degraded", verdict.reasons.join("\n"));
  assert.match(forgetful.logged.join("\n"), /results not complete in time: a2 on host-a2/);
});

test("a final that the log lost is asked for again", async () => {
  const lossy = await cluster({}, { script: { losesFinal: true } });
  await lossy.submit();
  const record = await lossy.untilOver();
  assert.equal(record.state, "completed");
  const { completeness } = await getReport(lossy.transport, record);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
});

test("a final that never comes is waited for within its limit; the report says that it is missing", async () => {
  const silent = await cluster({}, { script: { keepsFinal: true } });
  await silent.submit();
  await silent.untilState("delivering");
  const began = silent.clock.nowUs();
  const record = await silent.untilOver("r1", 20_000);
  assert.ok(silent.clock.nowUs() - began >= 11_900_000);
  const report = await getReport(silent.transport, record);
  assert.notEqual(report.verdict.status, "valid");
  assert.match(silent.logged.join("\n"), /results not complete in time: a2 on host-a2/);
});

test("a run directory that cannot be made fails the run in words, and the coordinator lives on", async () => {
  const unwritable = await cluster({}, {});
  unwritable.store.isWritable = false;
  await unwritable.submit();
  const record = await unwritable.untilOver("r1", 20_000);
  assert.deepEqual(
    [record.state, record.problem?.code, record.result],
    ["failed", "RESULTS_UNREADABLE", null],
  );
  assert.match(record.problem?.message ?? "", /cannot be written: permission denied/);
  unwritable.store.isWritable = true;
  await unwritable.submit();
  assert.equal((await unwritable.untilOver("r2")).state, "completed");
});

test("a log that is away when a run is to be kept is asked again, and nothing is missing", async () => {
  const away = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  const transport = away.hub.connect();
  let refusals = 3;
  const follow: typeof transport.log.follow = (...args) => {
    refusals -= 1;
    if (refusals >= 0) throw new LoadError("BUS_UNAVAILABLE", "NATS did not answer in time");
    return transport.log.follow(...args);
  };
  away.coordinate({ transport: { ...transport, log: { ...transport.log, follow } } });
  for (const id of ["a1", "a2"]) away.agent(id);
  await away.pass(100);
  await away.submit();
  const record = await away.untilOver("r1");
  assert.deepEqual([record.state, record.problem], ["completed", null]);
  assert.ok(refusals < 0);
  const { completeness } = await getReport(away.transport, record);
  assert.equal(completeness.intervalsReceived, completeness.intervalsExpected);
  assert.match(away.logged.join("\n"), /the results cannot be followed at the moment: NATS did not answer/);
});

test("an agent that was killed and is there again under its id is admitted as the process that lives", async () => {
  const replaced = await cluster({});
  const gone = replaced.agent("a2");
  await replaced.pass(1500);
  gone.kill();
  replaced.agent("a2", { instance: "a2-2" });
  await replaced.pass(1100);
  await replaced.submit();
  const record = await replaced.untilOver("r1");
  assert.deepEqual([record.state, record.problem], ["completed", null]);
  assert.deepEqual(
    record.shards.map(({ instance }) => instance),
    ["a1-1", "a2-2"],
  );
});
