import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { readTruth, runCli, scratch, startCli } from "../integration/cli.js";

test("a stage of 60 s with requests of two minutes counts tokens when they arrive, and says that it is too short", async (t) => {
  const folder = scratch(t);
  const truthFile = join(folder, "truth.jsonl");
  const simulator = startCli(t, ["simulate", "--port", "0", "--truth-log", truthFile, "--json"], {
    limitMs: 200_000,
  });
  const { url }: { url: string } = JSON.parse(await simulator.line(/"url"/));
  const plan = join(folder, "plan.json");
  writeFileSync(
    plan,
    JSON.stringify({
      version: 1,
      target: { urls: [url] },
      workload: { inputTokens: 32, outputTokens: 512 },
      load: { kind: "users", stages: [{ users: 1000, rampUpMs: 0, settleMs: 0, durationMs: 60_000 }] },
      gracePeriodMs: 5000,
      warmUp: { requests: 0 },
    }),
  );
  const run = await runCli(t, ["run", plan, "--processes", "4", "--out", folder, "--json", "--ui", "none"], {
    limitMs: 150_000,
  });
  const report: RunReport = JSON.parse(run.stdout);
  simulator.signal("SIGTERM");
  await simulator.finished;
  const level = report.stages[0];
  assert.ok(level !== undefined);
  assert.equal(level.tooShort, true);
  assert.ok(level.requests.censored > 900, `${level.requests.censored} censored`);
  assert.equal(
    level.requests.offered,
    level.requests.completed +
      level.requests.failed +
      level.requests.cancelled +
      level.requests.dropped +
      level.requests.unknown +
      level.requests.censored,
  );

  // Tokens by interval edge, from the agents' own lines and from the simulator's stamps.
  const directory = readdirSync(folder, { withFileTypes: true }).find((entry) => entry.isDirectory())?.name;
  assert.ok(directory !== undefined);
  const ours = new Map<number, number>();
  for (const line of readFileSync(join(folder, directory, "snapshots.ndjson"), "utf8")
    .trimEnd()
    .split("\n")) {
    const entry: { kind: string; toUs: number; blocks: { flow: { outputTokens: number } }[] } =
      JSON.parse(line);
    if (entry.kind !== "snapshot") continue;
    const tokens = entry.blocks.reduce((sum, block) => sum + block.flow.outputTokens, 0);
    ours.set(entry.toUs, (ours.get(entry.toUs) ?? 0) + tokens);
  }
  const { header, requests } = readTruth(truthFile);
  const zeroUs = level.windowStartEpochUs - level.windowStartUs - header.epochUs + header.monotonicUs;
  const writes: { atUs: number; tokens: number }[] = [];
  for (const request of requests.filter((one) => one.id.startsWith(`ts-${report.run.id}-`))) {
    let atUs = 0;
    for (const [i, delta] of request.writesUs.entries()) {
      atUs += delta;
      writes.push({ atUs: atUs - zeroUs, tokens: request.writeTokens?.[i] ?? 1 });
    }
  }
  writes.sort((a, b) => a.atUs - b.atUs);
  let counted = 0;
  let written = 0;
  let at = 0;
  const edges = [...ours.keys()].sort((a, b) => a - b).filter((edge) => edge <= 60_000_000);
  assert.equal(edges.length, 60);
  for (const edge of edges) {
    counted += ours.get(edge) ?? 0;
    for (; at < writes.length && (writes[at]?.atUs ?? 0) < edge; at += 1) written += writes[at]?.tokens ?? 0;
    assert.ok(
      Math.abs(counted - written) <= 1000,
      `at ${edge / 1e6} s: counted ${counted}, written ${written}`,
    );
  }
  assert.ok(counted > 100_000, `only ${counted} tokens in all`);
});
