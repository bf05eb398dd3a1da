import assert from "node:assert/strict";
import { test } from "node:test";
import { createAggregate } from "../measure/fold.js";
import { assignment, playOn } from "../measure/testing/cluster.js";
import { closedLoop, factsOf, planOf, runOf } from "../measure/testing/run-facts.js";
import { seeded } from "../measure/testing/seeded.js";
import type { PlanInput } from "../plan/schema.js";
import { compareRuns } from "./compare-runs.js";
import type { ComparedName, Comparison, Difference } from "./comparison.js";
import { type RunEvidence, reportAlone, runEvidence } from "./evidence.js";

const S = 1_000_000;

/** Levels of 4 and of 8 users, 40 s each, answered after about so long by what the seed says. */
function measured(
  id: string,
  e2eMs: number,
  change: {
    readonly seed?: number;
    readonly plan?: Partial<PlanInput>;
    readonly users?: readonly number[];
    readonly fails?: (user: number, j: number) => boolean;
    readonly salt?: string;
  } = {},
): RunEvidence {
  const { seed = 1, users = [4, 8], fails = () => false } = change;
  const random = seeded(seed);
  const stages = users.map((count) => ({ users: count, rampUpMs: 0, settleMs: 0, durationMs: 40_000 }));
  const plan = planOf({ load: { kind: "users", stages }, ...change.plan });
  const requests = users.flatMap((count, stage) =>
    closedLoop({
      ...{ stage, users: count, fails, fromUs: stage * 40 * S, toUs: (stage + 1) * 40 * S },
      e2eUs: () => Math.round(e2eMs * 1000 * (0.9 + 0.2 * random())),
    }),
  );
  const run = runOf(plan, requests);
  const aggregate = createAggregate({ stages: run.stages, shards: [0, 1].map(assignment) });
  for (const { snapshots, final } of playOn(run, 2)) {
    for (const snapshot of snapshots) aggregate.fold(snapshot);
    aggregate.foldFinal(final);
  }
  const facts = factsOf(plan, run, 2, { record: { id, salt: change.salt ?? id } });
  return runEvidence({ facts, aggregate, stages: run.stages, serverSamples: [] });
}

function differenceOf(comparison: Comparison, level: number, name: ComparedName, side = 0): Difference {
  const found = comparison.levels[level]?.figures.find((figure) => figure.name === name)?.differences[side];
  assert.ok(found !== undefined, `${level} ${name}`);
  return found;
}

const signOf = (difference: Difference) =>
  difference.kind === "interval" ? difference.sign : difference.kind;

const side = (label: string, ...runs: readonly RunEvidence[]) => ({ label, runs });

test("a side that answers a fifth sooner differs in times and throughput, and not in success or in flight", () => {
  const comparison = compareRuns([
    side("A", measured("one", 500, { seed: 1 })),
    side("B", measured("two", 400, { seed: 2 })),
  ]);
  assert.equal(comparison.basis, "windows");
  assert.deepEqual(
    comparison.levels.map(({ name, load }) => [name, load]),
    [
      ["u4", "4 users"],
      ["u8", "8 users"],
    ],
  );
  for (const level of [0, 1]) {
    for (const [name, sign] of [
      ["outputTokensPerS", "higher"],
      ["requestsPerS", "higher"],
      ["inFlight", "none"],
      ["success", "none"],
      ["ttftP50Us", "lower"],
      ["e2eP50Us", "lower"],
      ["tpotP50Us", "lower"],
    ] as const) {
      const found = differenceOf(comparison, level, name);
      const kind = name === "inFlight" && found.kind === "point" ? "none" : signOf(found);
      assert.equal(kind, sign, `${level} ${name}: ${JSON.stringify(found)}`);
    }
    const e2e = differenceOf(comparison, level, "e2eP50Us");
    assert.ok(e2e.kind === "interval" && e2e.low <= -100_000 && e2e.high >= -110_000, JSON.stringify(e2e));
    assert.ok(e2e.relative !== null && Math.abs(e2e.relative.change + 0.2) < 0.02);
  }
});

test("of two runs of one server about one interval in twenty at most leaves 0 out", () => {
  let intervals = 0;
  let off = 0;
  for (let seed = 1; seed <= 15; seed += 1) {
    const users = [3];
    const comparison = compareRuns([
      side("A", measured("one", 500, { seed, users })),
      side("B", measured("two", 500, { seed: 1000 + seed, users })),
    ]);
    for (const name of [
      "outputTokensPerS",
      "requestsPerS",
      "success",
      "ttftP50Us",
      "e2eP50Us",
      "e2eP99Us",
    ] as const) {
      const found = differenceOf(comparison, 0, name);
      if (found.kind !== "interval") continue;
      intervals += 1;
      if (found.sign !== "none") off += 1;
    }
  }
  assert.ok(intervals >= 75, `${intervals} intervals`);
  assert.ok(off <= 0.08 * intervals, `${off} of ${intervals} leave 0 out`);
});

test("groups of repeats are held against each other by their means, and their spreads are tested", () => {
  const group = (label: string, means: readonly number[]) =>
    side(label, ...means.map((mean, i) => measured(`${label}${i}`, mean, { seed: i + 1 })));
  const steady = group("A", [500, 501, 499, 500, 500.5]);
  const loose = group("B", [430, 520, 460, 495, 410]);
  const comparison = compareRuns([steady, loose, group("C", [503, 500, 498, 501, 499])]);
  assert.equal(comparison.basis, "runs");
  assert.equal(signOf(differenceOf(comparison, 0, "e2eP50Us", 1)), "none");
  const [ofB, ofC] = comparison.spread;
  assert.ok(ofB?.kind === "test" && ofB.pValue < 0.001 && (ofB.ratio ?? 0) > 5, JSON.stringify(ofB));
  assert.ok(ofC?.kind === "test", JSON.stringify(ofC));
  const figure = comparison.levels[0]?.figures.find(({ name }) => name === "e2eP50Us");
  assert.equal(figure?.values[0]?.runs.length, 5);
  assert.equal(figure?.values[0]?.mean.kind, "interval");
});

