import assert from "node:assert/strict";
import { test } from "node:test";
import { foldAll, playOn } from "../testing/cluster.js";
import { closedLoop, factsOf, planOf, runOf } from "../testing/run-facts.js";
import type { ScriptedRequest, ScriptedRun } from "../testing/scripted-run.js";
import { seeded } from "../testing/seeded.js";
import type { DefinedValue, Definitions, DefinitionsReport } from "./definitions.js";
import { recompute } from "./recompute.js";

const S = 1_000_000;

interface Ladder {
  readonly users: readonly number[];
  readonly e2eUs: (stage: number, user: number, j: number) => number;
  readonly fails?: (user: number, j: number) => boolean;
  readonly slos?: { readonly e2eMs: number };
}

/** Levels of 10 s after a ramp of 1 s and 1 s of settling. */
function ladder({ users, e2eUs, fails, slos }: Ladder) {
  const plan = planOf({
    ...(slos === undefined ? {} : { slos }),
    load: {
      kind: "users",
      stages: users.map((count) => ({ users: count, rampUpMs: 1000, settleMs: 1000, durationMs: 10_000 })),
    },
  });
  const requests = users.flatMap((count, stage) =>
    closedLoop({
      stage,
      fromUs: stage * 12 * S,
      toUs: (stage + 1) * 12 * S,
      users: count,
      e2eUs: (user, j) => e2eUs(stage, user, j),
      ...(fails === undefined ? {} : { fails }),
    }),
  );
  return { plan, run: runOf(plan, requests) };
}

function told(
  definitions: Definitions,
  { plan, run }: ReturnType<typeof ladder>,
  agents = 2,
): DefinitionsReport {
  const aggregate = foldAll(run, playOn(run, agents));
  return recompute(definitions, { facts: factsOf(plan, run, agents), stages: run.stages, aggregate });
}

function near(found: DefinedValue | undefined, expected: number, name: string): void {
  assert.ok(found?.kind === "value", `${name} is ${found?.kind}`);
  assert.ok(
    Math.abs(found.value - expected) <= 0.001 * expected + 1e-9,
    `${name}: ${found.value} for ${expected}`,
  );
}

function holds(found: DefinedValue | undefined, expected: number, name: string): void {
  assert.ok(found?.kind === "between", `${name} is ${found?.kind}`);
  const { atLeast, atMost } = found;
  assert.ok(atLeast <= expected && expected <= atMost, `${name}: ${atLeast} to ${atMost} for ${expected}`);
  assert.ok(atMost <= atLeast * 1.25, `${name}: ${atLeast} to ${atMost} says little`);
}

/** The definitions of `vllm bench serve`, request by request. */
function naive(run: ScriptedRun, stage: number) {
  const due = run.requests.filter((request) => request.stage === stage);
  const done = due.filter(({ end }) => end?.how.outcome.kind === "completed");
  const startUs = run.startsUs[stage] ?? 0;
  const lastUs = Math.max(...due.map(({ end }) => end?.tUs ?? 0));
  const stamps = ({ events }: ScriptedRequest) => events.map(({ tUs }) => tUs);
  const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
  const ttft = sorted(done.map((one) => (stamps(one)[0] ?? 0) - (one.sentUs ?? 0)));
  const itl = sorted(
    done.flatMap((one) =>
      stamps(one)
        .slice(1)
        .map((tUs, i) => tUs - (stamps(one)[i] ?? 0)),
    ),
  );
  const tpot = sorted(
    done.map((one) => ((stamps(one).at(-1) ?? 0) - (stamps(one)[0] ?? 0)) / (one.events.length - 1)),
  );
  const e2el = sorted(done.map((one) => (one.end?.tUs ?? 0) - (one.sentUs ?? 0)));
  const tokens = done.reduce((sum, one) => sum + one.events.length, 0);
  return {
    done,
    failed: due.length - done.length,
    seconds: (lastUs - startUs) / S,
    ttft,
    itl,
    tpot,
    e2el,
    tokens,
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
const rank = (values: readonly number[], share: number) => values[Math.ceil(share * values.length) - 1] ?? 0;

test("the definitions of vllm bench serve are met, level by level, whatever was drawn", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = seeded(seed);
    const lengths = Array.from({ length: 500 }, () => Math.round((0.3 + 1.4 * random()) * S));
    const made = ladder({
      users: [3, 8],
      e2eUs: (stage, user, j) => lengths[(stage * 97 + user * 31 + j) % 500] ?? S,
      fails: (user, j) => (user + j) % 7 === 6,
    });
    const report = told("vllm", made, 1 + (seed % 3));
    for (const [stage, { values }] of report.levels.entries()) {
      const { done, failed, seconds, tokens, ...latencies } = naive(made.run, stage);
      const where = `seed ${seed}, level ${stage}`;
      near(values["completed"], done.length, `${where}, completed`);
      near(values["failed"], failed, `${where}, failed`);
      near(values["may_count"], 0, `${where}, may count`);
      near(values["total_input_tokens"], done.length * 100, `${where}, input`);
      near(values["total_output_tokens"], tokens, `${where}, output`);
      holds(values["duration"], seconds, `${where}, duration`);
      holds(values["request_throughput"], done.length / seconds, `${where}, requests`);
      holds(values["output_throughput"], tokens / seconds, `${where}, output`);
      holds(values["total_token_throughput"], (tokens + done.length * 100) / seconds, `${where}, total`);
      for (const [name, sample] of Object.entries(latencies)) {
        near(values[`mean_${name}_ms`], mean(sample) / 1000, `${where}, mean ${name}`);
        near(values[`median_${name}_ms`], rank(sample, 0.5) / 1000, `${where}, median ${name}`);
        near(values[`p99_${name}_ms`], rank(sample, 0.99) / 1000, `${where}, p99 ${name}`);
      }
      assert.equal(values["request_goodput"]?.kind, "unknown");
    }
  }
});

