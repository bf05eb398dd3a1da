import { resolveStages, WARM_UP_NAME } from "../load/resolve-stages.js";
import { measuredWindow } from "../load/timeline.js";
import { parseThreshold } from "../measure/thresholds.js";
import { member } from "./json-schema.js";
import { nearest } from "./nearest.js";
import { type PlanProblem, problem, shown } from "./problem.js";
import type { TestPlan } from "./schema.js";
import { RateStage, UserStage } from "./schema-load.js";
import { workloadProblems } from "./workload-rules.js";

/**
 * What no single key shows. Reads the plan as it was written, so that these problems come together with those of the
 * schema; a part that the schema refuses is passed over.
 */
export function crossFieldProblems(plan: unknown): PlanProblem[] {
  return [
    ...targetProblems(member(plan, "target")),
    ...workloadProblems(plan),
    ...stageProblems(member(plan, "load")),
    ...thresholdProblems(member(plan, "thresholds")),
  ];
}

function targetProblems(target: unknown): PlanProblem[] {
  const problems: PlanProblem[] = [];
  if (member(target, "apiKeyEnv") !== undefined && member(target, "apiKeyFile") !== undefined) {
    problems.push(problem(["target", "apiKeyFile"], "stands beside apiKeyEnv", "name the key in one way"));
  }
  for (const [name, value] of entries(member(target, "headers"))) {
    const complaint = headerProblem(name, value);
    if (complaint !== undefined) problems.push(problem(["target", "headers", name], complaint));
  }
  for (const [name] of entries(member(member(target, "facts"), "env"))) {
    // A plan travels, and stands in every run's directory.
    if (!SECRET_NAME.test(name)) continue;
    problems.push(
      problem(["target", "facts", "env", name], "looks like a secret", "leave it out: facts are for readers"),
    );
  }
  return problems;
}

const SECRET_NAME = /(^|_)(token|secret|password|passwd|api_?key|access_?key|private_?key)$/i;

/** Field names as RFC 9110, section 5.6.2, has them. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII, spaces and tabs within: what any server takes (RFC 9110, section 5.5). */
const HEADER_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
/** Set by the client itself. */
const OWN_HEADERS = new Set([
  "accept",
  "connection",
  "content-length",
  "content-type",
  "expect",
  "host",
  "transfer-encoding",
  "x-request-id",
]);

function headerProblem(name: string, value: unknown): string | undefined {
  if (!HEADER_NAME.test(name)) return "is no name of a header";
  if (OWN_HEADERS.has(name.toLowerCase())) return "is set by tokenstorm itself";
  if (/^(proxy-)?authorization$/i.test(name))
    return "holds a secret: name it by target.apiKeyEnv or target.apiKeyFile";
  if (typeof value !== "string" || HEADER_VALUE.test(value)) return undefined;
  return "has a value with characters that no header can carry";
}

function stageProblems(load: unknown): PlanProblem[] {
  const stages = member(load, "stages");
  if (!Array.isArray(stages)) return [];
  const isOpen = member(load, "kind") === "arrival-rate";
  const names = new Map<unknown, number>();
  return stages.flatMap((stage: unknown, i) => {
    const path = ["load", "stages", i];
    return [
      ...nameProblems(stage, path, names),
      ...(isOpen ? rateProblems(stage, path) : boundProblems(stage, path)),
    ];
  });
}

type StagePath = readonly (string | number)[];

function nameProblems(stage: unknown, path: StagePath, names: Map<unknown, number>): PlanProblem[] {
  const name = member(stage, "name");
  if (name === undefined) return [];
  if (name === WARM_UP_NAME)
    return [problem([...path, "name"], `${WARM_UP_NAME} is the name of the warm-up's own stage`)];
  const before = names.get(name);
  if (before !== undefined)
    return [problem([...path, "name"], `${shown(name)} is the name of stages[${before}] too`)];
  names.set(name, Number(path.at(-1)));
  return [];
}

function boundProblems(stage: unknown, path: StagePath): PlanProblem[] {
  if (typeof stage !== "object" || stage === null) return [];
  const hasDuration = member(stage, "durationMs") !== undefined;
  const hasRequests = member(stage, "requests") !== undefined;
  if (hasDuration && !hasRequests && member(stage, "requestsFrom") !== undefined)
    return [
      problem([...path, "requestsFrom"], "says who sends `requests`, and the stage has durationMs instead"),
    ];
  if (hasDuration !== hasRequests) return [];
  // Where a key is misspelt, that problem says enough.
  const hasStray = Object.keys(stage).some((key) => !Object.hasOwn(UserStage.shape, key));
  if (!hasDuration && hasStray) return [];
  const message = hasDuration ? "has both durationMs and requests" : "has neither durationMs nor requests";
  return [problem(path, message, "a stage needs exactly one, such as durationMs: 30s")];
}

function rateProblems(stage: unknown, path: StagePath): PlanProblem[] {
  const read = RateStage.safeParse(stage).data;
  if (read === undefined || read.fromRps > 0 || (read.toRps ?? 0) > 0) return [];
  return [problem(path, "sends nothing: fromRps or toRps must be greater than 0")];
}

function thresholdProblems(thresholds: unknown): PlanProblem[] {
  if (!Array.isArray(thresholds)) return [];
  return thresholds.flatMap((text: unknown, i) => {
    const parsed = typeof text === "string" && text !== "" ? parseThreshold(text) : undefined;
    return parsed !== undefined && "problem" in parsed ? [problem(["thresholds", i], parsed.problem)] : [];
  });
}

/** Thresholds of a plan that is right otherwise: the stage that one names must be there, and be measured. */
export function thresholdStageProblems(plan: TestPlan): PlanProblem[] {
  const names = resolveStages(plan)
    .filter((stage) => measuredWindow(stage) !== null)
    .map(({ name }) => name);
  return plan.thresholds.flatMap((text, i) => {
    const parsed = parseThreshold(text);
    if ("problem" in parsed || parsed.stage === null || names.includes(parsed.stage)) return [];
    const near = nearest(parsed.stage, names);
    const hint =
      near === undefined ? `measured are ${names.slice(0, 20).join(", ")}` : `did you mean ${near}?`;
    return [
      problem(["thresholds", i], `names the stage ${shown(parsed.stage)}, which is not measured`, hint),
    ];
  });
}

/** Of a plan that is right otherwise: a shard changes hands at the edge of a stage, so there must be one. */
export function policyProblems(plan: TestPlan): PlanProblem[] {
  if (plan.lossPolicy !== "reshard" || resolveStages(plan).length > 1) return [];
  return [
    problem(
      ["lossPolicy"],
      "reshard gives a lost agent's shard to the others at the edge of a stage, and this plan has a single stage",
      "use lossPolicy: continue, or cut the load into several stages",
    ),
  ];
}

function entries(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}
