import { z } from "zod";
import { PlanSchema } from "./schema.js";

export type JsonSchema = z.core.JSONSchema.JSONSchema;

/** JSON Schema (2020-12) of a plan as a person writes it, for editors and for docs/plan.schema.json. */
export function planJsonSchema(): JsonSchema {
  return inputJsonSchema(PlanSchema);
}

/** JSON Schema (2020-12) of what a person writes for a schema of ours. */
export function inputJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => {
      // Written as examples only here: zod leaves those of values that it transforms out.
      if ("x-example" in jsonSchema) jsonSchema.examples = [jsonSchema["x-example"]];
      delete jsonSchema["x-example"];
    },
  });
}

/** The same, made once: what reads it does not change it. */
export function sharedPlanJsonSchema(): JsonSchema {
  shared ??= planJsonSchema();
  return shared;
}

let shared: JsonSchema | undefined;

/**
 * The schema of the value at a path of a plan (or of what else `root` is the schema of), undefined where there is none.
 * Among alternatives by `kind` the one that the plan's own value names is taken.
 */
export function schemaAt(
  plan: unknown,
  path: readonly PropertyKey[],
  root: JsonSchema = sharedPlanJsonSchema(),
): JsonSchema | undefined {
  let node: JsonSchema | undefined = root;
  let value = plan;
  for (const step of path) {
    node = childOf(chosen(node, value), step);
    if (node === undefined) return undefined;
    value = member(value, step);
  }
  return chosen(node, value);
}

/** Own member of an object or list; undefined of anything else. */
export function member(value: unknown, key: PropertyKey): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}

/** Alternatives of a node, also those within one another; itself where it is no union. */
export function alternatives(node: JsonSchema): readonly JsonSchema[] {
  const options = node.oneOf ?? node.anyOf;
  return options === undefined ? [node] : options.flatMap(alternatives);
}

/** A property's own node; the schema has no true and false in their place. */
export function childOf(node: JsonSchema, step: PropertyKey): JsonSchema | undefined {
  const child =
    typeof step === "number"
      ? node.items
      : node.properties !== undefined && Object.hasOwn(node.properties, step)
        ? node.properties[String(step)]
        : node.additionalProperties;
  return typeof child === "object" && !Array.isArray(child) ? child : undefined;
}

function chosen(node: JsonSchema, value: unknown): JsonSchema {
  const options = alternatives(node);
  if (options.length === 1) return node;
  const kind = member(value, "kind");
  return options.find((option) => kind !== undefined && childOf(option, "kind")?.const === kind) ?? node;
}
