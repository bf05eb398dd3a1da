import assert from "node:assert/strict";
import { test } from "node:test";
import { type MadeUpOptions, type MadeUpRun, madeUpRun } from "@tokenstorm/testkit";
import { IntervalSums } from "./interval-sums.js";
import { MAX_POINTS, type RunData } from "./report-data.js";
import { reportOnlyData, runData } from "./run-data.js";

const calm: MadeUpOptions = { agents: 2, levels: [2, 6], levelMs: 12_000, seed: 5 };
const calmRun = madeUpRun(calm);
const troubled: MadeUpOptions = { agents: 3, levels: [6], levelMs: 40_000, seed: 6, hasTrouble: true };

const sum = (values: readonly (number | null)[]) =>
  values.reduce<number>((total, value) => total + (value ?? 0), 0);
const most = (values: readonly (number | null)[]) => Math.max(...values.flatMap((value) => value ?? []));

function seriesOf(data: RunData) {
  assert.ok(data.series !== null);
  return data.series;
}

test("the report in the page is the one of the other formats, and its lines add up to it", async () => {
  const data = await runData(calmRun);
  const { series, report } = { series: seriesOf(data), report: data.report };
  assert.equal(series.intervalsPerPoint, 1);
  const { points, pointUs } = series;
  const heard = points * pointUs;
  // What came after the end of the run's own time is in no point.
  assert.ok(heard >= report.run.durationMs * 1000);
  const perPoint = (mean: readonly (number | null)[]) => (sum(mean) * pointUs) / 1e6;
  const output = perPoint(series.outputTokensPerS.mean);
  assert.ok(Math.abs(output / report.totals.tokens.output - 1) < 1e-3, `${output} output tokens`);
  const completed = perPoint(series.requestsPerS.mean);
  assert.ok(Math.abs(completed / report.totals.requests.completed - 1) < 1e-3, `${completed} completed`);
  assert.equal(sum(series.failed), 0);
  for (const [metric, line] of Object.entries(series.latency)) {
    const largest = Math.max(...report.stages.map(({ latencyUs }) => latencyUs[metric as "ttft"].max ?? 0));
    assert.ok(most(line.max) >= largest, `${metric}: ${most(line.max)} is below ${largest}`);
  }
});

test("a result that comes twice counts once", async () => {
  const once = await runData(calmRun);
  const twice = await runData({ ...calmRun, results: [...calmRun.results, ...calmRun.results] });
  assert.deepEqual(twice, once);
});

test("a long run has no more points than a short one may have, and loses no maximum and no failure", async () => {
  const run = madeUpRun({ agents: 2, levels: [2], levelMs: 700_000, seed: 7, hasTrouble: true });
  const data = await runData(run);
  const series = seriesOf(data);
  assert.equal(series.intervalsPerPoint, 3);
  assert.ok(series.points <= MAX_POINTS, `${series.points} points`);
  for (const values of [
    series.inFlight.mean,
    series.latency.ttft.max,
    series.failed,
    series.vitals.cpu.max,
  ]) {
    assert.equal(values.length, series.points);
  }
  const snapshots = run.results.flatMap((one) => (one.kind === "snapshot" ? [one.snapshot] : []));
  const ttftMax = Math.max(
    ...snapshots.flatMap(({ blocks }) => blocks.map(({ histograms }) => histograms.ttft?.max ?? 0)),
  );
  assert.equal(most(series.latency.ttft.max), ttftMax);
  assert.equal(sum(series.failed), data.report.totals.requests.failed);
  assert.ok(sum(series.failed) > 0, "some failed");
  assert.equal(
    most(series.vitals.loopDelayP99Us.max),
    Math.max(...snapshots.map(({ vitals }) => vitals.loopDelayP99Us)),
  );
  // A point's band reaches as far as its single intervals do.
  const highest = byInterval(run, ({ blocks }) =>
    blocks.reduce((tokens, { flow }) => tokens + flow.outputTokens, 0),
  );
  assert.equal(most(series.outputTokensPerS.high), Math.max(...highest));
});

/** Sums over agents, interval by interval, for those that took their whole time. */
function byInterval(run: MadeUpRun, read: (snapshot: Snapshot) => number): number[] {
  const sums = new Map<number, number>();
  for (const result of run.results) {
    if (result.kind === "final" || result.snapshot.toUs - result.snapshot.fromUs < 1e6) continue;
    const { fromUs } = result.snapshot;
    sums.set(fromUs, (sums.get(fromUs) ?? 0) + read(result.snapshot));
  }
  return [...sums.values()];
}
type Snapshot = Extract<MadeUpRun["results"][number], { kind: "snapshot" }>["snapshot"];

test("a curve rises to the maximum, agrees with the table, and has no percentile that the sample does not hold", async () => {
  const { report, levels } = await runData(calmRun);
  for (const [i, level] of levels.entries()) {
    const stage = report.stages[i] ?? assert.fail();
    for (const metric of ["ttft", "itl", "tpot", "e2e"] as const) {
      const curve = level.curves[metric] ?? assert.fail();
      const values = curve.points.map(([, us]) => us);
      assert.deepEqual(
        values,
        [...values].sort((a, b) => a - b),
      );
      assert.deepEqual(curve.points.at(-1), [100, stage.latencyUs[metric].max]);
      assert.deepEqual(curve.points[0], [0, stage.latencyUs[metric].min]);
      assert.equal(curve.count, stage.latencyUs[metric].count);
      const named = new Map(curve.points);
      assert.equal(named.get(50), stage.latencyUs[metric].p50);
      assert.equal(named.get(90), stage.latencyUs[metric].p90);
      const last = curve.points.at(-2)?.[0] ?? 100;
      assert.ok(((100 - last) * curve.count) / 100 >= 1 - 1e-6, `${last} of ${curve.count}`);
      assert.equal(curve.atLeastFrom, null);
    }
  }
});

