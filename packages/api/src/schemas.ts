import { LOAD_ERROR_CODES, planJsonSchema, RUN_STATES } from "@tokenstorm/core";
import {
  Heartbeat,
  LiveMessage,
  ProblemMessage,
  RunRecordMessage,
  RunReportMessage,
} from "@tokenstorm/protocol";
import { z } from "zod";
import { RUN_FILES } from "./run-files.js";

// What is asked and answered. The description of the API is made from these, and every answer is tested against it.

export type JsonSchema = z.core.JSONSchema.JSONSchema;

const count = z.int().min(0);

export const ProblemSchema = z.object({
  error: z.object({
    code: z.string().meta({ description: `Such as ${LOAD_ERROR_CODES.slice(-2).join(", ")} or NOT_FOUND.` }),
    message: z.string(),
    hint: z.string().optional(),
    problems: z
      .array(z.object({ path: z.string(), message: z.string(), hint: z.string().optional() }))
      .optional()
      .meta({ description: "Everything that is wrong with a plan." }),
  }),
});
export type Problem = z.infer<typeof ProblemSchema>;

const RunSummarySchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(RUN_STATES),
  startedAt: z.string().nullable(),
  agents: count,
  verdict: z.enum(["valid", "degraded", "invalid"]).nullable(),
  thresholds: z.enum(["passed", "failed", "inconclusive", "none"]).nullable(),
});

export const RunsSchema = z.object({ runs: z.array(RunSummarySchema) });

export const SubmittedSchema = z.object({ id: z.string(), name: z.string(), state: z.enum(RUN_STATES) });

export const StopSchema = z.strictObject({
  level: z.enum(["drain", "cut"]).meta({
    description: "drain: send nothing new and let requests in flight finish; cut: end at once.",
  }),
});

export const StoppedSchema = z.object({
  id: z.string(),
  state: z.enum(RUN_STATES),
  stop: z.object({ level: z.enum(["none", "drain", "cut"]), reason: z.string() }),
});

export const AgentsSchema = z.object({
  coordinator: z.string().nullable().meta({ description: "Who leads; null where nobody is heard." }),
  agents: z.array(Heartbeat.extend({ clockErrorUs: z.int().nullable() })),
});

/** Data of the last event of a live stream. */
export const EndSchema = z.object({
  id: z.string(),
  state: z.enum(RUN_STATES),
  problem: ProblemMessage.nullable(),
});

export const FilesSchema = z.object({
  files: z.array(z.object({ name: z.enum(RUN_FILES), bytes: count, modifiedAt: z.string() })),
});

export const HealthSchema = z.object({ status: z.literal("leading"), leader: z.string(), term: count });

/** Schemas with a name, as the description refers to them. */
export const NAMED_SCHEMAS = {
  Problem: ProblemSchema,
  Runs: RunsSchema,
  Run: RunRecordMessage.omit({ plan: true }),
  Submitted: SubmittedSchema,
  Stop: StopSchema,
  Stopped: StoppedSchema,
  Agents: AgentsSchema,
  Live: LiveMessage,
  End: EndSchema,
  Report: RunReportMessage,
  Files: FilesSchema,
  Health: HealthSchema,
} as const;
export type SchemaName = keyof typeof NAMED_SCHEMAS | "Plan" | "Description";

export const schemaRef = (name: SchemaName): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

/** All of them as JSON Schema 2020-12. */
export function jsonSchemas(): Record<string, JsonSchema> {
  const schemas: Record<string, JsonSchema> = {};
  for (const [name, schema] of Object.entries(NAMED_SCHEMAS)) schemas[name] = jsonSchemaOf(schema);
  const { $schema: _dialect, ...plan } = planJsonSchema();
  schemas["Plan"] = plan;
  const run = schemas["Run"];
  // A plan that was checked is a plan as it may be written, with every default in its place.
  if (run?.properties !== undefined) {
    run.properties["plan"] = schemaRef("Plan");
    run.required = [...(run.required ?? []), "plan"];
  }
  schemas["Description"] = { type: "object", description: "This description: OpenAPI 3.1." };
  return schemas;
}

function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  // As a writer's promise: what a newer version adds is no mistake.
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io: "input" });
  return json;
}
