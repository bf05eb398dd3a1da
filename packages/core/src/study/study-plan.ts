import { assert } from "../errors.js";
import { parsePlan } from "../plan/parse-plan.js";
import { copiedRecord, isRecord, type PlanDraft } from "../plan/plan-draft.js";
import type { PlanProblem } from "../plan/problem.js";
import type { TestPlan } from "../plan/schema.js";
import type { ModeRule, StudyCondition, StudyFile, StudySuite } from "./schema.js";
import { STUDY_MODES, type StudyMode } from "./study-defaults.js";

/** A study file with the plans that it names. */
export interface Study {
  readonly file: StudyFile;
  /** What the files of `planFile` hold, by the path as it stands in the study file. */
  readonly planFiles: ReadonlyMap<string, unknown>;
}

/** Which plan of a study: repeats of a suite under a condition share one, but for the salt. */
export interface StudyCell {
  readonly suite: StudySuite;
  readonly condition: StudyCondition;
  readonly mode: StudyMode;
}

const LONGEST_NAME = 64;

/** The plan that a suite runs under a condition. Only for a study that was checked. */
export function studyPlan(study: Study, cell: StudyCell): TestPlan {
  const parsed = parsePlan(studyPlanDraft(study, cell));
  assert(parsed.ok, `a plan of ${cell.suite.name} under ${cell.condition.name} that was checked is invalid`);
  return parsed.plan;
}

/** What is wrong with that plan; empty where nothing is. */
export function studyPlanProblems(study: Study, cell: StudyCell): readonly PlanProblem[] {
  const parsed = parsePlan(studyPlanDraft(study, cell));
  return parsed.ok ? [] : parsed.problems;
}

/** What the mode says of a suite. */
export function modeRule(suite: StudySuite, mode: StudyMode): ModeRule {
  return suite.modes[mode] ?? {};
}

/** Id of the series whose rows stand beside a suite's under a condition. */
export function seriesOf(suite: StudySuite, condition: string, mode: StudyMode): string | undefined {
  return suite.modes[mode]?.published?.[condition] ?? suite.published[condition];
}

/** Ids of every series that a suite names for a condition, in any mode, that of this mode first. */
export function everySeriesOf(suite: StudySuite, condition: string, mode: StudyMode): string[] {
  const others = STUDY_MODES.map((one) => seriesOf(suite, condition, one));
  return [...new Set([seriesOf(suite, condition, mode), ...others].filter((id) => id !== undefined))];
}

function studyPlanDraft(study: Study, { suite, condition, mode }: StudyCell): PlanDraft {
  const written: unknown = suite.planFile === undefined ? suite.plan : study.planFiles.get(suite.planFile);
  const base = isRecord(written) ? copiedRecord(written) : {};
  const draft = laidOver(base, suite.overrides?.[condition.name] ?? {});
  delete draft["salt"];
  applyMode(draft, { suite, mode, factor: study.file.modes[mode] });
  const { gpus: statedGpus, model: _, ...facts } = condition.facts;
  const gpus = condition.target.gpus ?? statedGpus;
  return {
    ...draft,
    version: 1,
    name: `${suite.name}-${condition.name}`.slice(0, LONGEST_NAME),
    target: {
      ...condition.target,
      ...(gpus === undefined ? {} : { gpus }),
      ...(Object.keys(facts).length === 0 ? {} : { facts }),
    },
  };
}

/** Objects are joined key by key, whatever else is replaced. */
function laidOver(base: PlanDraft, over: PlanDraft): PlanDraft {
  const made = copiedRecord(base);
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(made, key) ? made[key] : undefined;
    // Of two unlike kinds nothing can be joined.
    const isJoined =
      isRecord(value) && isRecord(below) && (value["kind"] === undefined || value["kind"] === below["kind"]);
    made[key] = isJoined ? laidOver(below, value) : value;
  }
  return made;
}

function applyMode(
  draft: PlanDraft,
  { suite, mode, factor }: { readonly suite: StudySuite; readonly mode: StudyMode; readonly factor: number },
): void {
  const load = draft["load"];
  if (!isRecord(load) || !Array.isArray(load["stages"])) return;
  const rule = modeRule(suite, mode);
  const requestsTimes = rule.requestsTimes ?? (suite.scaleRequests ? factor : 1);
  const stages = load["stages"].filter(
    (stage: unknown) =>
      rule.maxUsers === undefined || !isRecord(stage) || Number(stage["users"] ?? 0) <= rule.maxUsers,
  );
  draft["load"] = {
    ...load,
    stages: stages.map((stage: unknown) => {
      if (!isRecord(stage)) return stage;
      const { requests, durationMs, users } = stage;
      const times = rule.durationTimes ?? 1;
      const scaled = typeof requests === "number" ? Math.ceil(requests * requestsTimes) : undefined;
      const most = suite.requestsAtMostUsers && typeof users === "number" ? users : Number.POSITIVE_INFINITY;
      return {
        ...stage,
        ...(scaled === undefined ? {} : { requests: Math.min(scaled, most) }),
        ...(typeof durationMs === "number" ? { durationMs: Math.round(durationMs * times) } : {}),
      };
    }),
  };
}
