import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ResolvedStage,
  requirePlan,
  resolveStages,
  STUDY_MODES,
  type StudyPhase,
  studyPlan,
  type TestPlan,
} from "@tokenstorm/core";
import { compatiblePlan } from "./compatible.js";
import { heldPlan } from "./corrected.js";
import { type PublishedSeries, readPublished } from "./data.js";
import { cellsOfSeries, readStudy, type SeriesCell } from "./study-file.js";

// plans/study is what a person runs on hardware, compatible-simulated.yaml what runs over sockets, and the virtual study what CI
// runs: three ways to one result, which mean nothing beside each other unless they send the same.
const published = readPublished();
const compatible = readStudy("compatible");
const simulated = readStudy("compatible-simulated");

/** What a level is, whoever runs it. */
interface Level {
  readonly users: number;
  readonly requests: number;
}

function levelsOf(plan: TestPlan): Level[] {
  return resolveStages(plan).flatMap((stage) => (stage.name === "warm-up" ? [] : [levelOf(stage)]));
}

function levelOf(stage: ResolvedStage): Level {
  assert.ok(
    stage.kind === "users" && stage.bound.kind === "requests",
    `${stage.name} is not bounded by requests`,
  );
  return { users: stage.users, requests: stage.bound.requests };
}

/** What is sent and how, without what depends on who runs it: target, name, patience, intervals. */
function stimulusOf(plan: TestPlan) {
  assert.ok(plan.load.kind === "users");
  const stages = plan.load.stages.map((stage) => ({ ...stage, maxDurationMs: undefined }));
  return { workload: plan.workload, stages, warmUp: plan.warmUp, api: plan.target.api };
}

/** The study's request counts, so far as they were published or inferred. */
function requestsOf({ suite, workload, mode }: PublishedSeries, users: number): number {
  if (suite === "multi-run") return workload.requests_per_level ?? 0;
  return workload.inferred_request_cap_per_level ?? (mode === "quick" ? 75 : Math.min(users, 450));
}

function phaseOf({ id }: PublishedSeries): StudyPhase {
  return id.startsWith("multirun") ? "multi-run" : id.endsWith("scaling") ? "scaling" : "saturation";
}

function checkCell({ plan, suite, mode }: SeriesCell, series: PublishedSeries): void {
  const where = `${suite.name}, ${mode}`;
  assert.equal(suite.phase, phaseOf(series), where);
  const expected = series.levels.map(({ nominal_concurrency: users }) => ({
    users,
    requests: requestsOf(series, users),
  }));
  assert.deepEqual(levelsOf(plan), expected, where);
  assert.ok(plan.load.kind === "users" && plan.workload.kind === "synthetic-text", where);
  for (const stage of plan.load.stages) {
    assert.ok("requests" in stage && stage.requestsFrom === "pool" && stage.rampUpMs === 0, where);
  }
  const { workload } = plan;
  assert.deepEqual([workload.prompts, workload.ignoreEos], ["identical", false], where);
  const { inferred_prompt_tokens: prompt, inferred_output_tokens: output = 512 } = series.workload;
  const images = workload.images === undefined ? 0 : 1060;
  assert.equal(Number(workload.inputTokens) + images, prompt, where);
  // Quick and thorough rows were inferred apart, and differ by a token.
  assert.ok(Math.abs(Number(workload.outputTokens) - output) <= 1, where);
  assert.equal(images === 0, series.workload.kind === "text", `${where}: images`);
}

for (const [name, study] of [
  ["compatible", compatible],
  ["compatible-simulated", simulated],
] as const) {
  test(`plans/study/${name}.yaml sends what every published row was made with, in the phase that it belongs to`, () => {
    for (const series of published.series) {
      const cells = cellsOfSeries(study, series.id);
      assert.ok(cells.length > 0, `no suite of ${name} has ${series.id}`);
      for (const cell of cells) checkCell(cell, series);
    }
  });

  test(`the phases of plans/study/${name}.yaml follow each other as the study's did`, () => {
    const order: readonly StudyPhase[] = ["baseline", "scaling", "stress", "saturation", "multi-run", "ab"];
    const seen = study.file.suites.map(({ phase }) => order.indexOf(phase));
    assert.ok(
      seen.every((at) => at >= 0),
      study.file.suites.map(({ phase }) => phase).join(),
    );
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  });
}

