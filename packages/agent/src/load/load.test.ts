import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanInput } from "@tokenstorm/core";
import { property } from "@tokenstorm/testkit";
import { Cluster } from "../testing/cluster.js";
import type { FakeTargetOptions } from "../testing/fake-target.js";
import { byId, checkBooks, type Sent, sentBy } from "../testing/looks.js";

type Load = PlanInput["load"];

const usersLoad = (stages: Extract<Load, { kind: "users" }>["stages"], more: object = {}): Load => ({
  kind: "users",
  stages,
  ...more,
});

/** Latency that depends on the request alone, so that it is the same whoever sends it. */
const latencyUs = ({ id }: { readonly id: string }): number => {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.charCodeAt(0)) % 9973;
  return 20_000 + hash * 20;
};

interface Outing {
  readonly cluster: Cluster;
  readonly sent: Sent[];
}

/** A whole run by so many agents; the test's leader commits further stages when all have done theirs. */
async function outing(
  plan: Partial<PlanInput>,
  options: {
    readonly agents: number;
    readonly lastsUs: number;
    readonly target?: Partial<FakeTargetOptions>;
    /** By token, instead of the whole answer at once. */
    readonly isStreamed?: boolean;
  },
): Promise<Outing> {
  const cluster = new Cluster();
  for (let i = 0; i < options.agents; i += 1)
    await cluster.addAgent(`a${i}`, {
      offsetUs: i * 1_000_003,
      target: { ...(options.isStreamed === true ? {} : { latencyUs }), ...options.target },
    });
  await cluster.start(plan);
  for (let tUs = 0; tUs < options.lastsUs; tUs += 500_000) {
    await cluster.commitNextStage();
    await cluster.runTo(tUs);
  }
  for (const agent of cluster.agents) assert.equal(cluster.last(agent).state, "done", agent.id);
  checkBooks(cluster);
  await cluster.close();
  return { cluster, sent: sentBy(cluster, ...cluster.agents) };
}

const openLoad = (spacing: "even" | "poisson"): Load => ({
  kind: "arrival-rate",
  spacing,
  maxInFlight: 900,
  stages: [
    { durationMs: 1000, fromRps: 5, toRps: 60 },
    { durationMs: 1500, fromRps: 60 },
  ],
});

for (const spacing of ["even", "poisson"] as const) {
  test(`three agents together send exactly what one would: open load, ${spacing}`, async () => {
    const plan = { load: openLoad(spacing), seed: 5 };
    const alone = await outing(plan, { agents: 1, lastsUs: 5_000_000 });
    assert.ok(alone.sent.length > 100, `${alone.sent.length}`);
    const shared = await outing(plan, { agents: 3, lastsUs: 5_000_000 });
    assert.deepEqual(byId(shared.sent), byId(alone.sent));
  });
}

test("an arrival is sent at the very microsecond in which it is due, and its id says so", async () => {
  const { sent } = await outing({ load: openLoad("poisson") }, { agents: 2, lastsUs: 5_000_000 });
  for (const { id, tUs } of sent) assert.equal(id.split("-d")[1], String(tUs));
});

test("three agents together send exactly what one would: users in stages that grow and shrink", async () => {
  const plan = {
    load: usersLoad(
      [
        { users: 7, rampUpMs: 500, settleMs: 100, durationMs: 1000 },
        { users: 20, rampUpMs: 400, settleMs: 0, durationMs: 1000 },
        { users: 5, rampUpMs: 0, settleMs: 0, durationMs: 1000 },
        { users: 11, rampUpMs: 300, settleMs: 0, durationMs: 1000 },
      ],
      { thinkMs: 30 },
    ),
  };
  const alone = await outing(plan, { agents: 1, lastsUs: 8_000_000 });
  const shared = await outing(plan, { agents: 3, lastsUs: 8_000_000 });
  assert.ok(alone.sent.length > 200, `${alone.sent.length}`);
  assert.deepEqual(byId(shared.sent), byId(alone.sent));
});

