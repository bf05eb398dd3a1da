import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RunReport } from "@tokenstorm/core";
import { lineToEvent } from "@tokenstorm/protocol";
import { readTruth, runCli, scratch, startSimulator } from "./cli.js";

const WITHIN_MS = 1000;

/** When the leader noted this, ms since 1970. */
function notedAtMs(out: string, pattern: RegExp): number {
  const [directory = ""] = readdirSync(out);
  const lines = readFileSync(join(out, directory, "events.ndjson"), "utf8")
    .trimEnd()
    .split("\n");
  for (const line of lines) {
    const event = lineToEvent(line)?.event;
    if (event?.kind === "note" && pattern.test(event.text)) return event.wallMs;
  }
  return assert.fail(`no note like ${pattern} in\n${lines.join("\n")}`);
}

test("a threshold with abortOnFail ends a run: exit code 99, and within a second nobody sends any more", async (t) => {
  const simulator = await startSimulator(t);
  const out = scratch(t);
  const result = await runCli(t, [
    "run",
    ...["--target", simulator.url, "--users", "8", "--duration", "10m", "--output-tokens", "200"],
    ...["--processes", "2", "--out", out, "--json", "--ui", "none"],
    ...["--threshold", "e2e.p50 < 1h", "--threshold", "ttft.max < 1us abortOnFail"],
  ]);
  assert.equal(result.code, 99, result.stderr);
  const report: RunReport = JSON.parse(result.stdout);
  assert.deepEqual([report.run.state, report.run.problem?.code], ["aborted", "RUN_ABORTED"]);
  assert.match(report.run.problem?.message ?? "", /`ttft\.max < 1us abortOnFail` failed in u8/);
  assert.equal(report.thresholds.find(({ metric }) => metric === "ttft.max")?.result, "failed");
  assert.equal(report.completeness.intervalsReceived, report.completeness.intervalsExpected);
  assert.ok(report.totals.requests.cancelled > 0, "what was open is cut");

  await simulator.stop();
  const { header, requests } = readTruth(simulator.truthFile);
  const untilMs = notedAtMs(out, /^the threshold .* failed in/) + WITHIN_MS;
  const msOf = (us: number) => (us - header.monotonicUs + header.epochUs) / 1000;
  const late = requests.filter(({ receivedUs, endUs }) => msOf(Math.max(receivedUs, endUs)) > untilMs);
  assert.ok(requests.length > 0);
  assert.deepEqual(
    late.map(({ id, endUs }) => `${id} until ${msOf(endUs) - untilMs} ms`),
    [],
  );
});
