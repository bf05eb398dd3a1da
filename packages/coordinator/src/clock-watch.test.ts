import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, isTerminal, type PlanInput, type RunReport } from "@tokenstorm/core";
import { getReport, stopRun, type Transport } from "@tokenstorm/protocol";
import { reportOfOnlooker, VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";
import type { FakeAgentOptions } from "./testing/fake-agent.js";

const load = (durationMs: number): PlanInput["load"] => ({
  kind: "users",
  stages: [{ users: 2, rampUpMs: 0, settleMs: 0, durationMs }],
});

interface Options {
  readonly agents: Readonly<Record<string, Partial<Omit<FakeAgentOptions, "id" | "clock">>>>;
  readonly clock?: (world: Clock) => Clock;
}

async function clusterOf({ agents, clock = (world) => world }: Options) {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000, turns: 1 }));
  const transport = cluster.hub.connect();
  cluster.coordinate({ transport: mortal(transport), clock: clock(cluster.clock) });
  for (const [id, options] of Object.entries(agents)) cluster.agent(id, options);
  await cluster.pass(500);
  return { cluster, kill: () => transport.close() };
}

/** Closed is as good as dead, save that nobody is told. */
function mortal(transport: Transport): Transport {
  return { ...transport, bus: { ...transport.bus, onStatus: () => ({ close: () => undefined }) } };
}

/** A host's clock, fast by so much, and with a zero point of its own. */
function hostClock(world: Clock, { offsetUs, driftPpm }: { offsetUs: number; driftPpm: number }): Clock {
  const pace = 1 + driftPpm / 1e6;
  return {
    nowUs: () => Math.floor(world.nowUs() * pace) + offsetUs,
    wallMs: () => world.wallMs(),
    at: (us, fn) => world.at(Math.ceil((us - offsetUs) / pace), fn),
  };
}

/** As messages to this agent and back take their time: different ones each way, from a seed. */
function slow(transport: Transport, world: Clock, seed: number): Transport {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
  const { bus } = transport;
  const isClock = (subject: string) => /\.timed?\./.test(subject);
  const later = (fn: () => void) => world.at(world.nowUs() + Math.round(next() * 4000), fn);
  return {
    ...transport,
    bus: {
      ...bus,
      publish: (subject, data) => {
        if (isClock(subject)) later(() => bus.publish(subject, data));
        else bus.publish(subject, data);
      },
      subscribe: (subject, onMessage) =>
        bus.subscribe(subject, (message) => {
          if (isClock(subject)) later(() => onMessage(message));
          else onMessage(message);
        }),
    },
  };
}

async function reportOf(cluster: Cluster): Promise<RunReport> {
  const record = await cluster.untilOver();
  assert.deepEqual([record.state, record.problem], ["completed", null]);
  return getReport(cluster.transport, record);
}

function agentOf(report: RunReport, id: string) {
  const agent = report.agents.find((one) => one.id === id);
  assert.ok(agent?.clock != null, `${id} has no clock in the report`);
  return { terms: agent.clock.terms, skew: agent.clock.skew };
}

function assertDrift(drift: ReturnType<typeof agentOf>["terms"][number]["drift"], truePpm: number): void {
  const said = `${JSON.stringify(drift)}, truly ${truePpm}`;
  assert.ok(drift != null && Math.abs(drift.ppm - truePpm) <= drift.errorPpm, said);
}

for (const [how, seed] of [
  ["at once", null],
  ["by ways of 0 to 4 ms", 7],
] as const) {
  test(`a clock that is 200 ppm fast is reported so within the bound that is stated, asked ${how}`, async () => {
    const { cluster } = await clusterOf({ agents: { a1: { offsetUs: -3_000_000 } } });
    const transport = cluster.hub.connect();
    cluster.agent("a2", {
      ...{ offsetUs: 12_345_678, driftPpm: 200 },
      transport: seed === null ? transport : slow(transport, cluster.clock, seed),
    });
    await cluster.submit({ load: load(35_000), intervalMs: 500, agents: { min: 2, waitMs: 5000 } });
    const report = await reportOf(cluster);
    const [steady, fast] = [agentOf(report, "a1"), agentOf(report, "a2")];
    // Before the start, after 30 s, and when all had drained.
    assert.deepEqual(
      [steady, fast].map(({ terms }) => terms.map(({ comparisons }) => comparisons)),
      [[3], [3]],
    );
    assertDrift(steady.terms[0]?.drift ?? null, 0);
    assertDrift(fast.terms[0]?.drift ?? null, 200);
    assert.ok((fast.terms[0]?.drift?.errorPpm ?? 1000) < (seed === null ? 0.15 : 240));
    assert.equal(fast.terms[0]?.first.offsetUs, report.agents[1]?.clockOffsetUs);
    const { skew } = fast;
    const trueUs = 200e-6 * ((skew?.atMs ?? 0) * 1000 - (fast.terms[0]?.first.atMs ?? 0) * 1000);
    assert.ok(
      skew !== null && Math.abs(skew.us - trueUs) <= skew.errorUs + 1,
      `${JSON.stringify(skew)} ${trueUs}`,
    );
    assert.match(
      report.clocks?.sentences.join("; ") ?? "",
      /the run time of a2 was \+\d(\.\d+)? ms off .* more than 1 % of an interval \(5 ms\)/,
    );
  });
}

