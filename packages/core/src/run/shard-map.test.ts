import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanSchema } from "../plan/schema.js";
import type { Loss, RunRecord, ShardAssignment } from "./run-record.js";
import { movesOf, openLosses, ownedShards, stoppedByUs, takenShards } from "./shard-map.js";

const S = 1_000_000;
const plan = PlanSchema.parse({
  version: 1,
  target: { urls: ["http://h:8000"] },
  load: { kind: "users", stages: Array.from({ length: 6 }, () => ({ users: 400, durationMs: 1000 })) },
  lossPolicy: "reshard",
});

function shards(count: number): ShardAssignment[] {
  return Array.from({ length: count }, (_, index) => ({
    agent: `a${index}`,
    instance: `i${index}`,
    epoch: 3,
    index,
    host: "h",
    version: "1",
    clockOffsetUs: 0,
    clockErrorUs: 0,
  }));
}

const loss = (agent: string, lostUs: number, foundUs: number | null = null): Loss => ({
  agent,
  epoch: 3,
  lastHeardUs: lostUs - 5 * S,
  lostUs,
  reason: "silent",
  foundUs,
});

type Map = Pick<RunRecord, "shards" | "moves" | "losses" | "plan">;

/** Who owns a key in a stage; every one that does. */
function ownersOf(map: Map, key: number, stage: number): string[] {
  return map.shards
    .filter(({ agent }) =>
      ownedShards(map, agent, stage).some(({ index, count }) => key >= index && (key - index) % count === 0),
    )
    .map(({ agent }) => agent);
}

test("a lost shard goes to the others from the first stage on that starts when the lost agent has stopped for sure", () => {
  const lost: Map = { shards: shards(4), plan, losses: [loss("a1", 10 * S)] };
  assert.equal(stoppedByUs(loss("a1", 10 * S), plan), 26 * S, "15 s under reshard, and one more");
  for (const [startsUs, fromStage] of [
    [[0, 20 * S, 26 * S, 40 * S], 2],
    [[0, 20 * S, 26 * S - 1, 40 * S], 3],
    [[0, 20 * S, 25 * S, null], undefined],
    [[0, null, null, null], undefined],
  ] as const)
    assert.equal(movesOf(lost, startsUs)[0]?.fromStage, fromStage, JSON.stringify(startsUs));
});

test("a stage without a start yet takes a lost shard over when it gets one", () => {
  const lost: Map = { shards: shards(2), plan, losses: [loss("a1", 10 * S)] };
  assert.deepEqual(movesOf(lost, [0, null]), []);
  assert.deepEqual(movesOf(lost, [0, 30 * S]), [
    { lost: "a1", fromStage: 1, to: [{ agent: "a0", index: 1, count: 2 }] },
  ]);
});

test("whoever is lost, and however many, each key is one living agent's from the edge on, and before it its first owner's", () => {
  for (const order of [["a1"], ["a1", "a3"], ["a3", "a0"], ["a2", "a1", "a4"], ["a4", "a3", "a2", "a1"]]) {
    let map: Map = { shards: shards(5), plan, losses: [] };
    const startsUs = [0, 100 * S, 200 * S, 300 * S, 400 * S, 500 * S];
    for (const [i, agent] of order.entries()) {
      map = { ...map, losses: [...(map.losses ?? []), loss(agent, (i * 100 + 10) * S)] };
      map = { ...map, moves: movesOf(map, startsUs) };
    }
    for (let stage = 0; stage < startsUs.length; stage += 1) {
      const gone = order.slice(0, stage);
      for (let key = 0; key < 400; key += 1) {
        const owners = ownersOf(map, key, stage);
        assert.equal(owners.length, 1, `${order.join()} stage ${stage} key ${key}: ${owners.join()}`);
        assert.ok(!gone.includes(owners[0] ?? ""), `${key} is of ${owners[0]}, which is lost`);
        if (!gone.includes(`a${key % 5}`)) assert.deepEqual(owners, [`a${key % 5}`]);
      }
    }
  }
});

