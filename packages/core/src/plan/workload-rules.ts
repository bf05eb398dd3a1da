import { shortestLength } from "../workload/lengths.js";
import { PLAN_DEFAULTS } from "./defaults.js";
import { member } from "./json-schema.js";
import { type PlanProblem, problem, shown } from "./problem.js";
import { Length } from "./schema-parts.js";

type Path = readonly (string | number)[];

/** What no single key of a workload shows; read as it was written. */
export function workloadProblems(plan: unknown): PlanProblem[] {
  const workload = member(plan, "workload");
  const isChat = (member(member(plan, "target"), "api") ?? PLAN_DEFAULTS.target.api) === "openai-chat";
  const members = member(workload, "of");
  const kind = member(workload, "kind");
  const load = member(member(plan, "load"), "kind");
  if (kind === "conversation") {
    return [...conversationProblems(workload, { load, isChat }), ...poolProblems(member(plan, "load"))];
  }
  if (kind === "trace" && load !== undefined && load !== "trace")
    return [problem(["workload", "kind"], "trace is only for load.kind: trace")];
  if (member(workload, "kind") !== "mixture" || !Array.isArray(members))
    return plainProblems(workload, { path: ["workload"], isChat });
  return members.flatMap((one: unknown, i) => [
    ...plainProblems(one, { path: ["workload", "of", i], isChat }),
    ...nameProblems(members, i),
  ]);
}

function conversationProblems(
  workload: unknown,
  { load, isChat }: { readonly load: unknown; readonly isChat: boolean },
): PlanProblem[] {
  return [
    ...(load === undefined || load === "users"
      ? []
      : [
          problem(
            ["workload", "kind"],
            "conversation is only for load.kind: users, whose users wait for their answers",
          ),
        ]),
    ...(isChat ? [] : [problem(["workload", "kind"], "conversation needs target.api: openai-chat")]),
    ...["inputTokens", "outputTokens", "turns"].flatMap((key) =>
      spanProblems(["workload", key], member(workload, key)),
    ),
  ];
}

/** Whoever takes a request from a pool is not who had the turn before. */
function poolProblems(load: unknown): PlanProblem[] {
  const stages = member(load, "stages");
  if (!Array.isArray(stages)) return [];
  const message = "pool does not go with conversations, whose turns are one user's";
  return stages.flatMap((stage: unknown, i) =>
    member(stage, "requestsFrom") === "pool" ? [problem(["load", "stages", i, "requestsFrom"], message)] : [],
  );
}

interface At {
  readonly path: Path;
  readonly isChat: boolean;
}

function plainProblems(workload: unknown, { path, isChat }: At): PlanProblem[] {
  return [
    ...["inputTokens", "outputTokens"].flatMap((key) => spanProblems([...path, key], member(workload, key))),
    ...prefixProblems(workload, path),
    ...imageProblems(member(workload, "images"), { path: [...path, "images"], isChat }),
  ];
}

function spanProblems(path: Path, value: unknown): PlanProblem[] {
  const min = member(value, "min");
  const max = member(value, "max");
  if (typeof min !== "number" || typeof max !== "number" || min <= max) return [];
  return [problem(path, `min ${min} is greater than max ${max}`)];
}

function prefixProblems(workload: unknown, at: Path): PlanProblem[] {
  const prefix = member(workload, "sharedPrefixTokens");
  const path = [...at, "sharedPrefixTokens"];
  if ((member(workload, "kind") ?? PLAN_DEFAULTS.workload.kind) !== PLAN_DEFAULTS.workload.kind) return [];
  if (member(workload, "prompts") !== "shared-prefix") {
    return prefix === undefined ? [] : [problem(path, "is only for prompts: shared-prefix")];
  }
  const input = Length.safeParse(member(workload, "inputTokens") ?? PLAN_DEFAULTS.workload.inputTokens).data;
  if (input === undefined) return [];
  const shortest = shortestLength(input);
  if (shortest < 2) {
    return [problem([...at, "inputTokens"], "must be at least 2 for a shared prefix and a rest of its own")];
  }
  if (typeof prefix !== "number" || prefix < shortest) return [];
  return [problem(path, `must be smaller than the input of ${shortest} tokens, is ${prefix}`)];
}

function imageProblems(images: unknown, { path, isChat }: At): PlanProblem[] {
  if (images === undefined) return [];
  return [
    ...(isChat
      ? []
      : [problem(path, "cannot be sent to openai-completions", "images need target.api: openai-chat")]),
    ...spanProblems([...path, "count"], member(images, "count")),
  ];
}

/** Two members of one name could not be told apart in a report. */
function nameProblems(members: readonly unknown[], i: number): PlanProblem[] {
  const name = member(members[i], "name");
  const before = name === undefined ? -1 : members.findIndex((one) => member(one, "name") === name);
  if (before < 0 || before === i) return [];
  return [problem(["workload", "of", i, "name"], `${shown(name)} is the name of of[${before}] too`)];
}
