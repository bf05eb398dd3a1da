import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoctorReport } from "@tokenstorm/core";
import { runCli, scratch } from "../integration/cli.js";
import { startAgent, startCoordinator, startNats } from "../integration/cluster.js";

test("doctor looks at nats-server, the coordinator and every agent", async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const look = async () => {
    const result = await runCli(t, ["doctor", "--nats", nats.url, "--json", "--no-host"]);
    const report: DoctorReport = JSON.parse(result.stdout);
    return {
      code: result.code,
      checks: report.host.map(({ where, id, outcome }) => `${outcome} ${where} ${id}`),
    };
  };
  await startCoordinator(t, nats, ["--out", scratch(t)]);
  assert.deepEqual(await look(), {
    code: 0,
    checks: ["fine NATS nats-server", "fine NATS coordinator", "warning NATS agents"],
  });
  await startAgent(t, nats, ["--id", "a"]);
  const { code, checks } = await look();
  assert.equal(code, 0);
  assert.deepEqual(checks.slice(0, 4), [
    "fine NATS nats-server",
    "fine NATS coordinator",
    "fine a version",
    "fine a clock",
  ]);
});
