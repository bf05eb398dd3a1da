import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type DefinitionsReport,
  judgeLimit,
  type RunEvent,
  type RunReport,
  type ServerSample,
} from "@tokenstorm/core";
import { runCli, scratch, startSimulator } from "../integration/cli.js";

interface Result {
  readonly report: RunReport;
  readonly samples: readonly ServerSample[];
  /** The same report, made anew from the run directory. */
  readonly again: RunReport;
  /** The run in the definitions of vllm bench serve. */
  readonly told: DefinitionsReport;
}

/** Twenty users before one simulator. */
async function runBefore(t: TestContext, simulator: readonly string[]): Promise<Result> {
  const { url } = await startSimulator(t, [...simulator]);
  const folder = scratch(t);
  const file = join(folder, "plan.json");
  const plan = {
    version: 1,
    target: { urls: [url] },
    workload: { inputTokens: 100, outputTokens: 30 },
    load: { kind: "users", stages: [{ users: 20, rampUpMs: 0, settleMs: 500, durationMs: 5000 }] },
    warmUp: { requests: 0 },
  };
  writeFileSync(file, JSON.stringify(plan));
  const out = join(folder, "runs");
  const run = await runCli(t, ["run", file, "--processes", "1", "--out", out, "--json", "--ui", "none"]);
  assert.match(run.stdout, /"schemaVersion"/, `${run.code}: ${run.stderr}`);
  const [name = ""] = readdirSync(out);
  const lines = readFileSync(join(out, name, "events.ndjson"), "utf8")
    .trim()
    .split("\n");
  const again = await runCli(t, ["report", join(out, name), "--json"]);
  const told = await runCli(t, ["report", join(out, name), "--definitions", "vllm", "--json"]);
  assert.deepEqual([again.stderr, again.code, told.stderr, told.code], ["", 0, "", 0]);
  const events: RunEvent[] = lines.map((line) => JSON.parse(line));
  return {
    report: JSON.parse(run.stdout),
    again: JSON.parse(again.stdout),
    told: JSON.parse(told.stdout),
    samples: events.flatMap((event) => (event.kind === "server" ? [event.sample] : [])),
  };
}

/** As if the client had been green: on a busy host it need not have been, and this is about the server. */
function serverLimit({ report, samples }: Result) {
  const levels = report.stages.map((row) => ({
    row: { ...row, latencyUs: { ...row.latencyUs, scheduleLag: { p99: 0 } }, drops: {} },
    isNeverFull: false,
  }));
  return judgeLimit({ red: { red: 0, measured: 5, share: 0 }, levels, samples });
}

/** The level is all of this run, so counts are those of the totals, and what bounds a rate bounds it to an interval. */
function checkDefinitions({ report, told }: Result): void {
  const [level] = told.levels;
  const of = (name: string) => level?.values[name];
  const { completed } = report.totals.requests;
  assert.deepEqual(of("completed"), { kind: "value", value: completed });
  const [duration, rate] = [of("duration"), of("request_throughput")];
  assert.ok(duration?.kind === "between" && rate?.kind === "between");
  assert.ok(duration.atLeast >= 5 && duration.atMost <= 30, `${duration.atLeast} to ${duration.atMost} s`);
  assert.ok(duration.atMost - duration.atLeast <= 1.001);
  assert.ok(Math.abs(rate.atLeast - completed / duration.atMost) < 1e-9);
  for (const name of ["median_ttft_ms", "median_tpot_ms", "median_itl_ms", "median_e2el_ms"]) {
    assert.equal(of(name)?.kind, "value", name);
  }
}

const setUps = [
  ["queue", ["--max-num-seqs", "4"], /1[4-7]\.\d requests waited on average while it ran 4 and no more/],
  [
    "kv",
    // A prompt takes 7 blocks: while one waits for them, more than 95 % are taken.
    ["--kv-blocks", "150", "--max-model-len", "400"],
    /the limit: at level u20 it was up to (9\d|100) % full/,
  ],
] as const;

test("a real run says that the queue was the limit, or the KV cache, and holds the server's figures beside ours", async (t) => {
  const results = await Promise.all(
    setUps.map(([, simulator]) => runBefore(t, ["--time-scale", "2", ...simulator])),
  );
  for (const [i, result] of results.entries()) {
    const [by, , sentence] = setUps[i] ?? setUps[0];
    const limit = serverLimit(result);
    assert.deepEqual([limit.by, sentence.test(limit.sentence)], [by, true], limit.sentence);
    const { verdict, totals, stages } = result.report;
    assert.deepEqual(result.again, result.report, "a run directory gives the report that its leader wrote");
    checkDefinitions(result);
    if (verdict.limitedBy !== "client") assert.deepEqual(verdict.limitSentence, limit.sentence);
    const { latencies = [], checks = [] } = totals.server;
    assert.deepEqual(
      latencies.map(({ of, serverCount, clientCount }) => [of, serverCount - clientCount]),
      [
        ["ttft", 0],
        ["e2e", 0],
      ],
    );
    // The client sees each token after the server made it, and on loopback not much later.
    for (const { of, differenceUs } of latencies) {
      assert.ok(differenceUs > 0 && differenceUs < 500_000, `${of}: ${differenceUs} us`);
    }
    assert.deepEqual(
      checks.map(({ of, agrees, tolerance }) => [of, agrees, tolerance]),
      [
        ["output", true, 0],
        ["prompt", true, 0],
        ["successes", true, 0],
      ],
    );
    assert.ok((stages[0]?.server.itlMeanUs ?? 0) > 1000, "per level, the server's time between tokens");
  }
});
