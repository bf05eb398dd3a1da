import { LoadError } from "../errors.js";
import { shortestLength } from "../workload/lengths.js";
import { orphanMsOf, PLAN_DEFAULTS } from "./defaults.js";
import { member } from "./json-schema.js";
import { isRecord } from "./plan-draft.js";
import { describeIssue, type PlanProblem, problem, problemText, shown } from "./problem.js";
import { crossFieldProblems, policyProblems, thresholdStageProblems } from "./rules.js";
import { type PlainWorkload, PlanSchema, type TestPlan } from "./schema.js";

export type ParsedPlan =
  | { readonly ok: true; readonly plan: TestPlan }
  | { readonly ok: false; readonly problems: readonly PlanProblem[] };

/** Version of the plan's format that is understood. */
export const PLAN_VERSION = 1;

/** Checks a plan, as read from YAML or JSON or made from flags, and fills in its defaults; else every problem at once. */
export function parsePlan(input: unknown): ParsedPlan {
  const whole = wholePlanProblem(input) ?? versionProblem(input);
  if (whole !== undefined) return { ok: false, problems: [whole] };
  const meant = withUsualWorkload(input);
  const parsed = PlanSchema.safeParse(meant);
  const issues = parsed.error?.issues.flatMap((issue) => describeIssue(meant, issue)) ?? [];
  const problems = merged([...issues, ...hiddenLoadProblems(meant), ...crossFieldProblems(meant)]);
  if (parsed.data === undefined || problems.length > 0) return { ok: false, problems };
  const stageProblems = [...thresholdStageProblems(parsed.data), ...policyProblems(parsed.data)];
  if (stageProblems.length > 0) return { ok: false, problems: stageProblems };
  return { ok: true, plan: withOrphanTime(withPrefixLength(parsed.data)) };
}

/** The plan, or one LoadError that names every problem, a line each: PLAN_INVALID or PLAN_UNSUPPORTED_VERSION. */
export function requirePlan(input: unknown): TestPlan {
  const parsed = parsePlan(input);
  if (parsed.ok) return parsed.plan;
  const { problems } = parsed;
  const version = versionProblem(input);
  if (version !== undefined) {
    throw new LoadError("PLAN_UNSUPPORTED_VERSION", version.message, {
      hint: `write version: ${PLAN_VERSION}`,
    });
  }
  throw new LoadError("PLAN_INVALID", problemsText(problems));
}

/** More lines than this help nobody. */
const MOST_LINES = 50;

/** All problems of a plan (or of what `noun` says), a line each. */
export function problemsText(problems: readonly PlanProblem[], noun = "the plan"): string {
  const lines = problems.slice(0, MOST_LINES).map(problemText);
  if (problems.length === 1) return `${noun} is invalid: ${lines.join("")}`;
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`and ${more} more`);
  return [`${noun} has ${problems.length} problems:`, ...lines.map((line) => `  ${line}`)].join("\n");
}

/** What is wrong with a plan that is none at all: empty, a list, a text. */
export function wholePlanProblem(input: unknown): PlanProblem | undefined {
  if (input === null || input === undefined || input === "") return problem([], "the plan is empty");
  if (typeof input === "object" && !Array.isArray(input)) return undefined;
  return problem([], `the plan must be an object with keys such as target and load, is ${shown(input)}`);
}

/** A plan of another version is not looked at further: its keys may mean something else. */
function versionProblem(input: unknown): PlanProblem | undefined {
  const version = member(input, "version");
  const number = typeof version === "string" ? Number.parseInt(version, 10) : version;
  if (typeof number !== "number" || Number.isNaN(number) || number === PLAN_VERSION) return undefined;
  return problem(
    ["version"],
    `plan version ${shown(version)} is not supported: this tokenstorm reads version ${PLAN_VERSION}`,
  );
}

/** Where the kind of load is missing or wrong, the schema looks no further: the stages tell which one was meant. */
function hiddenLoadProblems(input: unknown): PlanProblem[] {
  const load = member(input, "load");
  const kind = member(load, "kind");
  if (
    typeof input !== "object" ||
    typeof load !== "object" ||
    load === null ||
    kind === "users" ||
    kind === "arrival-rate" ||
    kind === "trace"
  )
    return [];
  const stages = member(load, "stages");
  const first: unknown = Array.isArray(stages) ? stages[0] : undefined;
  const isOpen = member(first, "fromRps") !== undefined || member(first, "toRps") !== undefined;
  const guess = { ...input, load: { ...load, kind: isOpen ? "arrival-rate" : "users" } };
  const issues = PlanSchema.safeParse(guess).error?.issues ?? [];
  return issues.filter(({ path }) => path[0] === "load").flatMap((issue) => describeIssue(guess, issue));
}

/** What a trace is sent with, where the plan does not say, is the trace's own. */
function withUsualWorkload(input: unknown): unknown {
  const workload = member(input, "workload");
  if (!isRecord(input) || member(member(input, "load"), "kind") !== "trace") return input;
  if (workload !== undefined && (!isRecord(workload) || workload["kind"] !== undefined)) return input;
  return { ...input, workload: { ...workload, kind: "trace" } };
}

/** One problem for each path: the first says what is wrong, a second would only follow from it. */
function merged(problems: readonly PlanProblem[]): PlanProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ path }) => !seen.has(path) && seen.add(path));
}

/** Its default is another one under `reshard`; whoever reads a stored plan need not know that. */
function withOrphanTime(plan: TestPlan): TestPlan {
  return { ...plan, orphanMs: orphanMsOf(plan) };
}

function withPrefixLength(plan: TestPlan): TestPlan {
  const { workload } = plan;
  if (workload.kind !== "mixture") return { ...plan, workload: prefixed(workload) };
  return { ...plan, workload: { ...workload, of: workload.of.map(prefixed) } };
}

function prefixed<One extends PlainWorkload>(workload: One): One {
  if (workload.kind !== "synthetic-text") return workload;
  if (workload.prompts !== "shared-prefix" || workload.sharedPrefixTokens !== undefined) return workload;
  const shortest = shortestLength(workload.inputTokens);
  const sharedPrefixTokens = Math.max(1, Math.floor(shortest * PLAN_DEFAULTS.sharedPrefixShare));
  return { ...workload, sharedPrefixTokens };
}