test("events that shared a read are gaps of nothing, as a client sees them that takes one chunk at a time", () => {
  const made = ladder({ users: [4], e2eUs: () => 500_000 });
  // Of each answer's eleven events, every second one comes with the one before.
  const requests = made.run.requests.map((request) => ({
    ...request,
    events: request.events.map((event, i) => ({
      ...event,
      tUs: request.events[i - (i % 2)]?.tUs ?? event.tUs,
      sameRead: i % 2 === 1,
    })),
  }));
  const run = { ...made.run, requests };
  const [level] = told("vllm", { ...made, run }).levels;
  const { itl } = naive(run, 0);
  assert.equal(rank(itl, 0.5), 0);
  near(level?.values["median_itl_ms"], 0, "median");
  near(level?.values["mean_itl_ms"], mean(itl) / 1000, "mean");
  near(level?.values["p99_itl_ms"], rank(itl, 0.99) / 1000, "p99");
});

test("goodput is told where the plan has limits, and every figure says how it was made", () => {
  const made = ladder({
    users: [4],
    e2eUs: (_, user) => (user === 0 ? 600_000 : 400_000),
    slos: { e2eMs: 500 },
  });
  const report = told("vllm", made);
  const good = made.run.requests.filter(({ user }) => user !== 0).length;
  holds(report.levels[0]?.values["request_goodput"], good / 12, "goodput");
  for (const { name, how } of report.figures) assert.ok(how.length > 5, name);
  for (const { values } of report.levels) {
    assert.deepEqual(
      Object.keys(values),
      report.figures.map(({ name }) => name),
    );
  }
  assert.ok(report.notRecomputed.some(({ name }) => name.includes("std")));
});

const statuses = (report: DefinitionsReport) =>
  report.levels.map(({ values: { status } }) => (status?.kind === "word" ? status.word : status?.kind));

test("the study's status follows its rules: success first, then growth, then the tail", () => {
  // Twice the users bring twice the tokens until the answers take as much longer.
  const grown = ladder({
    users: [1, 4, 8, 16],
    e2eUs: (stage) => [400_000, 400_000, 450_000, 950_000][stage] ?? 1,
  });
  assert.deepEqual(statuses(told("study", grown)), ["OK", "OK", "OK", "SATURATED"]);
  const slow = ladder({ users: [1, 8], e2eUs: (stage) => (stage === 0 ? 400_000 : 850_000) });
  assert.deepEqual(statuses(told("study", slow)), ["OK", "DEGRADED"]);
  const failing = ladder({
    users: [1, 8],
    e2eUs: () => 400_000,
    fails: (user, j) => user === 7 && j % 2 === 0,
  });
  assert.deepEqual(statuses(told("study", failing)), ["OK", "FAILING"]);
  const noBase = told("study", ladder({ users: [4, 8], e2eUs: () => 400_000 }));
  assert.deepEqual(statuses(noBase), ["unknown", "unknown"]);
  const [first] = noBase.levels;
  near(first?.values["concurrency"], 4, "concurrency");
  near(first?.values["success"], 1, "success");
  near(first?.values["p99_s"], 0.4, "p99");
  holds(first?.values["total_tok_s"], (120 * 111) / 12, "total");
  holds(first?.values["output_tok_s"], (120 * 11) / 12, "output");
});

test("what the bounds leave open is not decided: a growth between 1.05 and less", () => {
  const even = ladder({ users: [1, 1], e2eUs: (stage) => (stage === 0 ? 400_000 : 381_000) });
  assert.deepEqual(statuses(told("study", even)), ["OK", "unknown"]);
});

test("missing intervals are said, and a level that nothing ended in has no rate", () => {
  const made = ladder({ users: [2], e2eUs: () => 30 * S });
  const aggregate = foldAll(
    made.run,
    playOn(made.run, 1).map((one) => ({ ...one, snapshots: one.snapshots.filter(({ seq }) => seq < 5) })),
  );
  const facts = factsOf(made.plan, made.run, 1);
  const report = recompute("vllm", { facts, stages: made.run.stages, aggregate });
  assert.match(report.basis.at(-1) ?? "", /^\d+ intervals of the run are missing/);
  const [level] = report.levels;
  for (const name of ["duration", "output_throughput", "mean_e2el_ms", "mean_tpot_ms"]) {
    assert.equal(level?.values[name]?.kind, "unknown", name);
  }
});
