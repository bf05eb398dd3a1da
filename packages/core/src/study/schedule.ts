import { LoadError } from "../errors.js";
import type { TestPlan } from "../plan/schema.js";
import { Hash128 } from "../random/hash.js";
import { Random } from "../random/random.js";
import { fillHookWords } from "./hook-words.js";
import { conditionsOf, repeatsOf } from "./rules.js";
import type { StudyCondition, StudySuite } from "./schema.js";
import { STUDY_BOUNDS, type StudyMode, type StudyPhase } from "./study-defaults.js";
import { type Study, studyPlan } from "./study-plan.js";
import { unknownName } from "./unknown-name.js";

/** One run of a suite under a condition. */
export interface StudyRun {
  /** `<suite>/<condition>/<repeat>`: the same at every look at the same file. */
  readonly key: string;
  readonly suite: string;
  readonly phase: StudyPhase;
  readonly condition: string;
  /** From 1. */
  readonly repeat: number;
  readonly repeats: number;
  readonly plan: TestPlan;
  readonly timeScale: number;
}

/** What a person or a command does so that the server is a condition. */
export interface SwitchStep {
  readonly kind: "switch";
  readonly condition: string;
  readonly how: "command" | "manual";
  readonly switch: readonly string[] | null;
  readonly serve: readonly string[] | null;
  /** Where the server answers when it may be loaded. */
  readonly healthUrl: string;
  readonly shell: boolean;
  readonly timeLimitMs: number;
  readonly stopLimitMs: number;
  readonly usuallyMs: number | null;
  readonly instructions: string | null;
}

export type StudyStep =
  | SwitchStep
  | { readonly kind: "health"; readonly condition: string; readonly url: string; readonly waitMs: number }
  | { readonly kind: "warm-up"; readonly run: StudyRun }
  | { readonly kind: "run"; readonly run: StudyRun };

export interface ScheduleOptions {
  readonly mode: StudyMode;
  /** Only these suites and conditions; all where it is empty. */
  readonly only?: readonly string[];
  readonly conditions?: readonly string[];
  /** Keys of runs that are done. */
  readonly done?: ReadonlySet<string>;
}

/**
 * All that is to be done, in order. The server is switched where the condition is another, or the words of its hooks are,
 * and always before the first run: what was there before is not known. Throws PLAN_INVALID for a name that is not there.
 */
export function scheduleStudy(study: Study, options: ScheduleOptions): StudyStep[] {
  const steps: StudyStep[] = [];
  let current: string | null = null;
  for (const run of orderedRuns(study, options)) {
    if (options.done?.has(run.key) === true) continue;
    const condition = study.file.conditions.find(({ name }) => name === run.condition);
    if (condition === undefined) continue;
    const change = switchTo(study, condition, run, options.mode);
    const wanted = JSON.stringify([condition.name, change]);
    if (wanted !== current) {
      current = wanted;
      if (change !== null) steps.push(change);
      steps.push(healthOf(condition));
      if (condition.hooks.warmUp.requests > 0)
        steps.push({ kind: "warm-up", run: warmUpRun(run, condition) });
    }
    steps.push({ kind: "run", run });
  }
  return steps;
}

/** Runs alone, in their order. */
export function runsOf(steps: readonly StudyStep[]): StudyRun[] {
  return steps.flatMap((step) => (step.kind === "run" ? [step.run] : []));
}

interface Place {
  readonly suite: StudySuite;
  readonly condition: StudyCondition;
  /** From 0. */
  readonly repeat: number;
}

function orderedRuns(study: Study, options: ScheduleOptions): StudyRun[] {
  const { file } = study;
  const { only = [], conditions = [], mode } = options;
  checkNames(only, "suite", file.suites);
  checkNames(conditions, "condition", file.conditions);
  const suites = file.suites.filter(({ name }) => only.length === 0 || only.includes(name));
  const isWanted = ({ name }: StudyCondition) => conditions.length === 0 || conditions.includes(name);
  const of = (suite: StudySuite) => conditionsOf(file, suite).filter(isWanted);
  const places = blocksOf(study, suites).flatMap((block): Place[] => {
    if (block.order === "sequential") {
      return file.conditions
        .filter(isWanted)
        .flatMap((condition) =>
          block.suites
            .filter((suite) => of(suite).includes(condition))
            .flatMap((suite) => repeated(suite, condition, repeatsOf(file, suite, mode))),
        );
    }
    return block.suites.flatMap((suite) => {
      const repeats = Array.from({ length: repeatsOf(file, suite, mode) }, (_, repeat) => repeat);
      return repeats.flatMap((repeat) => {
        const inOrder =
          block.order === "random"
            ? shuffled(of(suite), new Random(seedOf(file.seed, suite.name, repeat)))
            : repeat % 2 === 0
              ? of(suite)
              : of(suite).toReversed();
        return inOrder.map((condition) => ({ suite, condition, repeat }));
      });
    });
  });
  return withPlans(study, places, mode);
}

