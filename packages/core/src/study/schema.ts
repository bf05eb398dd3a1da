import { z } from "zod";
import { note } from "../plan/schema-parts.js";
import { Condition, studyName } from "./schema-condition.js";
import { Suite } from "./schema-suite.js";
import { STUDY_BOUNDS, STUDY_DEFAULTS, STUDY_ORDERS } from "./study-defaults.js";

export type { DeploymentFacts } from "../plan/schema-facts.js";
export type { StudyCondition, StudyHooks } from "./schema-condition.js";
export type { ModeRule, StudySuite } from "./schema-suite.js";

/** A file that must be, byte for byte, what it was when the study was written. */
export const PinnedFile = z.strictObject({
  file: z
    .string()
    .min(1)
    .max(1000)
    .meta(note("Path from the folder of the study file.", { example: "data/published-results.json" })),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "is no SHA-256: 64 of 0-9 and a-f")
    .meta(note("Of its bytes; another file is refused.", { example: "e3b0c44298fc1c14..." })),
});

const factor = (usual: number) =>
  z
    .number()
    .positive()
    .max(1000)
    .default(usual)
    .meta(note("Factor on request counts.", { example: usual }));

/** The study file's schema, version 1. Strict: an unknown key is a problem. */
export const StudySchema = z.strictObject({
  version: z.literal(1).meta(note("Version of the study file's format.", { example: 1 })),
  name: studyName.meta(note("Name of the study, and of its directory.", { example: "aiter" })),
  notes: z
    .array(z.string().min(1).max(1000))
    .max(50)
    .default([])
    .meta(note("What a reader must know, a sentence each.", { example: ["prompts are unique"] })),
  repeats: z
    .int()
    .min(1)
    .max(STUDY_BOUNDS.repeats)
    .default(STUDY_DEFAULTS.repeats)
    .meta(note("Runs of a suite under each condition.", { example: 5 })),
  order: z
    .enum(STUDY_ORDERS)
    .default(STUDY_DEFAULTS.order)
    .meta(
      note(
        "`sequential`: one condition after the other, all its suites and repeats. `interleaved`: repeat by repeat over all conditions, every second time backwards (A B, B A). `random`: repeat by repeat, the conditions in an order drawn from the seed.",
        { example: "interleaved" },
      ),
    ),
  seed: z
    .int()
    .min(0)
    .max(4_294_967_295)
    .default(STUDY_DEFAULTS.seed)
    .meta(note("Of the random order.", { example: 42 })),
  modes: z
    .strictObject({
      quick: factor(STUDY_DEFAULTS.modes.quick),
      default: factor(STUDY_DEFAULTS.modes.default),
      thorough: factor(STUDY_DEFAULTS.modes.thorough),
    })
    .prefault({})
    .meta(note("What `--mode` multiplies the request counts of suites with `scaleRequests` by.")),
  publishedRows: PinnedFile.optional().meta(
    note("Somebody's published rows, in the format of plans/study/data/published-results.json."),
  ),
  inputs: z
    .array(PinnedFile)
    .max(100)
    .default([])
    .meta(
      note("Further files that the study rests on.", {
        example: [{ file: "data/simulator-calibration.json", sha256: "..." }],
      }),
    ),
  conditions: z
    .array(Condition)
    .min(1)
    .max(STUDY_BOUNDS.conditions)
    .meta(note("What is compared: a target and what is known of its deployment.")),
  suites: z.array(Suite).min(1).max(STUDY_BOUNDS.suites).meta(note("What is run, in this order.")),
});

/** A study file past the edge: checked, with its defaults filled in. */
export type StudyFile = z.output<typeof StudySchema>;
/** A study file as a person may write it. */
export type StudyInput = z.input<typeof StudySchema>;
