import { z } from "zod";
import { PLAN_DEFAULTS } from "./defaults.js";
import { Length, note } from "./schema-parts.js";

export const Workload = z.strictObject({
  kind: z
    .literal("synthetic-text")
    .default(PLAN_DEFAULTS.workload.kind)
    .meta(note("Text made up from the seed: common words (chat) or random token ids (completions).")),
  inputTokens: Length.default(PLAN_DEFAULTS.workload.inputTokens).meta(
    note("Prompt length, the chat template included: a number or a distribution.", {
      unit: "tokens",
      example: { kind: "uniform", min: 100, max: 500 },
    }),
  ),
  outputTokens: Length.default(PLAN_DEFAULTS.workload.outputTokens).meta(
    note("Generated length: a number or a distribution.", { unit: "tokens", example: 256 }),
  ),
  ignoreEos: z
    .boolean()
    .default(PLAN_DEFAULTS.workload.ignoreEos)
    .meta(
      note("Asks for exactly outputTokens (ignore_eos); false lets the model stop by itself.", {
        example: false,
      }),
    ),
  prompts: z
    .enum(["unique", "shared-prefix", "identical"])
    .default(PLAN_DEFAULTS.workload.prompts)
    .meta(
      note(
        "Unique prompts carry the run salt at their first tokens, so that no repeat measures the prefix cache. " +
          "Shared-prefix prompts begin alike within a run, identical ones are one prompt, without salt.",
        { example: "shared-prefix" },
      ),
    ),
  sharedPrefixTokens: z
    .int()
    .min(1)
    .max(10_000_000)
    .optional()
    .meta(
      note(
        "For shared-prefix: length of the common beginning of the user's text; by default half of the shortest stated input.",
        {
          unit: "tokens",
          example: 256,
        },
      ),
    ),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .optional()
    .meta(note("Sampling temperature, sent only when given.", { example: 0.7 })),
});

export type Workload = z.output<typeof Workload>;
