import type { z } from "zod";
import {
  alternatives,
  childOf,
  type JsonSchema,
  member,
  schemaAt,
  sharedPlanJsonSchema,
} from "./json-schema.js";
import { nearest } from "./nearest.js";

/** One thing that is wrong with a plan. */
export interface PlanProblem {
  /** Such as `load.stages[2].durationMs`; empty for the plan as a whole. */
  readonly path: string;
  /** Reads on from the path: "must be at least 1, is 0". */
  readonly message: string;
  readonly hint?: string;
}

type Path = readonly PropertyKey[];

export function problem(path: Path, message: string, hint?: string): PlanProblem {
  return { path: pathText(path), message, ...(hint === undefined ? {} : { hint }) };
}

/** `["load", "stages", 2]` is `load.stages[2]`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const key = String(step);
    if (!/^[\w-]+$/.test(key)) return `${text}[${JSON.stringify(key)}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** One line for a person: path, message, hint. */
export function problemText({ path, message, hint }: PlanProblem): string {
  const text = path === "" ? message : `${path}: ${message}`;
  return hint === undefined ? text : `${text} (${hint})`;
}

const LONGEST_SHOWN = 60;

/** A value as it stands in a plan, shortened. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (value === undefined) return "nothing";
  // What stands before an @ may be a password.
  const text =
    typeof value === "string" ? JSON.stringify(value.replace(/[^\s/@]+@/g, "***@")) : String(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}

/** What is checked: the input that issues' paths lead through, what a person calls it, and its JSON Schema. */
export interface CheckedInput {
  readonly input: unknown;
  /** `a plan` */
  readonly noun: string;
  readonly schema: JsonSchema;
}

/** A plan's schema's complaint in words for a person. `plan` is the input that the issue's path leads through. */
export function describeIssue(plan: unknown, issue: z.core.$ZodIssue): PlanProblem[] {
  return describeIssueOf({ input: plan, noun: "a plan", schema: sharedPlanJsonSchema() }, issue);
}

/** The same for another kind of input. */
export function describeIssueOf(plan: CheckedInput, issue: z.core.$ZodIssue): PlanProblem[] {
  const { path } = issue;
  const value = path.reduce<unknown>(member, plan.input);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(plan, path, key));
    case "invalid_type":
      return [wrongType(plan, path, value, issue.expected)];
    case "invalid_value":
      return [oneOf(path, value, issue.values.map(String))];
    case "invalid_union":
      return describeUnion(plan, issue, value);
    case "too_small":
    case "too_big":
      return [problem(path, isOwnMessage(issue) ? own(issue, value) : outOfRange(issue, value))];
    default:
      // A key that names a secret may hold one by mistake: what stands there is not repeated.
      return [problem(path, String(path.at(-1)).startsWith("apiKey") ? issue.message : own(issue, value))];
  }
}

/** Messages that the schema states itself: `"x" is no duration: ...`, `must be between 1ms and 1h, is 0`. */
function own({ message }: z.core.$ZodIssue, value: unknown): string {
  return message.startsWith("must ") ? `${message}, is ${shown(value)}` : `${shown(value)} ${message}`;
}

function isOwnMessage(issue: z.core.$ZodIssue): boolean {
  return !/^(Too |Invalid )/.test(issue.message);
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  number: "a number",
  int: "a whole number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  object: "an object of keys and values",
  record: "an object of keys and values",
};

function wrongType(plan: CheckedInput, path: Path, value: unknown, expected: string): PlanProblem {
  const isWhole = schemaAt(plan.input, path, plan.schema)?.type === "integer";
  const wanted = isWhole ? "a whole number" : (TYPE_NAMES[expected] ?? expected);
  if (value !== undefined) return problem(path, `must be ${wanted}, is ${shown(value)}`);
  return problem(path, `is missing: it must be ${wanted}`, exampleAt(plan, path));
}

function exampleAt(plan: CheckedInput, path: Path): string | undefined {
  const example = schemaAt(plan.input, path, plan.schema)?.examples?.[0];
  return example === undefined ? undefined : `such as ${String(path.at(-1))}: ${JSON.stringify(example)}`;
}

function oneOf(path: Path, value: unknown, values: readonly string[]): PlanProblem {
  const wanted = values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(", ")}`;
  if (value === undefined) return problem(path, `is missing: it ${wanted}`);
  if (values.includes(String(value))) return problem(path, `${wanted}, is ${shown(value)}`, "without quotes");
  const near = typeof value === "string" ? nearest(value, values) : undefined;
  return problem(
    path,
    `${wanted}, is ${shown(value)}`,
    near === undefined ? undefined : `did you mean ${near}?`,
  );
}

function outOfRange(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig, value: unknown): string {
  const bound = String(issue.code === "too_small" ? issue.minimum : issue.maximum);
  const few = issue.code === "too_small";
  if (issue.origin === "array") {
    const count = Array.isArray(value) ? value.length : 0;
    return `must have at ${few ? "least" : "most"} ${bound} ${bound === "1" ? "entry" : "entries"}, has ${count}`;
  }
  if (issue.origin === "string")
    return few ? "must not be empty" : `must be at most ${bound} characters long`;
  if (issue.inclusive === false)
    return `must be ${few ? "greater" : "less"} than ${bound}, is ${shown(value)}`;
  return `must be at ${few ? "least" : "most"} ${bound}, is ${shown(value)}`;
}

/** A union that no alternative fits: the one of the value's own type is meant, else the schema says what is allowed. */
function describeUnion(
  plan: CheckedInput,
  issue: z.core.$ZodIssueInvalidUnion,
  value: unknown,
): PlanProblem[] {
  const { path } = issue;
  if (issue.discriminator !== undefined) {
    return [oneOf(path, value, "options" in issue ? (issue.options ?? []).map(String) : [])];
  }
  const meant = issue.errors.find((errors) => !errors.some((error) => isOfAnotherType(error)));
  if (meant === undefined) return [problem(path, own(issue, value))];
  return meant.flatMap((error) => describeIssueOf(plan, { ...error, path: [...path, ...error.path] }));
}

function isOfAnotherType(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && issue.code === "invalid_type";
}

function unknownKey(plan: CheckedInput, path: Path, key: string): PlanProblem {
  const known = Object.keys(schemaAt(plan.input, path, plan.schema)?.properties ?? {});
  return problem([...path, key], `is no key of ${plan.noun}`, keyHint(key, known, plan.schema));
}

function keyHint(key: string, known: readonly string[], schema: JsonSchema): string | undefined {
  const near = nearest(key, known);
  if (near !== undefined) return `did you mean ${near}?`;
  const elsewhere = placesOf(key, schema, "");
  if (elsewhere.length > 0) return `did you mean ${elsewhere.join(" or ")}?`;
  return known.length === 0 ? undefined : `known here: ${known.join(", ")}`;
}

/** Paths at which the schema has a key of that name: it may stand at the wrong place. */
function placesOf(key: string, node: JsonSchema, under: string): string[] {
  const places = alternatives(node).flatMap((option) => {
    const items = childOf(option, 0);
    if (items !== undefined) return placesOf(key, items, `${under}[]`);
    return Object.keys(option.properties ?? {}).flatMap((name) => {
      const path = under === "" ? name : `${under}.${name}`;
      const child = childOf(option, name);
      const deeper = child === undefined ? [] : placesOf(key, child, path);
      return name.toLowerCase() === key.toLowerCase() ? [path, ...deeper] : deeper;
    });
  });
  return [...new Set(places)];
}
