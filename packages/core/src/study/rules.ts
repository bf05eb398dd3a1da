import { type PlanProblem, problem } from "../plan/problem.js";
import { misspeltPlace } from "./hook-words.js";
import type { StudyCondition, StudyFile, StudySuite } from "./schema.js";
import { STUDY_BOUNDS, STUDY_MODES, type StudyMode } from "./study-defaults.js";
import { everySeriesOf, modeRule, type Study, studyPlanProblems } from "./study-plan.js";
import { unknownName } from "./unknown-name.js";

/** What no single key of a study file shows. */
export function studyRuleProblems(study: Study): PlanProblem[] {
  const { file } = study;
  const names = [
    ...repeatedNames("conditions", file.conditions),
    ...repeatedNames("suites", file.suites),
    ...file.conditions.flatMap((condition, i) => hookProblems(condition, i)),
    ...file.suites.flatMap((suite, i) => referenceProblems(file, suite, i)),
  ];
  if (names.length > 0) return names;
  const plans = file.suites.flatMap((_, i) => planProblems(study, i));
  if (plans.length > 0) return plans;
  return sizeProblems(file);
}

function repeatedNames(list: string, entries: readonly { readonly name: string }[]): PlanProblem[] {
  return entries.flatMap(({ name }, i) => {
    const first = entries.findIndex((entry) => entry.name === name);
    return first === i ? [] : [problem([list, i, "name"], `"${name}" is the name of ${list}[${first}] too`)];
  });
}

function hookProblems({ hooks }: StudyCondition, i: number): PlanProblem[] {
  if (hooks.kind !== "command") return [];
  const path = ["conditions", i, "hooks"];
  if (hooks.switch === undefined && hooks.serve === undefined) {
    return [
      problem(path, "has no command", "give switch, serve or both; kind: none where nothing is to be done"),
    ];
  }
  return (["switch", "serve"] as const).flatMap((key) => {
    const misspelt = misspeltPlace(hooks[key] ?? []);
    if (misspelt === undefined) return [];
    return [
      problem([...path, key], `{${misspelt.name}} is not filled in`, `did you mean {${misspelt.meant}}?`),
    ];
  });
}

function referenceProblems(file: StudyFile, suite: StudySuite, i: number): PlanProblem[] {
  const path = ["suites", i];
  const all = file.conditions.map(({ name }) => name);
  const own = suite.conditions ?? all;
  const unknown = (under: readonly (string | number)[], name: string, known: readonly string[]) =>
    known.includes(name) ? [] : [problem([...path, ...under], unknownName(name, "condition", known))];
  const problems = [
    ...own.flatMap((name, k) => unknown(["conditions", k], name, all)),
    ...Object.keys(suite.overrides ?? {}).flatMap((name) => unknown(["overrides", name], name, own)),
    ...Object.keys(suite.published).flatMap((name) => unknown(["published", name], name, own)),
    ...STUDY_MODES.flatMap((mode) =>
      Object.keys(suite.modes[mode]?.published ?? {}).flatMap((name) =>
        unknown(["modes", mode, "published", name], name, own),
      ),
    ),
    ...suite.pairs.flatMap(({ a, b }, k) => [
      ...unknown(["pairs", k, "a"], a, own),
      ...unknown(["pairs", k, "b"], b, own),
      ...(a === b ? [problem([...path, "pairs", k], `compares ${a} with itself`)] : []),
    ]),
  ];
  const others = file.suites.map(({ name }) => name);
  if (suite.baseline !== undefined && !others.includes(suite.baseline)) {
    problems.push(problem([...path, "baseline"], unknownName(suite.baseline, "suite", others)));
  }
  if ((suite.plan === undefined) === (suite.planFile === undefined)) {
    const both = suite.plan !== undefined;
    problems.push(
      problem(
        path,
        both ? "has both plan and planFile" : "has no plan",
        "a suite needs plan or planFile, and one of them alone",
      ),
    );
  }
  const hasSeries = own.some((name) => everySeriesOf(suite, name, "default").length > 0);
  if (hasSeries && file.publishedRows === undefined) {
    problems.push(problem([...path, "published"], "names series, but the study pins no publishedRows"));
  }
  return problems;
}

/** Every plan that any mode makes of a suite must be right, before the first hour is spent. */
function planProblems(study: Study, i: number): PlanProblem[] {
  const suite = study.file.suites[i];
  if (suite === undefined) return [];
  const key = suite.planFile === undefined ? "plan" : "planFile";
  return conditionsOf(study.file, suite).flatMap((condition) =>
    STUDY_MODES.filter((mode) => modeRule(suite, mode).skip !== true).flatMap((mode) =>
      studyPlanProblems(study, { suite, condition, mode }).map(({ path, message, hint }) => {
        const where = `suites[${i}].${key}${path === "" ? "" : `.${path}`}`;
        const under = `under ${condition.name}${mode === "default" ? "" : `, mode ${mode}`}`;
        return {
          path: where,
          message: `${message}, ${under}`,
          ...(hint === undefined ? {} : { hint }),
        };
      }),
    ),
  );
}

function sizeProblems(file: StudyFile): PlanProblem[] {
  for (const mode of STUDY_MODES) {
    const runs = file.suites.reduce(
      (sum, suite) => sum + conditionsOf(file, suite).length * repeatsOf(file, suite, mode),
      0,
    );
    if (runs > STUDY_BOUNDS.runs) {
      return [problem([], `the study has ${runs} runs, more than ${STUDY_BOUNDS.runs}`, "make it several")];
    }
  }
  return [];
}

/** Conditions of a suite, in the order of the study file. */
export function conditionsOf(file: StudyFile, suite: StudySuite): StudyCondition[] {
  const { conditions } = suite;
  return file.conditions.filter(({ name }) => conditions === undefined || conditions.includes(name));
}

/** Runs of a suite under each condition; none where the mode leaves it out. */
export function repeatsOf(file: StudyFile, suite: StudySuite, mode: StudyMode): number {
  const rule = modeRule(suite, mode);
  return rule.skip === true ? 0 : (rule.repeats ?? suite.repeats ?? file.repeats);
}
