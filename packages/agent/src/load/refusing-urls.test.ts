import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanInput } from "@tokenstorm/core";
import { Cluster } from "../testing/cluster.js";
import type { FakeTargetOptions } from "../testing/fake-target.js";
import { checkBooks, sentBy } from "../testing/looks.js";
import { RefusingUrls } from "./refusing-urls.js";

const [GOOD, DEAD] = [0, 1];
/** A hundred a second to each of two URLs. */
const load: PlanInput["load"] = {
  kind: "arrival-rate",
  spacing: "even",
  maxInFlight: 500,
  stages: [{ fromRps: 200, durationMs: 5000 }],
};
const plan: Partial<PlanInput> = {
  target: { urls: ["http://good:1", "http://dead:1"] },
  workload: { outputTokens: 40 },
  load,
};

/** One agent, whose second URL refuses for as long as that is so; answers take two seconds. */
async function start(isDead: () => boolean, after: "taken" | "connect-timeout" | "tls" = "taken") {
  const cluster = new Cluster();
  const target: Partial<FakeTargetOptions> = {
    ttftUs: 1000,
    itlUs: 50_000,
    outcome: ({ url }) => {
      if (url === DEAD && isDead()) return { kind: "failed", reason: "connect-refused" };
      return url === DEAD && after !== "taken" ? { kind: "failed", reason: after } : { kind: "completed" };
    },
  };
  const agent = await cluster.addAgent("a1", { target });
  await cluster.start(plan);
  const triedFrom = (url: number, fromUs: number) =>
    sentBy(cluster, agent).filter((one) => one.url === url && one.tUs >= fromUs).length;
  return { cluster, triedFrom };
}

test("a URL that refuses is tried ten times a second, while each arrival is offered and fails, and the other URL gets its own", async () => {
  const { cluster, triedFrom } = await start(() => true);
  await cluster.runTo(9_000_000);
  checkBooks(cluster);
  const ledger = cluster.finals[0]?.ledger;
  assert.deepEqual([ledger?.offered, ledger?.failed, ledger?.completed], [1000, 500, 500]);
  assert.equal(triedFrom(GOOD, 0), 500);
  // Twenty in the first 0.2 s, then one each 0.1 s.
  const tried = triedFrom(DEAD, 0);
  assert.ok(tried >= 65 && tried <= 70, `tried ${tried} times`);
  const refused = cluster.snapshots.flatMap(({ blocks }) =>
    blocks.map(({ due }) => due.failed["connect-refused"] ?? 0),
  );
  assert.equal(
    refused.reduce((sum, count) => sum + count, 0),
    500,
  );
  await cluster.close();
});

test("a URL that takes a connection again is sent all that is due from then on, before the answer has ended", async () => {
  let isDead = true;
  const { cluster, triedFrom } = await start(() => isDead);
  await cluster.runTo(2_000_000);
  isDead = false;
  await cluster.runTo(9_000_000);
  const late = triedFrom(DEAD, 2_000_000);
  // At most one knock's wait is lost of the three seconds that are left.
  assert.ok(late >= 290 && late <= 300, `${late} of 300`);
  await cluster.close();
});

for (const reason of ["connect-timeout", "tls"] as const) {
  test(`a URL that fails by ${reason} since it refused is sent what is due, which fails by that`, async () => {
    let isDead = true;
    const { cluster, triedFrom } = await start(() => isDead, reason);
    await cluster.runTo(2_000_000);
    isDead = false;
    await cluster.runTo(9_000_000);
    const late = triedFrom(DEAD, 2_000_000);
    // One knock, and the two seconds that its answer takes here at most, are lost of three.
    assert.ok(late >= 80, `${late} of 300`);
    await cluster.close();
  });
}

test("refusals among connections that are taken hold nobody up", () => {
  const urls = new RefusingUrls();
  for (let tUs = 0; tUs < 1_000_000; tUs += 1000) {
    assert.ok(urls.mayTry(DEAD, tUs));
    urls.refused(DEAD);
    if (tUs % 10_000 === 0) urls.notRefused(DEAD);
  }
});
