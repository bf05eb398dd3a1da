import { LoadError } from "../errors.js";
import { inputJsonSchema, type JsonSchema, member } from "../plan/json-schema.js";
import { problemsText } from "../plan/parse-plan.js";
import { describeIssueOf, type PlanProblem, problem, shown } from "../plan/problem.js";
import { studyRuleProblems } from "./rules.js";
import { StudySchema } from "./schema.js";
import type { Study } from "./study-plan.js";

/** Version of the study file's format that is understood. */
export const STUDY_VERSION = 1;

export type ParsedStudy =
  | { readonly ok: true; readonly study: Study }
  | { readonly ok: false; readonly problems: readonly PlanProblem[] };

/** JSON Schema (2020-12) of a study file, for editors and for docs/study-file.schema.json. Made once. */
export function studyJsonSchema(): JsonSchema {
  shared ??= inputJsonSchema(StudySchema);
  return shared;
}

let shared: JsonSchema | undefined;

/** Paths of the plans that a study file names, as they stand there; of one that is wrong, those that can be read. */
export function planFilesOf(input: unknown): string[] {
  const suites = member(input, "suites");
  if (!Array.isArray(suites)) return [];
  const paths = suites.map((suite: unknown) => member(suite, "planFile"));
  return [...new Set(paths.filter((path) => typeof path === "string"))];
}

/**
 * Checks a study file, as read from YAML or JSON, with the plans that it names, and fills in its defaults; else every
 * problem at once: those of a plan with the suite that it is of.
 */
export function parseStudy(input: unknown, planFiles: ReadonlyMap<string, unknown> = new Map()): ParsedStudy {
  const whole = wholeStudyProblem(input);
  if (whole !== undefined) return { ok: false, problems: [whole] };
  const parsed = StudySchema.safeParse(input);
  if (parsed.data === undefined) {
    const checked = { input, noun: "a study file", schema: studyJsonSchema() };
    const problems = parsed.error?.issues.flatMap((issue) => describeIssueOf(checked, issue)) ?? [];
    return { ok: false, problems: firstOfEach(problems) };
  }
  const study = { file: parsed.data, planFiles };
  const problems = firstOfEach(studyRuleProblems(study));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, study };
}

/** The study, or one LoadError that names every problem, a line each: PLAN_INVALID or PLAN_UNSUPPORTED_VERSION. */
export function requireStudy(input: unknown, planFiles?: ReadonlyMap<string, unknown>): Study {
  const parsed = parseStudy(input, planFiles);
  if (parsed.ok) return parsed.study;
  const version = versionProblem(input);
  if (version !== undefined) {
    throw new LoadError("PLAN_UNSUPPORTED_VERSION", version.message, {
      hint: `write version: ${STUDY_VERSION}`,
    });
  }
  throw new LoadError("PLAN_INVALID", problemsText(parsed.problems, "the study file"));
}

function wholeStudyProblem(input: unknown): PlanProblem | undefined {
  if (input === null || input === undefined || input === "") return problem([], "the study file is empty");
  if (typeof input !== "object" || Array.isArray(input)) {
    return problem([], `the study file must be an object with keys such as suites, is ${shown(input)}`);
  }
  const isPlan = member(input, "suites") === undefined && member(input, "load") !== undefined;
  if (isPlan) return problem([], "this is a plan, not a study file", "tokenstorm run takes plans");
  return versionProblem(input);
}

function versionProblem(input: unknown): PlanProblem | undefined {
  const version = member(input, "version");
  if (typeof version !== "number" || version === STUDY_VERSION) return undefined;
  return problem(
    ["version"],
    `study file version ${version} is not supported: this tokenstorm reads version ${STUDY_VERSION}`,
  );
}

/** One problem for each path: a second would only follow from it. */
function firstOfEach(problems: readonly PlanProblem[]): PlanProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ path }) => !seen.has(path) && seen.add(path));
}
