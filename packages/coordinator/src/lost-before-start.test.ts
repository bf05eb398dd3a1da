import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanInput, TestPlan } from "@tokenstorm/core";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";
import type { FakeAgent, FakeScript } from "./testing/fake-agent.js";

const POLICIES: readonly TestPlan["lossPolicy"][] = ["fail", "continue", "reshard"];

/** There is a stage's edge at which a shard could change hands. */
const load: PlanInput["load"] = {
  kind: "users",
  stages: [1, 2].map(() => ({ users: 2, rampUpMs: 0, settleMs: 0, durationMs: 20_000 })),
};

const FAULTS: Readonly<Record<string, (agent: FakeAgent) => void>> = {
  "is killed": (agent) => agent.kill(),
  "is cut off": (agent) => {
    agent.script.isCutOff = true;
  },
};

/** What makes a state last, and does not end a run by itself. */
const STATES: readonly (readonly ["preparing" | "arming", Partial<FakeScript>])[] = [
  ["preparing", { prepareMs: 20_000 }],
  ["arming", { deafToAttempts: [1] }],
];

async function cluster(script: Partial<FakeScript> = {}): Promise<{ at: Cluster; victim: FakeAgent }> {
  const at = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  at.coordinate();
  at.agent("a1");
  const victim = at.agent("a2", { script });
  await at.pass(100);
  return { at, victim };
}

for (const lossPolicy of POLICIES) {
  for (const [what, happen] of Object.entries(FAULTS)) {
    for (const [state, script] of STATES) {
      test(`${lossPolicy}: an agent that ${what} in ${state} ends the run by name before anything is sent`, async () => {
        const { at, victim } = await cluster(script);
        await at.submit({ load, lossPolicy });
        await at.untilState(state);
        happen(victim);
        const record = await at.untilOver("r1", 15_000);
        assert.deepEqual([record.state, record.problem?.code], ["failed", "AGENT_LOST"]);
        assert.match(record.problem?.message ?? "", /^agent a2 on host-a2 was lost: silent for 5\.\d s$/);
        assert.equal(record.start?.committed ?? false, false);
        assert.deepEqual([record.losses ?? [], record.moves ?? []], [[], []]);
        victim.script.isCutOff = false;
        await at.pass(25_000);
        for (const agent of at.agents) assert.deepEqual(agent.appended, [], agent.id);
      });
    }

    test(`${lossPolicy}: an agent that ${what} in gathering is not admitted, and the run is that of those who are there`, async () => {
      const { at, victim } = await cluster();
      await at.submit({ load, lossPolicy, agents: { min: 3, waitMs: 60_000 } });
      await at.untilState("gathering");
      happen(victim);
      await at.pass(3000);
      at.agent("a3");
      await at.pass(5000);
      assert.equal((await at.record()).state, "gathering", "two are there");
      at.agent("a4");
      const record = await at.untilOver();
      assert.deepEqual([record.state, record.problem], ["completed", null]);
      assert.deepEqual(
        record.shards.map(({ agent }) => agent),
        ["a1", "a3", "a4"],
      );
      assert.deepEqual(victim.appended, []);
    });
  }

  test(`${lossPolicy}: an agent that is cut off in gathering is waited for`, async () => {
    const { at, victim } = await cluster();
    victim.script.isCutOff = true;
    await at.pass(3000);
    await at.submit({ load, lossPolicy, agents: { min: 2, waitMs: 60_000 } });
    await at.pass(7000);
    assert.equal((await at.record()).state, "gathering");
    victim.script.isCutOff = false;
    const record = await at.untilOver();
    assert.deepEqual([record.state, record.problem], ["completed", null]);
    assert.equal(record.shards.length, 2);
  });
}