test("intervals hold the figures that they are of, and none is made up", async () => {
  const { report, levels } = await runData(calmRun);
  for (const [i, level] of levels.entries()) {
    const { rates, inFlight, latencyUs } = report.stages[i] ?? assert.fail();
    const holds = (interval: { low: number; high: number } | null, value: number | null) => {
      assert.ok(interval !== null && value !== null);
      assert.ok(
        interval.low <= value * 1.02 && interval.high >= value * 0.98,
        `${JSON.stringify(interval)} of ${value}`,
      );
    };
    holds(level.outputTokensPerS, rates.outputTokensPerS);
    holds(level.requestsPerS, rates.requestsPerS);
    holds(level.inFlight, inFlight.mean);
    holds(level.percentiles.ttft.p50, latencyUs.ttft.p50);
    holds(level.percentiles.itl.p50, latencyUs.itl.p50);
    assert.equal(
      level.percentiles.itl.p99,
      null,
      "gaps of one answer depend on each other: requests are counted",
    );
    assert.equal(level.percentiles.e2e.p99, null, "so few requests bound no p99 from above");
  }
});

test("an agent's colours are those that the verdict counts, and a missing interval is a gap", async () => {
  const data = await runData(madeUpRun(troubled));
  const series = seriesOf(data);
  let red = 0;
  for (const agent of data.report.agents) {
    const line = series.agentLines.find(({ id }) => id === agent.id) ?? assert.fail();
    const count = (letter: string) => [...line.colours].filter((one) => one === letter).length;
    assert.deepEqual([count("r"), count("y")], [agent.redIntervals, agent.yellowIntervals], agent.id);
    red += count("r");
  }
  assert.ok(red > 0, "one agent could not keep up");
  const [gap] = data.report.completeness.missing;
  assert.ok(gap !== undefined);
  const missing = series.agentLines.find(({ id }) => id === gap.agent)?.colours ?? "";
  assert.equal(missing.slice(gap.from - 1, gap.to), "---");
  assert.equal(series.agents[gap.from - 1], 2);
  assert.equal(series.agents[0], 3);
});

test("two hours of 1 s intervals are points of 30 s, and a day of them points of 5 min", () => {
  const of = (hours: number) => new IntervalSums({ intervalUs: 1_000_000, endUs: hours * 3_600_000_000 });
  assert.deepEqual([of(2).pointUs, of(2).points], [30_000_000, 240]);
  assert.deepEqual([of(24).pointUs, of(24).points], [300_000_000, 288]);
  for (const hours of [0.01, 0.5, 3, 100, 5000]) assert.ok(of(hours).points <= MAX_POINTS, `${hours} h`);
});

test("the order in which results came changes nothing", async () => {
  const run = madeUpRun(troubled);
  const forwards = await runData(run);
  const backwards = await runData({ ...run, results: run.results.toReversed() });
  assert.deepEqual(backwards, forwards);
});

test("what nobody has said is named as such", async () => {
  const { conditions } = await runData(calmRun);
  const of = (name: string) => conditions.find((one) => one.name === name);
  assert.deepEqual(of("AITER"), { group: "target", name: "AITER", value: null, source: "nobody" });
  assert.equal(of("GPUs")?.value, "8");
  assert.equal(of("load")?.value, "closed: 2, 6 users");
});

test("what a plan states of the deployment stands among the conditions, and in the report, as the plan's word", async () => {
  const { record } = calmRun.facts;
  const facts = {
    precision: "FP8",
    aiter: "on" as const,
    ...{ paramsTotalB: 405, paramsActiveB: 405, kvOffloadGiB: 0 },
    ...{ env: { VLLM_ROCM_USE_AITER: "1" }, more: { rocm: "6.4.2" } },
  };
  const plan = { ...record.plan, target: { ...record.plan.target, facts } };
  const { conditions, report } = await runData({
    ...calmRun,
    facts: { ...calmRun.facts, record: { ...record, plan } },
  });
  const of = (name: string) => conditions.find((one) => one.name === name);
  assert.deepEqual(of("precision"), { group: "target", name: "precision", value: "FP8", source: "plan" });
  assert.equal(of("AITER")?.value, "on");
  assert.equal(of("total and active parameters")?.value, "405 B total, 405 B active");
  assert.equal(of("KV offload")?.value, "none");
  assert.equal(of("environment VLLM_ROCM_USE_AITER")?.value, "1");
  assert.equal(of("rocm")?.value, "6.4.2");
  assert.deepEqual(report.run.facts, facts);
});

test("a run that never started, and a report without intervals, are pages all the same", async () => {
  const { facts } = calmRun;
  const never = {
    ...facts,
    endUs: 0,
    record: {
      ...facts.record,
      state: "failed" as const,
      start: null,
      stageStartsUs: [null, null],
      shards: [],
    },
  };
  const data = await runData({ facts: never, results: [], events: [] });
  assert.deepEqual([data.series, data.levels], [null, []]);
  assert.equal(data.report.verdict.status, "invalid");
  const only = reportOnlyData(data.report);
  assert.deepEqual([only.series, only.levels, only.report], [null, [], data.report]);
});

test("nothing in the data is a number that is none", async () => {
  const walk = (value: unknown, path: string): void => {
    if (typeof value === "number") assert.ok(Number.isFinite(value), `${path} is ${value}`);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`);
    } else assert.notEqual(typeof value, "undefined", path);
  };
  walk(await runData(madeUpRun(troubled)), "data");
});
