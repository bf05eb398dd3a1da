import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanSchema } from "../plan/schema.js";
import type { Loss, RunRecord, ShardAssignment } from "./run-record.js";
import { movesOf, openLosses, ownedShards, stoppedByUs, takenShards } from "./shard-map.js";

const S = 1_000_000;
const plan = PlanSchema.parse({
  version: 1,
  target: { urls: ["http://h:8000"] },
  load: { kind: "users", stages: [{ users: 9, durationMs: 1000 }] },
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