test("users start evenly over the ramp, and a user sends again when its answer is there and it has thought", async () => {
  const { sent } = await outing(
    { load: usersLoad([{ users: 4, rampUpMs: 400, settleMs: 0, durationMs: 600 }], { thinkMs: 50 }) },
    { agents: 1, lastsUs: 3_000_000, target: { latencyUs: () => 150_000 } },
  );
  const ofUser = (user: number) =>
    sent.filter(({ key }) => key.startsWith(`s0-u${user}-`)).map(({ tUs }) => tUs / 1000);
  assert.deepEqual(ofUser(0), [0, 200, 400, 600, 800]);
  assert.deepEqual(ofUser(1), [100, 300, 500, 700, 900]);
  assert.deepEqual(ofUser(3), [300, 500, 700, 900]);
});

test("a user that nobody answers knocks again after 0.1 s, then ever later, at most once a second", async () => {
  const cluster = new Cluster();
  let isDead = true;
  const agent = await cluster.addAgent("a1", {
    target: {
      ttftUs: 1000,
      itlUs: 0,
      outcome: () => (isDead ? { kind: "failed", reason: "connect-refused" } : { kind: "completed" }),
    },
  });
  await cluster.start({
    workload: { outputTokens: 1 },
    load: usersLoad([{ users: 1, rampUpMs: 0, settleMs: 0, durationMs: 5500 }], { thinkMs: 99 }),
  });
  await cluster.runTo(4_500_000);
  isDead = false;
  await cluster.runTo(8_000_000);
  const times = sentBy(cluster, agent).map(({ tUs }) => tUs / 1000);
  assert.deepEqual(times, [0, 200, 500, 1000, 1900, 3000, 4100, 5200, 5300, 5400]);
  await cluster.close();
});

test("at an edge staying users go on under a key of the new stage, and removed ones finish and stop", async () => {
  const { sent, cluster } = await outing(
    {
      load: usersLoad([
        { users: 2, rampUpMs: 0, settleMs: 0, durationMs: 1000 },
        { users: 1, rampUpMs: 0, settleMs: 0, durationMs: 1000 },
      ]),
    },
    { agents: 1, lastsUs: 4_000_000, target: { latencyUs: () => 300_000 } },
  );
  assert.deepEqual(
    sent.map(({ key, tUs }) => [key, tUs / 1000]),
    [
      ["s0-u0-j0", 0],
      ["s0-u1-j0", 0],
      ["s0-u0-j1", 300],
      ["s0-u1-j1", 300],
      ["s0-u0-j2", 600],
      ["s0-u1-j2", 600],
      ["s0-u0-j3", 900],
      ["s0-u1-j3", 900],
      ["s1-u0-j0", 1200],
      ["s1-u0-j1", 1500],
      ["s1-u0-j2", 1800],
    ],
  );
  assert.equal(cluster.finals[0]?.ledger.completed, 11);
});

test("a request that outlasts a whole stage is followed by one of the stage in which it is due", async () => {
  const { sent } = await outing(
    {
      load: usersLoad([
        { users: 1, rampUpMs: 0, settleMs: 0, durationMs: 1000 },
        { users: 2, rampUpMs: 0, settleMs: 0, durationMs: 500 },
        { users: 1, rampUpMs: 0, settleMs: 0, durationMs: 1000 },
      ]),
    },
    { agents: 1, lastsUs: 6_000_000, target: { latencyUs: () => 1_600_000 } },
  );
  assert.deepEqual(
    sent.map(({ key, tUs }) => [key, tUs / 1000]),
    [
      ["s0-u0-j0", 0],
      ["s1-u1-j0", 1000],
      ["s2-u0-j0", 1600],
    ],
  );
});

