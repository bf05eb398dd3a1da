import assert from "node:assert/strict";
import { test } from "node:test";
import { type PlanInput, resolveStages, usersOfShard } from "@tokenstorm/core";
import { aPlan } from "@tokenstorm/testkit";
import { Cluster } from "../testing/cluster.js";
import { sentBy } from "../testing/looks.js";
import { RequestPool } from "./request-pool.js";

function planOf(users: number, requests: number, requestsFrom: "quota" | "pool"): Partial<PlanInput> {
  return {
    warmUp: { requests: 0 },
    load: { kind: "users", stages: [{ users, rampUpMs: 0, requests, requestsFrom }] },
  };
}

function keysOf(users: number, requests: number, count: number): string[] {
  const [stage] = resolveStages(aPlan(planOf(users, requests, "pool")));
  assert.ok(stage?.kind === "users");
  return Array.from({ length: count }, (_, index) => {
    const pool = new RequestPool(usersOfShard(stage, { index, count }));
    const keys: string[] = [];
    for (let next = pool.take(); next !== undefined; next = pool.take())
      keys.push(`u${next.user}-j${next.j}`);
    return keys;
  })
    .flat()
    .sort();
}

test("the pools of any number of agents hold the keys that quotas would give", () => {
  for (const [users, requests] of [
    [10, 100],
    [7, 47],
    [100, 30],
    [3, 1],
  ] as const) {
    const quotas = Array.from(
      { length: requests },
      (_, i) => `u${i % users}-j${Math.floor(i / users)}`,
    ).sort();
    for (const count of [1, 2, 5])
      assert.deepEqual(keysOf(users, requests, count), quotas, `${count} agents`);
  }
});

test("what is wanted a round ahead is never one that was taken already", () => {
  const pool = new RequestPool([0, 1].map((user) => ({ user, startOffsetUs: 0, quota: user === 0 ? 3 : 2 })));
  const [first, second, third] = [pool.take(), pool.take(), pool.take()];
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  assert.equal(pool.oneRoundAfter(first), undefined);
  assert.deepEqual(pool.oneRoundAfter(second), { place: 3, user: 1, j: 1 });
  assert.deepEqual(pool.oneRoundAfter(third), { place: 4, user: 0, j: 2 });
  pool.take();
  const last = pool.take();
  assert.ok(last !== undefined);
  assert.equal(pool.oneRoundAfter(last), undefined);
  assert.equal(pool.take(), undefined);
});

/** How long ten users take for a hundred requests, of which those of user 0 and 1 at first take ten times as long. */
async function secondsOf(requestsFrom: "quota" | "pool"): Promise<number> {
  const cluster = new Cluster();
  const agent = await cluster.addAgent("a", {
    target: { latencyUs: ({ id }) => (/-u[01]-j0$/.test(id) ? 1_000_000 : 100_000) },
  });
  await cluster.start(planOf(10, 100, requestsFrom));
  await cluster.runTo(4_000_000);
  const sent = sentBy(cluster, agent);
  assert.equal(sent.length, 100);
  assert.equal(new Set(sent.map(({ key }) => key)).size, 100);
  await cluster.close();
  return Math.max(...sent.map(({ tUs }) => tUs)) / 1e6;
}

test("users that are free take the requests of those that wait, which a quota does not allow", async () => {
  // By quota user 0 sends its last of ten after 1 s + 8 x 0.1 s.
  assert.equal(await secondsOf("quota"), 1.8);
  // Eight users send ten rounds in the second, then all ten what is left.
  assert.equal(await secondsOf("pool"), 1.1);
});