test("after a takeover each leader's comparisons stand apart, and the skew is still that of the agents", async () => {
  const { cluster, kill } = await clusterOf({ agents: { a1: {}, a2: { driftPpm: 200 } } });
  await cluster.submit({ load: load(60_000) });
  await cluster.untilState("running");
  await cluster.pass(36_000);
  await kill();
  const clock = hostClock(cluster.clock, { offsetUs: 777_000_000, driftPpm: -100 });
  cluster.coordinate({ clock });
  const report = await reportOf(cluster);
  const [a1, a2] = [agentOf(report, "a1"), agentOf(report, "a2")];
  assert.deepEqual(
    a2.terms.map(({ term, comparisons }) => [term, comparisons]),
    [
      [1, 2],
      [2, 2],
    ],
  );
  for (const [i, paceOfLeader] of [1, 1 - 100e-6].entries()) {
    assertDrift(a1.terms[i]?.drift ?? null, (1 / paceOfLeader - 1) * 1e6);
    assertDrift(a2.terms[i]?.drift ?? null, ((1 + 200e-6) / paceOfLeader - 1) * 1e6);
  }
  assert.deepEqual(
    [a1, a2].map(({ terms }) => terms.map(({ jumps }) => jumps.length)),
    [
      [0, 0],
      [0, 0],
    ],
  );
  const { skew } = a2;
  const trueUs = 200e-6 * ((skew?.atMs ?? 0) * 1000 - (a2.terms[0]?.first.atMs ?? 0) * 1000);
  // The two leaders' run times differ by some ppm of it.
  assert.ok(
    skew !== null && Math.abs(skew.us - trueUs) <= skew.errorUs + 10,
    `${JSON.stringify(skew)} ${trueUs}`,
  );
});

test("an agent that answers no more, and one that is lost, are left out and named", async () => {
  const { cluster } = await clusterOf({ agents: { a1: {}, a2: {}, a3: {} } });
  const [, deaf, lost] = cluster.agents;
  await cluster.submit({ load: load(50_000), lossPolicy: "continue", deliverMs: 5000, orphanMs: 10_000 });
  await cluster.untilState("running");
  await cluster.pass(10_000);
  if (deaf !== undefined) deaf.script.answersProbes = false;
  await cluster.pass(25_000);
  lost?.kill();
  const report = await reportOf(cluster);
  assert.deepEqual(
    ["a1", "a2", "a3"].map((id) => agentOf(report, id).terms[0]?.comparisons),
    [3, 1, 2],
  );
  assert.equal(agentOf(report, "a2").terms[0]?.drift, null);
  assert.equal(agentOf(report, "a2").skew, null);
  assert.equal(report.clocks?.sentences.length, 2);
  assert.match(
    report.clocks?.sentences[0] ?? "",
    /^the clock of a2 was compared last at 0\.0 s, 5\d\.\d s before the end/,
  );
  assert.match(report.clocks?.sentences[1] ?? "", /^the clock of a3 was compared last at 30\.0 s/);
});

for (const { how, isCut } of [
  { how: "the clock that does not answer is waited for", isCut: false },
  { how: "a cut waits for it no longer", isCut: true },
] as const) {
  test(`when all has been delivered ${how}`, async () => {
    const { cluster } = await clusterOf({ agents: { a1: {}, a2: {} } });
    await cluster.submit({ load: load(10_000) });
    await cluster.untilState("running");
    await cluster.pass(5000);
    const deaf = cluster.agents[1];
    if (deaf !== undefined) deaf.script.answersProbes = false;
    await cluster.untilState("delivering");
    // All but the clock takes some tenths of a second.
    await cluster.pass(1000);
    assert.equal((await cluster.record()).state, "delivering");
    if (isCut) await stopRun(cluster, { run: "r1", level: "cut", reason: "stopped by a test" });
    await cluster.pass(200);
    assert.equal(isTerminal((await cluster.record()).state), isCut);
    const report = await getReport(cluster.transport, await cluster.untilOver());
    assert.deepEqual(report.completeness.missing, []);
    assert.equal(agentOf(report, "a2").terms[0]?.comparisons, 1);
  });
}

test("a clock that jumps in mid-run is named, with the time and by how much", async () => {
  const { cluster } = await clusterOf({ agents: { a1: {}, a2: {} } });
  await cluster.submit({ load: load(32_000) });
  await cluster.untilState("running");
  await cluster.pass(10_000);
  cluster.agents[1]?.jumpClock(400_000);
  const report = await reportOf(cluster);
  const [term] = agentOf(report, "a2").terms;
  assert.deepEqual([term?.drift, term?.jumps.map(({ byUs }) => byUs)], [null, [400_000]]);
  assert.match(
    report.clocks?.sentences[0] ?? "",
    /^the clock of a2 jumped by \+400 ms against the coordinator's/,
  );
});

test("whoever folds the log finds the same clocks as the leader", async () => {
  const { cluster, kill } = await clusterOf({ agents: { a1: {}, a2: { driftPpm: -50 } } });
  const { log } = cluster.transport;
  // The log forgets a run that is over.
  const entries: Parameters<typeof reportOfOnlooker>[0]["log"][number][] = [];
  await cluster.submit({ load: load(35_000) });
  await log.follow("r1", (entry) => entries.push(entry));
  await cluster.untilState("running");
  await cluster.pass(33_000);
  await kill();
  cluster.coordinate();
  const report = await reportOf(cluster);
  const record = await cluster.record();
  const seen = reportOfOnlooker({ record, log: entries, transport: report.run.transport, version: "0.1.0" });
  assert.deepEqual(JSON.parse(JSON.stringify(seen.agents)), report.agents);
  assert.deepEqual(seen.clocks, report.clocks);
  assert.equal(agentOf(report, "a1").terms.length, 2);
});
