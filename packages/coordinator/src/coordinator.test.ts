import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";

async function startedCluster(): Promise<Cluster> {
  const cluster = new Cluster(new VirtualClock({ nowUs: 5_000_000 }));
  cluster.coordinate();
  cluster.agent("a1");
  cluster.agent("a2", { offsetUs: 3_000_000_000 });
  await cluster.pass(100);
  return cluster;
}

test("a run reaches its end, with a directory, a report and every interval", async () => {
  const cluster = await startedCluster();
  await cluster.submit();
  const record = await cluster.untilOver();
  assert.equal(record.problem, null);
  assert.equal(record.state, "completed");
});
