import assert from "node:assert/strict";
import { test } from "node:test";
import { aBeacon, aHeartbeat, aLedger, someVitals, VirtualClock } from "@tokenstorm/testkit";
import { encodeBeacon, encodeHeartbeat } from "./codec.js";
import { createMemoryHub } from "./memory/hub.js";
import type { Beacon, Heartbeat } from "./messages/index.js";
import { openRoster } from "./roster.js";
import { subjects } from "./subjects.js";

const beacon = aBeacon();

const heartbeat = aHeartbeat({ ledger: aLedger, vitals: someVitals });

function world(options: { readonly mostAgents?: number } = {}) {
  const clock = new VirtualClock();
  const transport = createMemoryHub({ clock }).connect();
  const names = subjects();
  const say = async (subject: string, data: Uint8Array) => {
    transport.bus.publish(subject, data);
    await clock.advanceByAsync(0);
  };
  return {
    clock,
    roster: openRoster({ transport, subjects: names }, clock, options),
    beat: (agent: string, change: Partial<Heartbeat> = {}, subject = names.heartbeat(agent)) =>
      say(subject, encodeHeartbeat({ ...heartbeat, agent, ...change })),
    beacon: (change: Partial<Beacon> = {}) => say(names.beacon, encodeBeacon({ ...beacon, ...change })),
    garbage: () =>
      Promise.all([say(names.beacon, new Uint8Array([1])), say(names.heartbeat("a9"), new Uint8Array([2]))]),
  };
}

test("the roster has each agent's last heartbeat by id, and lets go of those that are not heard", async () => {
  const { clock, roster, beat, garbage } = world();
  await beat("a2");
  await beat("a1");
  await clock.advanceByAsync(3_000_000);
  await beat("a1", { state: "running" });
  await garbage();
  assert.deepEqual(
    roster.agents().map(({ heartbeat: { agent, state }, silentMs }) => [agent, state, silentMs]),
    [
      ["a1", "running", 0],
      ["a2", "idle", 3000],
    ],
  );
  await clock.advanceByAsync(2_500_000);
  assert.deepEqual(
    roster.agents().map((one) => one.heartbeat.agent),
    ["a1"],
  );
});

test("a heartbeat on another agent's subject is nobody's", async () => {
  const { roster, beat } = world();
  await beat("a1", {}, subjects().heartbeat("a2"));
  assert.deepEqual(roster.agents(), []);
});

test("the leader is the one of the highest term, as long as it is heard", async () => {
  const { clock, roster, beacon: say } = world();
  assert.equal(roster.leader(), undefined);
  await say();
  await say({ leader: "old", term: 2 });
  assert.equal(roster.leader()?.leader, "c1");
  await say({ leader: "c2", term: 4 });
  assert.equal(roster.leader()?.leader, "c2");
  await clock.advanceByAsync(5_000_001);
  assert.equal(roster.leader(), undefined);
});

test("agents beyond the bound are counted, and one that has gone makes room", async () => {
  const { clock, roster, beat } = world({ mostAgents: 3 });
  for (const agent of ["a1", "a2", "a3"]) await beat(agent);
  await beat("late");
  assert.deepEqual([roster.agents().length, roster.overflow], [3, 1]);
  await beat("a1", { state: "running" });
  assert.equal(roster.overflow, 1, "one that is known is no more");
  await clock.advanceByAsync(5_000_001);
  await beat("late");
  assert.deepEqual(
    roster.agents().map((one) => one.heartbeat.agent),
    ["late"],
  );
});
