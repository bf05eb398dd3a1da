import { z } from "zod";
import { PlanSchema } from "../plan/schema.js";
import { durationMs, note } from "../plan/schema-parts.js";
import { studyName } from "./schema-condition.js";
import { STUDY_BOUNDS, STUDY_DEFAULTS, STUDY_ORDERS, STUDY_PHASES } from "./study-defaults.js";

/** A plan without what the study says: its version, its name, the target of the condition, and a salt for each repeat. */
export const PlanBody = PlanSchema.omit({ version: true, name: true, target: true, salt: true });

const times = z.number().positive().max(1000);

const ModeRule = z.strictObject({
  skip: z
    .boolean()
    .optional()
    .meta(note("Leaves the suite out.", { example: true })),
  requestsTimes: times
    .optional()
    .meta(
      note("Multiplies `requests` of stages, in place of the study's factor for the mode.", { example: 0.5 }),
    ),
  durationTimes: times.optional().meta(note("Multiplies `durationMs` of stages.", { example: 0.5 })),
  maxUsers: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta(note("Leaves out stages of more users.", { unit: "users", example: 500 })),
  repeats: z
    .int()
    .min(1)
    .max(STUDY_BOUNDS.repeats)
    .optional()
    .meta(note("In place of the suite's.", { example: 2 })),
  published: z
    .record(studyName, z.string().min(1).max(200))
    .optional()
    .meta(
      note("By condition: series in place of the suite's, where the mode's own rows were published.", {
        example: { llama: "validation-llama-scaling" },
      }),
    ),
});

export const Suite = z.strictObject({
  name: studyName.meta(note("Name in the report and for `--only`.", { example: "scaling" })),
  phase: z.enum(STUDY_PHASES).meta(note("What it is for.", { example: "scaling" })),
  conditions: z
    .array(studyName)
    .min(1)
    .max(STUDY_BOUNDS.conditions)
    .optional()
    .meta(note("Conditions that it is run under; all by default.", { example: ["llama-aiter-off"] })),
  plan: PlanBody.optional().meta(
    note("What is run, as in a plan, without version, name, target and salt. Either this or planFile.", {
      example: { load: { kind: "users", stages: [{ users: 10, requests: 100 }] } },
    }),
  ),
  planFile: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .meta(
      note("Path of a plan, from the folder of the study file; its target, name and salt are replaced.", {
        example: "../open-loop.yaml",
      }),
    ),
  overrides: z
    .record(studyName, z.record(z.string(), z.unknown()))
    .optional()
    .meta(
      note("By condition: keys of the plan that differ there, laid over it.", {
        example: { "llama-aiter-on": { workload: { inputTokens: 1246 } } },
      }),
    ),
  repeats: z
    .int()
    .min(1)
    .max(STUDY_BOUNDS.repeats)
    .optional()
    .meta(note("Runs under each condition, each with a fresh salt; the study's by default.", { example: 5 })),
  order: z
    .enum(STUDY_ORDERS)
    .optional()
    .meta(note("Order of its runs; the study's by default.", { example: "interleaved" })),
  scaleRequests: z
    .boolean()
    .default(false)
    .meta(note("Multiplies `requests` of its stages by the mode's factor, rounded up.", { example: true })),
  requestsAtMostUsers: z
    .boolean()
    .default(false)
    .meta(
      note(
        "After that, no stage has more requests than users, as in the reference study's saturation phase.",
        {
          example: true,
        },
      ),
    ),
  modes: z
    .strictObject({
      quick: ModeRule.optional().meta(note("In the quick mode.")),
      default: ModeRule.optional().meta(note("In the default mode.")),
      thorough: ModeRule.optional().meta(note("In the thorough mode.")),
    })
    .prefault({})
    .meta(note("What differs in a mode.")),
  timeScale: z
    .number()
    .positive()
    .max(1000)
    .default(STUDY_DEFAULTS.timeScale)
    .meta(
      note(
        "For the simulator: it runs so many times faster (`{timeScale}` in its hooks), and the report gives the server's own time.",
        { example: 10 },
      ),
    ),
  baseline: studyName
    .optional()
    .meta(
      note(
        "Suite whose level of one user is the baseline for DEGRADED; by default a level of one user of this very suite.",
        { example: "baseline" },
      ),
    ),
  pairs: z
    .array(
      z.strictObject({
        a: studyName.meta(note("Condition that is compared against.", { example: "llama-aiter-off" })),
        b: studyName.meta(note("Condition whose difference from it is told.", { example: "llama-aiter-on" })),
      }),
    )
    .max(100)
    .default([])
    .meta(
      note("Conditions compared level by level, by Welch's interval over the repeats.", {
        example: [{ a: "llama-aiter-off", b: "llama-aiter-on" }],
      }),
    ),
  published: z
    .record(studyName, z.string().min(1).max(200))
    .default({})
    .meta(
      note("By condition: the series of publishedRows whose rows stand beside ours, level by level.", {
        example: { llama: "multirun-llama-3.1-405b" },
      }),
    ),
  estimate: z
    .strictObject({
      e2eMs: durationMs("Of a request, in the server's time.", STUDY_BOUNDS.estimateMs, "16s").optional(),
      byLevel: z
        .record(z.string(), durationMs("Of a request of that level.", STUDY_BOUNDS.estimateMs, "16s"))
        .optional()
        .meta(note("The same for single levels, by name.", { example: { u10: "16s" } })),
      from: z
        .string()
        .min(1)
        .max(500)
        .meta(note("Who says so.", { example: "a run of last week" })),
    })
    .optional()
    .meta(
      note(
        "What a request is expected to take, for the cost of stages bounded by requests. Without it the published p99 is taken, where there is one.",
      ),
    ),
  notes: z
    .array(z.string().min(1).max(1000))
    .max(50)
    .default([])
    .meta(note("What a reader must know, a sentence each.", { example: ["no figure of it was published"] })),
});

export type StudySuite = z.output<typeof Suite>;
export type ModeRule = z.output<typeof ModeRule>;