for (const agents of [1, 3, 7]) {
  test(`a stage of 47 requests and 10 users sends exactly these 47 from ${agents} agents, then the next stage starts`, async () => {
    const { sent, cluster } = await outing(
      {
        warmUp: { requests: 3, users: 2 },
        load: usersLoad([
          { users: 10, requests: 47, rampUpMs: 200 },
          { users: 3, rampUpMs: 0, settleMs: 0, durationMs: 500 },
        ]),
      },
      { agents, lastsUs: 12_000_000 },
    );
    const keys = (stage: number) =>
      sent
        .filter((request) => request.stage === stage)
        .map(({ key }) => key)
        .sort();
    assert.deepEqual(keys(0), ["s0-u0-j0", "s0-u0-j1", "s0-u1-j0"]);
    assert.equal(keys(1).length, 47);
    assert.equal(new Set(keys(1)).size, 47);
    for (let user = 0; user < 10; user += 1)
      assert.equal(keys(1).filter((key) => key.startsWith(`s1-u${user}-`)).length, user < 7 ? 5 : 4);
    assert.ok(keys(2).length >= 3);
    const startUs = cluster.record?.stageStartsUs[2];
    assert.equal(
      Math.min(...sent.filter(({ stage }) => stage === 2).map(({ tUs }) => tUs)),
      startUs,
      "nobody starts before the committed start",
    );
  });
}

test("a stage bounded by requests ends at its longest duration, whatever is left of its quota", async () => {
  const { sent, cluster } = await outing(
    { gracePeriodMs: 400, load: usersLoad([{ users: 2, requests: 1000, maxDurationMs: 1000, rampUpMs: 0 }]) },
    {
      agents: 2,
      lastsUs: 5_000_000,
      target: { latencyUs: ({ id }) => (id.endsWith("u1-j3") ? 60_000_000 : 100_000) },
    },
  );
  assert.equal(sent.filter(({ key }) => key.startsWith("s0-u0")).length, 10);
  assert.equal(sent.filter(({ key }) => key.startsWith("s0-u1")).length, 4);
  assert.deepEqual(
    cluster.agents.flatMap(({ targets }) => targets.flatMap(({ cancelled }) => cancelled)),
    ["ts-r1-s0-u1-j3"],
  );
});

test("an arrival over the bound is dropped and counted, and the bound's shares add up", async () => {
  const load: Load = {
    kind: "arrival-rate",
    spacing: "even",
    maxInFlight: 5,
    stages: [{ durationMs: 1000, fromRps: 20 }],
  };
  const { cluster, sent } = await outing(
    { load },
    { agents: 3, lastsUs: 5_000_000, target: { latencyUs: () => 2_000_000 } },
  );
  assert.deepEqual(
    cluster.agents.map(({ targets }) => targets[0]?.slots),
    [2, 2, 1],
  );
  assert.equal(sent.length, 5);
  const dropped = cluster.snapshots.flatMap(({ blocks }) =>
    blocks.map(({ due }) => due.dropped["in-flight-limit"] ?? 0),
  );
  assert.equal(
    dropped.reduce((sum, count) => sum + count, 0),
    15,
  );
});

test("a slot that has become free is used again", async () => {
  const load: Load = {
    kind: "arrival-rate",
    spacing: "even",
    maxInFlight: 2,
    stages: [{ durationMs: 1000, fromRps: 20 }],
  };
  const { sent } = await outing(
    { load },
    { agents: 1, lastsUs: 4_000_000, target: { latencyUs: () => 90_000 } },
  );
  assert.equal(sent.length, 20);
});

test("after a warm-up arrivals are due since the start of the first rate stage", async () => {
  const { sent, cluster } = await outing(
    { warmUp: { requests: 4, users: 2 }, load: openLoad("even") },
    { agents: 2, lastsUs: 8_000_000 },
  );
  const startUs = cluster.record?.stageStartsUs[1] ?? 0;
  assert.ok(startUs > 1_000_000, `${startUs}`);
  const arrivals = sent.filter(({ stage }) => stage > 0);
  assert.ok(arrivals.length > 100);
  for (const { id, tUs } of arrivals) {
    assert.ok(tUs >= startUs && tUs < startUs + 2_500_000, `${id} at ${tUs}`);
    assert.equal(id.split("-d")[1], String(tUs - startUs));
  }
});