test("the virtual study runs the plans of plans/study/compatible.yaml, but for target, interval and patience", () => {
  for (const series of published.series) {
    const run = requirePlan(compatiblePlan(series));
    const cells = cellsOfSeries(compatible, series.id);
    assert.ok(cells.length > 0);
    for (const { plan } of cells) assert.deepEqual(stimulusOf(run), stimulusOf(plan), series.id);
    assert.equal(run.seed, cells[0]?.plan.seed);
  }
});

test("over sockets the same is sent as on hardware, suite by suite and mode by mode", () => {
  for (const mode of STUDY_MODES) {
    for (const suite of compatible.file.suites) {
      for (const condition of compatible.file.conditions) {
        if (suite.conditions?.includes(condition.name) === false) continue;
        const plan = studyPlan(compatible, { suite, condition, mode });
        const twins = simulated.file.suites.filter(
          ({ name, conditions }) =>
            isPartOf(name, suite.name) && conditions?.includes(condition.name) !== false,
        );
        const other = simulated.file.conditions.find(({ name }) => name === condition.name);
        assert.ok(twins.length > 0 && other !== undefined, `${suite.name} of ${condition.name}`);
        const plans = twins.map((twin) => studyPlan(simulated, { suite: twin, condition: other, mode }));
        const where = `${suite.name} of ${condition.name}, ${mode}`;
        for (const one of plans) {
          assert.deepEqual(stimulusOf(one).workload, stimulusOf(plan).workload, where);
          assert.deepEqual(stimulusOf(one).warmUp, stimulusOf(plan).warmUp, where);
          assert.equal(one.target.api, plan.target.api, where);
        }
        // A ladder may be cut in two there, to run its halves at a scale of their own.
        assert.deepEqual(
          plans.flatMap((one) => stimulusOf(one).stages),
          stimulusOf(plan).stages,
          where,
        );
      }
    }
  }
});

/** Whether a suite over sockets is the one on hardware or a part of it: for a model, or for some of its levels. */
function isPartOf(name: string, whole: string): boolean {
  return name === whole || (["multi-run", "aiter"].includes(whole) && name.startsWith(`${whole}-`));
}

test("the A/B of AITER has the levels and requests of the published ablation", () => {
  const suite = compatible.file.suites.find(({ phase }) => phase === "ab");
  assert.ok(suite !== undefined);
  for (const condition of compatible.file.conditions) {
    if (suite.conditions?.includes(condition.name) === false) continue;
    const plan = studyPlan(compatible, { suite, condition, mode: "default" });
    assert.deepEqual(
      levelsOf(plan),
      published.aiter_ablation.levels.map(({ nominal_concurrency: users }) => ({ users, requests: 100 })),
    );
  }
});

test("the corrected form holds its levels as the virtual study does: by time, every prompt its own, every length fixed", () => {
  const corrected = readStudy("corrected");
  const suite = corrected.file.suites.find(({ name }) => name === "held") ?? assert.fail("no suite is held");
  for (const condition of corrected.file.conditions) {
    if (suite.conditions?.includes(condition.name) === false) continue;
    const { workload, load } = studyPlan(corrected, { suite, condition, mode: "default" });
    assert.ok(workload.kind === "synthetic-text" && load.kind === "users", condition.name);
    const held = { promptTokens: Number(workload.inputTokens), outputTokens: Number(workload.outputTokens) };
    const levels = [{ users: 100, windowS: 120 }];
    const ours = requirePlan(heldPlan({ simulator: {}, prompts: "unique", levels, ...held }));
    assert.deepEqual(workload, ours.workload, condition.name);
    assert.ok(load.stages.every((stage) => "durationMs" in stage && (stage.settleMs ?? 0) > 0));
    // The baseline is of the same shape, and the top is what the label says.
    assert.deepEqual([load.stages[0]?.users, load.stages.at(-1)?.users], [1, 1000], condition.name);
  }
});
