import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isTerminal } from "@tokenstorm/core";
import { getReport } from "@tokenstorm/protocol";
import { signalFamily } from "@tokenstorm/testkit";
import { scratch } from "./cli.js";
import { startCoordinator } from "./cluster.js";
import {
  assertJoined,
  assertWhole,
  LIMIT_MS,
  openCluster,
  RUN,
  submit,
  until,
  untilCut,
  untilState,
} from "./killed-cluster.js";

test("a coordinator that is killed and started again goes on with its own run directory", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  const args = ["--no-http", "--out", scratch(t)];
  const first = await startCoordinator(t, cluster.nats, args);
  await submit(cluster);
  await untilState(cluster, "running");
  // That state is written before time zero: by now some of its results are in the directory, and some are on their way.
  await untilCut(cluster, 2);
  first.signal("SIGKILL");
  await first.finished;
  await startCoordinator(t, cluster.nats, args);
  const record = await until(cluster, ({ state }) => isTerminal(state), "over");
  assert.deepEqual([record.state, record.term], ["completed", 2]);
  const report = await getReport(cluster.transport, record);
  assertWhole(report);
  await assertJoined(cluster, report);
  const file = join(record.result?.directory ?? "", "report.json");
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")).completeness, report.completeness);
});

test("an agent that is killed in mid-run ends the run by name; what is missing of it is named, and bounded by its heartbeat", {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const cluster = await openCluster(t);
  if (cluster === undefined) return;
  await startCoordinator(t, cluster.nats, ["--no-http", "--out", scratch(t)]);
  await submit(cluster, {
    load: { kind: "users", stages: [{ users: 6, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }] },
  });
  // In the log of its results, so that there is something to lose.
  const seen = new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("a2 delivered nothing")), LIMIT_MS);
    void untilState(cluster, "running").then(() =>
      cluster.transport.log.follow(RUN, ({ agent, kind }) => {
        if (agent !== "a2" || kind !== "snapshot") return;
        clearTimeout(limit);
        resolve();
      }),
    );
  });
  await seen;
  signalFamily(cluster.agents[1]?.pid ?? 0, "SIGKILL");
  const record = await until(cluster, ({ state }) => isTerminal(state), "over");
  assert.deepEqual([record.state, record.problem?.code], ["failed", "AGENT_LOST"]);
  assert.match(record.problem?.message ?? "", /agent a2 on .* was lost/);
  const report = await getReport(cluster.transport, record);
  assert.equal(report.verdict.status, "invalid");
  assert.ok(
    report.verdict.reasons.some((reason) =>
      /no final word came from a2 \(known to have cut \d+\)/.test(reason),
    ),
    report.verdict.reasons.join("\n"),
  );
  const requests = (await cluster.simulator.truth()).filter(({ id }) => id.startsWith(`ts-${RUN}-`));
  const finished = requests.filter(({ finishReason }) => finishReason === "length").length;
  // Of a2 the open interval at most, and what it had not handed over: some requests of three users in two seconds.
  const { completed } = report.totals.requests;
  assert.ok(completed <= finished && finished - completed < 60, `${completed} of ${finished}`);
});
