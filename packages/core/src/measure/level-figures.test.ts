import assert from "node:assert/strict";
import { test } from "node:test";
import type { StageReport } from "../run/report.js";
import { emptyDue } from "./counts.js";
import { createHistogram } from "./hdr-histogram.js";
import { lengthSummary } from "./length-summary.js";
import { foldAll, playOn } from "./testing/cluster.js";
import { closedLoop, factsOf, planOf, reportOf, runOf } from "./testing/run-facts.js";
import type { ScriptedRun } from "./testing/scripted-run.js";

const S = 1_000_000;
const urls = ["http://a:8000", "http://b:8000", "http://c:8000"];

/** Twelve users at three targets, each request of `e2eUs`; measured from 2 s to 12 s. */
function levelOf(
  how: {
    readonly e2eUs?: (user: number) => number;
    readonly fails?: (user: number, j: number) => boolean;
    readonly agents?: number;
    readonly urls?: readonly string[];
  } = {},
): StageReport {
  const plan = planOf({
    target: { urls: [...(how.urls ?? urls)] },
    load: { kind: "users", stages: [{ users: 12, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 }] },
  });
  const { e2eUs = () => 500_000, fails = () => false, agents = 2 } = how;
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 12, e2eUs, fails });
  const run: ScriptedRun = { ...runOf(plan, requests), urls: plan.target.urls.length };
  const report = reportOf(factsOf(plan, run, agents), foldAll(run, playOn(run, agents)), {
    stages: run.stages,
  });
  const [level] = report.stages;
  assert.ok(level !== undefined);
  return level;
}

test("finish reasons, answer lengths and failures' own times stand beside a level's row", () => {
  // Every fourth request of three users fails, after 0.5 s as the others.
  const level = levelOf({ fails: (user, j) => user < 3 && j % 4 === 3 });
  const { completed, failed } = level.requests;
  assert.ok(failed === 15 && completed === 225, `${failed} failed, ${completed} completed`);
  assert.deepEqual(level.finishReasons, { length: completed });
  assert.deepEqual(level.outputLength, {
    count: completed,
    askedMean: 9,
    ...{ mean: 11, min: 11, p50: 11, p90: 11, max: 11 },
    histogram: [{ from: 11, count: completed }],
  });
  const { fromSent, fromDue } = level.failureLatencyUs ?? {};
  assert.deepEqual([fromSent?.count, fromSent?.min, fromSent?.max], [failed, 500_000, 500_000]);
  assert.deepEqual([fromDue?.count, fromDue?.min], [failed, 500_000]);
  assert.equal(level.latencyUs.e2e.count, completed, "no failed request among the completed");
  assert.equal(level.moreLatencyUs?.firstEvent.p50, level.latencyUs.ttft.p50);
  assert.equal(level.moreLatencyUs?.gap.count, level.latencyUs.itl.count);
  assert.deepEqual([level.tokensPerEvent, level.eventsPerArrival], [1, 1]);
});

test("agents and targets of a level add up to its row", () => {
  const level = levelOf({ fails: (user, j) => user < 3 && j % 4 === 3, agents: 3 });
  for (const members of [level.byAgent ?? [], level.byTarget ?? []]) {
    assert.equal(members.length, 3);
    const sum = (of: (member: (typeof members)[number]) => number) =>
      members.reduce((so, member) => so + of(member), 0);
    assert.equal(
      sum(({ offered }) => offered),
      level.requests.offered,
    );
    assert.equal(
      sum(({ completed }) => completed),
      level.requests.completed,
    );
    assert.equal(
      sum(({ failed }) => failed),
      level.requests.failed,
    );
    assert.ok(Math.abs(sum((one) => one.outputTokensPerS) - level.rates.outputTokensPerS) < 1e-9);
    assert.equal(
      sum(({ latencyUs }) => latencyUs.itl.count),
      level.latencyUs.itl.count,
    );
    assert.ok(members.every(({ latencyUs }) => latencyUs.e2e.p50 === level.latencyUs.e2e.p50));
  }
  assert.deepEqual(
    level.byTarget?.map(({ id }) => id),
    urls,
  );
  assert.deepEqual(
    level.byAgent?.map(({ id }) => id),
    ["a0", "a1", "a2"],
  );
  assert.deepEqual([level.outliers, level.notApart], [[], { agents: 0, targets: 0 }]);
});