test("two that are lost before one edge are both taken over at it, by those that are left", () => {
  let map: Map = { shards: shards(3), plan, losses: [loss("a1", 10 * S)] };
  map = { ...map, moves: movesOf(map, [0, 100 * S]) };
  map = { ...map, losses: [...(map.losses ?? []), loss("a2", 20 * S)] };
  map = { ...map, moves: movesOf(map, [0, 100 * S]) };
  for (let key = 0; key < 100; key += 1) assert.deepEqual(ownersOf(map, key, 1), ["a0"]);
  assert.deepEqual(
    takenShards(map, "a0").map(({ fromStage }) => fromStage),
    [1, 1, 1],
  );
});

test("nobody takes over where nobody is left, and nothing of one that was found again", () => {
  const all = shards(2).map(({ agent }) => loss(agent, S));
  assert.deepEqual(movesOf({ shards: shards(2), plan, losses: all }, [0, 99 * S]), []);
  const found: Map = { shards: shards(2), plan, losses: [loss("a1", S, 2 * S)] };
  assert.deepEqual(movesOf(found, [0, 99 * S]), []);
  assert.deepEqual(openLosses({ losses: [loss("a1", S, 2 * S), loss("a1", 3 * S)] }), [loss("a1", 3 * S)]);
});

test("without losses an agent owns what is its index modulo the number of agents, in every stage", () => {
  assert.deepEqual(ownedShards({ shards: shards(3) }, "a2", 7), [{ index: 2, count: 3 }]);
  assert.deepEqual(ownedShards({ shards: shards(3) }, "stranger", 0), []);
});

/** So many of the agents, in their order, lost and found out one after the other, all before one edge. */
function lostInTurn(agents: number, losses: number, of = plan): Map {
  let map: Map = { shards: shards(agents), plan: of, losses: [] };
  for (let i = 0; i < losses; i += 1) {
    map = { ...map, losses: [...(map.losses ?? []), loss(`a${i}`, 10 * S)] };
    map = { ...map, moves: movesOf(map, [0, 100 * S]) };
  }
  return map;
}

test("parts grow by a sum, not by a product, however many are lost one after the other", () => {
  for (const [agents, losses, most] of [
    [20, 10, 20],
    [20, 19, 200],
    [200, 6, 10],
    [200, 100, 60],
  ] as const) {
    const map = lostInTurn(agents, losses);
    const name = `${losses} of ${agents}`;
    const bytes = JSON.stringify(map.moves).length;
    assert.ok(bytes < 300_000, `${name}: ${bytes} bytes in the record`);
    for (const { to } of map.moves ?? [])
      for (const { index, count } of to) {
        assert.ok(count <= agents * (agents - 1), `${name}: one in ${count}`);
        assert.ok(index < count, `${name}: ${index} of ${count}`);
      }
    const living = map.shards.slice(losses).map(({ agent }) => ownedShards(map, agent, 1));
    const parts = Math.max(...living.map((shards) => shards.length));
    assert.ok(parts <= most, `${name}: ${parts} parts at one agent`);
    const owners = new Map<number, number>();
    for (const { index, count } of living.flat())
      for (let key = index; key < 400; key += count) owners.set(key, (owners.get(key) ?? 0) + 1);
    assert.deepEqual([owners.size, Math.max(...owners.values())], [400, 1], name);
    const loads = living.map((shards) => shards.reduce((sum, { count }) => sum + 1 / count, 0));
    const worst = Math.max(...loads) * loads.length;
    assert.ok(worst < 1.35, `${name}: the busiest has ${worst.toFixed(2)} of an even share`);
  }
});

test("a part without a user in any stage to come is nobody's", () => {
  const few = PlanSchema.parse({
    ...plan,
    load: { kind: "users", stages: [5, 5].map((users) => ({ users, durationMs: 1000 })) },
  });
  const { moves = [] } = lostInTurn(20, 1, few);
  assert.deepEqual(moves, [{ lost: "a0", fromStage: 1, to: [{ agent: "a1", index: 0, count: 380 }] }]);
});