test("a percentile that is a lower bound in one repeat gets no interval over the repeats", () => {
  const bounded = (evidence: RunEvidence): RunEvidence => ({
    ...evidence,
    report: {
      ...evidence.report,
      stages: evidence.report.stages.map((stage) => ({
        ...stage,
        latencyUs: { ...stage.latencyUs, e2e: { ...stage.latencyUs.e2e, atLeast: ["p99"] } },
      })),
    },
  });
  const group = (label: string, mean: number) =>
    [1, 2, 3].map((seed) => measured(`${label}${seed}`, mean + seed, { seed }));
  const [one, ...others] = group("B", 800);
  assert.ok(one !== undefined);
  const comparison = compareRuns([side("A", ...group("A", 500)), side("B", bounded(one), ...others)]);
  const difference = differenceOf(comparison, 0, "e2eP99Us");
  assert.ok(
    difference.kind === "point" && /cut unfinished/.test(difference.because),
    JSON.stringify(difference),
  );
  assert.equal(signOf(differenceOf(comparison, 0, "e2eP50Us")), "higher");
});

test("failures show in the difference of success, by exact bounds", () => {
  const fails = (user: number, j: number) => (user + j) % 4 === 0;
  const comparison = compareRuns([
    side("A", measured("one", 500)),
    side("B", measured("two", 500, { fails })),
  ]);
  const found = differenceOf(comparison, 1, "success");
  assert.ok(found.kind === "interval" && found.sign === "lower", JSON.stringify(found));
  assert.ok(Math.abs(found.difference + 0.25) < 0.03 && found.low < -0.25 && found.high > -0.25);
});

test("what was asked differently is said before any figure, stages by their names", () => {
  const comparison = compareRuns([
    side("A", measured("one", 500)),
    side(
      "B",
      measured("two", 500, {
        users: [2, 4, 8],
        plan: {
          workload: { inputTokens: 600 },
          load: {
            kind: "users",
            stages: [2, 4, 8].map((users) => ({ users, rampUpMs: 0, settleMs: 0, durationMs: 40_000 })),
          },
        },
      }),
    ),
  ]);
  const byName = new Map(comparison.conditions.map(({ name, values }) => [name, values]));
  assert.deepEqual(byName.get("plan.workload.inputTokens"), ["512", "600"]);
  assert.deepEqual(byName.get("plan.load.stages"), ["u4 u8", "u2 u4 u8"]);
  assert.deepEqual([...byName.keys()].sort(), ["plan.load.stages", "plan.workload.inputTokens"]);
  assert.deepEqual(
    comparison.levels.map(({ name }) => name),
    ["u4", "u8"],
  );
  assert.deepEqual(comparison.unpaired, [{ side: "B", level: "u2" }]);
});

test("levels with other names and the same load belong together", () => {
  const named = { stages: [{ name: "peak", users: 8, rampUpMs: 0, settleMs: 0, durationMs: 40_000 }] };
  const b = measured("two", 500, { users: [8], plan: { load: { kind: "users", ...named } } });
  const { levels, unpaired } = compareRuns([side("A", measured("one", 500)), side("B", b)]);
  assert.deepEqual(
    levels.map(({ names }) => names),
    [["u8", "peak"]],
  );
  assert.deepEqual(unpaired, [{ side: "A", level: "u4" }]);
});

test("one salt for two runs, an invalid run and a run beside itself are warned of", () => {
  const one = measured("one", 500, { salt: "same" });
  const two = measured("two", 500, { salt: "same" });
  assert.match(compareRuns([side("A", one), side("B", two)]).warnings.join(), /same salt/);
  assert.match(compareRuns([side("A", one), side("B", one)]).warnings.join(), /compared with itself/);
  const verdict = { ...two.report.verdict, status: "invalid" as const };
  const invalid = { ...two, report: { ...two.report, verdict } };
  assert.match(compareRuns([side("A", one), side("B", invalid)]).warnings.join(), /Run two of B is invalid/);
});

test("a report without its intervals has points and says why", () => {
  const kept = reportAlone(measured("two", 400).report);
  const comparison = compareRuns([side("A", measured("one", 500)), side("B", kept)]);
  const found = differenceOf(comparison, 0, "e2eP50Us");
  assert.ok(
    found.kind === "point" && found.because.includes("only the report was kept"),
    JSON.stringify(found),
  );
  assert.ok(found.difference < -90_000);
  const walk = (value: unknown): void => {
    if (typeof value === "number") assert.ok(Number.isFinite(value));
    if (typeof value === "object" && value !== null) for (const one of Object.values(value)) walk(one);
  };
  walk(comparison);
});

test("facts that the two plans state of their deployments are conditions in which they differ, one by one", () => {
  const withFacts = (id: string, aiter: "on" | "off") =>
    measured(id, 500, {
      plan: { target: { urls: ["http://127.0.0.1:8000"], facts: { precision: "FP8", aiter } } },
    });
  const comparison = compareRuns([
    { label: "A", runs: [withFacts("aaa", "off")] },
    { label: "B", runs: [withFacts("bbb", "on")] },
  ]);
  const facts = comparison.conditions.filter(({ name }) => name.includes("facts"));
  assert.deepEqual(facts, [{ name: "plan.target.facts.aiter", values: ["off", "on"] }]);
});