test("a target that is three times slower is named, with what the others have", () => {
  const level = levelOf({ e2eUs: (user) => (user % 3 === 1 ? 1_200_000 : 400_000), agents: 2 });
  const [slowest] = level.outliers ?? [];
  assert.deepEqual(
    new Set(level.outliers?.map(({ of, id }) => `${of} ${id}`)),
    new Set(["target http://b:8000"]),
  );
  assert.ok(slowest !== undefined && slowest.value > 2.9 * slowest.others);
  assert.equal(level.outliers?.length, 3);
});

test("a single agent and a single target are the row itself, and targets beyond the sixteenth are counted", () => {
  const alone = levelOf({ urls: ["http://a:8000"], agents: 1 });
  assert.deepEqual([alone.byAgent, alone.byTarget, alone.outliers], [[], [], []]);
  const many = levelOf({ urls: Array.from({ length: 20 }, (_, i) => `http://h${i}:8000`) });
  assert.deepEqual(many.notApart, { agents: 0, targets: 4 });
  assert.deepEqual(many.byTarget?.length, 12, "those that had a user");
});

test("bars of a length histogram are at most sixteen, of a round width, and hold every answer", () => {
  for (const [lengths, width] of [
    [[1, 2, 2, 16], 1],
    [[90, 128, 250], 20],
    [[3, 40, 2000], 200],
    [[5000, 5001], 1],
    [[1, 100_000], 10_000],
  ] as const) {
    const histogram = createHistogram();
    for (const length of lengths) histogram.record(length);
    const { histogram: bars } = lengthSummary(histogram, { ...emptyDue(), completed: lengths.length });
    assert.ok(bars.length <= 16, `${bars.length} bars`);
    const at = bars.map(({ from }) => from);
    if (at.length > 1) assert.equal((at[1] ?? 0) - (at[0] ?? 0), width);
    assert.equal(
      bars.reduce((sum, { count }) => sum + count, 0),
      lengths.length,
    );
    // Beyond 2,048 tokens a bucket is wider than one, and may lie across the edge of a bar.
    if (lengths.every((length) => length < 2048)) {
      for (const { from, count } of bars) {
        const inside = lengths.filter((length) => length >= from && length < from + width).length;
        assert.equal(count, inside, `${from} of ${lengths.join(", ")}`);
      }
    }
  }
});

/** A mixture of two: users of the one wait three times as long as those of the other. */
function mixtureLevel(members: number | undefined, agents = 2): StageReport {
  const of = [
    { kind: "synthetic-text", name: "chat", weight: 1 },
    { kind: "synthetic-text", name: "long", weight: 1 },
  ] as const;
  const plan = planOf({
    ...(members === undefined ? {} : { workload: { kind: "mixture", of: of.slice(0, members) } }),
    load: { kind: "users", stages: [{ users: 12, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 }] },
  });
  const e2eUs = (user: number) => (user % 2 === 0 ? 400_000 : 1_200_000);
  const requests = closedLoop({ stage: 0, fromUs: 0, toUs: 12 * S, users: 12, e2eUs });
  const run: ScriptedRun = { ...runOf(plan, requests), ...(members === undefined ? {} : { members }) };
  const report = reportOf(factsOf(plan, run, agents), foldAll(run, playOn(run, agents)), {
    stages: run.stages,
  });
  return report.stages[0] ?? assert.fail("no level");
}

test("each member of a mixture has latencies of its own, which add up to the level's", () => {
  for (const agents of [1, 3]) {
    const { work = [], latencyUs } = mixtureLevel(2, agents);
    const [chat, long] = work;
    assert.deepEqual([chat?.name, long?.name], ["chat", "long"]);
    const near = (value: number | null | undefined, expected: number) =>
      assert.ok(Math.abs((value ?? 0) / expected - 1) < 1e-3, `${value}, not ${expected}`);
    near(chat?.latencyUs?.e2e.p50, 400_000);
    near(long?.latencyUs?.e2e.p50, 1_200_000);
    near(long?.latencyUs?.e2e.p99, 1_200_000);
    for (const metric of ["ttft", "e2e"] as const) {
      const counts = work.map((one) => one.latencyUs?.[metric].count ?? 0);
      assert.ok(
        counts.every((count) => count > 0),
        metric,
      );
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        latencyUs[metric].count,
        metric,
      );
    }
    assert.equal(chat?.latencyUs?.e2e.count, chat?.completed);
  }
});

test("a workload of one member has the level's latencies alone, and plain text is not kept apart at all", () => {
  assert.deepEqual(
    mixtureLevel(1).work?.map(({ latencyUs }) => latencyUs),
    [undefined],
  );
  assert.deepEqual(mixtureLevel(undefined).work ?? [], []);
});