function repeated(suite: StudySuite, condition: StudyCondition, repeats: number): Place[] {
  return Array.from({ length: repeats }, (_, repeat) => ({ suite, condition, repeat }));
}

/** Neighbouring suites that go one condition after the other are run together, so that each is switched to once. */
function blocksOf({ file }: Study, suites: readonly StudySuite[]) {
  const blocks: { order: NonNullable<StudySuite["order"]>; suites: StudySuite[] }[] = [];
  for (const suite of suites) {
    const order = suite.order ?? file.order;
    const last = blocks.at(-1);
    if (order === "sequential" && last?.order === "sequential") last.suites.push(suite);
    else blocks.push({ order, suites: [suite] });
  }
  return blocks;
}

/** A plan is checked and resolved once for all repeats. */
function withPlans(study: Study, places: readonly Place[], mode: StudyMode): StudyRun[] {
  const plans = new Map<string, TestPlan>();
  return places.map(({ suite, condition, repeat }) => {
    const cell = `${suite.name}/${condition.name}`;
    const plan = plans.get(cell) ?? studyPlan(study, { suite, condition, mode });
    plans.set(cell, plan);
    return {
      key: `${cell}/${repeat + 1}`,
      suite: suite.name,
      phase: suite.phase,
      condition: condition.name,
      repeat: repeat + 1,
      repeats: repeatsOf(study.file, suite, mode),
      plan,
      timeScale: suite.timeScale,
    };
  });
}

function switchTo(
  { file }: Study,
  condition: StudyCondition,
  run: StudyRun,
  mode: StudyMode,
): SwitchStep | null {
  const { name, hooks } = condition;
  const healthUrl = healthUrlOf(condition);
  const base = { kind: "switch", condition: name, healthUrl, usuallyMs: hooks.usuallyMs ?? null } as const;
  const nothing = { switch: null, serve: null, shell: false, timeLimitMs: 0, stopLimitMs: 0 };
  switch (hooks.kind) {
    case "none":
      return null;
    case "manual":
      return { ...base, ...nothing, how: "manual", instructions: hooks.instructions ?? null };
    case "command": {
      const places = {
        condition: name,
        suite: run.suite,
        repeat: run.repeat,
        mode,
        timeScale: run.timeScale,
        seed: file.seed + STUDY_BOUNDS.repeats * file.conditions.indexOf(condition) + run.repeat,
      };
      const filled = (words: readonly string[] | undefined) =>
        words === undefined ? null : fillHookWords(words, places);
      return {
        ...base,
        how: "command",
        switch: filled(hooks.switch),
        serve: filled(hooks.serve),
        shell: hooks.shell,
        timeLimitMs: hooks.timeLimitMs,
        stopLimitMs: hooks.stopLimitMs,
        instructions: null,
      };
    }
  }
}

function healthOf(condition: StudyCondition): StudyStep {
  const { name, hooks } = condition;
  return { kind: "health", condition: name, url: healthUrlOf(condition), waitMs: hooks.healthWaitMs };
}

function healthUrlOf({ target, hooks }: StudyCondition): string {
  return hooks.healthUrl ?? `${target.urls[0] ?? ""}/health`;
}

/** The suite's own requests, unmeasured, before the first run after a switch. */
function warmUpRun(run: StudyRun, { hooks }: StudyCondition): StudyRun {
  const { requests, users } = hooks.warmUp;
  const stage = {
    users: Math.min(users, requests),
    requests,
    rampUpMs: 0,
    settleMs: 0,
    maxDurationMs: 3_600_000,
  };
  return {
    ...run,
    key: `warm-up before ${run.key}`,
    phase: "warm-up",
    plan: {
      ...run.plan,
      name: `warm-up-${run.condition}`.slice(0, 64),
      thresholds: [],
      warmUp: { requests: 0, users: 1 },
      load: { kind: "users", thinkMs: 0, stages: [stage] },
    },
  };
}

function checkNames(names: readonly string[], what: string, all: readonly { readonly name: string }[]): void {
  const known = all.map(({ name }) => name);
  for (const name of names) {
    if (!known.includes(name)) throw new LoadError("PLAN_INVALID", unknownName(name, what, known));
  }
}

function seedOf(seed: number, suite: string, repeat: number) {
  return new Hash128().addInt(seed).addText("study-order").addText(suite).addSafeInt(repeat).words();
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = random.nextBelow(i + 1);
    const [a, b] = [list[i], list[j]];
    if (a === undefined || b === undefined) continue;
    list[i] = b;
    list[j] = a;
  }
  return list;
}