test("an arrival that could not be sent within maxLatenessMs is dropped as late, and the next ones go out", async () => {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a1");
  await cluster.start({
    maxLatenessMs: 200,
    load: {
      kind: "arrival-rate",
      spacing: "even",
      maxInFlight: 100,
      stages: [{ durationMs: 2000, fromRps: 10 }],
    },
  });
  await cluster.runTo(550_000);
  assert.equal(sentBy(cluster, agent).length, 5);
  // The process stands still from 550 ms to 1250 ms.
  cluster.stalledUntilUs = cluster.zeroUs + 1_250_000;
  await cluster.runTo(4_000_000);
  const sent = sentBy(cluster, agent);
  // Due at 600 ... 1200: those up to 1000 are over 200 ms late, 1100 and 1200 are not.
  assert.equal(sent.length, 20 - 5);
  checkBooks(cluster);
  assert.equal(cluster.finals[0]?.ledger.dropped, 5);
  await cluster.close();
});

test("users share the URLs in turn, and a body asks for what the plan says", async () => {
  const { sent } = await outing(
    {
      target: { urls: ["http://a:1", "http://b:1"] },
      load: usersLoad([{ users: 3, rampUpMs: 0, settleMs: 0, durationMs: 500 }]),
    },
    { agents: 1, lastsUs: 2_000_000 },
  );
  for (const { url, key, body } of sent) {
    assert.equal(url, Number(/u(\d)/.exec(key)?.[1]) % 2);
    const asked: { max_tokens: number; model: string; stream: boolean } = JSON.parse(body);
    assert.deepEqual([asked.model, asked.max_tokens, asked.stream], ["test-model", 128, true]);
  }
});

property(
  "random plans: any number of agents sends what one sends, and the books balance",
  12,
  async (random) => {
    const stageCount = random.int(1, 3);
    const isOpen = random.bool();
    const stages = Array.from({ length: stageCount }, () => ({
      users: random.int(1, 12),
      rampUpMs: random.int(0, 400),
      settleMs: random.int(0, 100),
      ...(random.bool(0.4) ? { requests: random.int(1, 40) } : { durationMs: random.int(100, 900) }),
    }));
    const rates = stages.map(({ users }) => ({
      durationMs: random.int(100, 900),
      fromRps: users,
      toRps: random.int(1, 80),
    }));
    const load: Load = isOpen
      ? { kind: "arrival-rate", spacing: random.pick(["even", "poisson"]), maxInFlight: 500, stages: rates }
      : usersLoad(stages, { thinkMs: random.int(0, 50) });
    const plan = { load, seed: random.int(0, 1000), warmUp: { requests: random.int(0, 6), users: 2 } };
    const lastsUs = 20_000_000;
    const alone = await outing(plan, { agents: 1, lastsUs });
    const shared = await outing(plan, { agents: random.int(2, 5), lastsUs });
    assert.ok(alone.sent.length > 0);
    // Latencies follow from the request alone, so even stages that start when all are done start at the same time.
    assert.deepEqual(byId(shared.sent), byId(alone.sent));
  },
);

test("what a reader keeps for a while is booked by the time at which it was read", async () => {
  const [ttftUs, itlUs, keepsUs] = [20_100, 5300, 4900];
  const load = usersLoad([{ users: 20, rampUpMs: 97, settleMs: 0, durationMs: 3000 }]);
  const { cluster } = await outing(
    { load, intervalMs: 1000 },
    { agents: 1, lastsUs: 6_000_000, isStreamed: true, target: { ttftUs, itlUs, keepsUs } },
  );
  const [agent] = cluster.agents;
  assert.ok(agent !== undefined);
  const tokensUs = agent.targets.flatMap((target) =>
    target.tokensUs.map((tUs) => tUs - agent.offsetUs - cluster.zeroUs),
  );
  for (const { fromUs, toUs, blocks } of cluster.snapshots) {
    const booked = blocks.reduce((sum, { flow }) => sum + flow.outputTokens, 0);
    assert.equal(booked, tokensUs.filter((tUs) => tUs >= fromUs && tUs < toUs).length, `at ${fromUs}`);
    for (const { histograms } of blocks) {
      for (const [name, us] of [
        ["ttft", ttftUs],
        ["gap", itlUs],
      ] as const) {
        const { count, min, max } = histograms[name] ?? { count: 0, min: us, max: us };
        assert.deepEqual([min, max], [us, us], `${count} of ${name} at ${fromUs}`);
      }
    }
  }
  assert.ok(tokensUs.length > 5000, `${tokensUs.length}`);
});
