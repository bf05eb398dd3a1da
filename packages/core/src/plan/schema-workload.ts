import { z } from "zod";
import { PLAN_BOUNDS, PLAN_DEFAULTS } from "./defaults.js";
import { Images } from "./schema-images.js";
import { dataFile, Length, note } from "./schema-parts.js";

const outputTokens = Length.default(PLAN_DEFAULTS.workload.outputTokens).meta(
  note("Generated length: a number or a distribution.", { unit: "tokens", example: 256 }),
);

/** How a generation is asked for; the same for every kind of workload. */
const generation = {
  ignoreEos: z
    .boolean()
    .default(PLAN_DEFAULTS.workload.ignoreEos)
    .meta(
      note("Asks for exactly outputTokens (ignore_eos); false lets the model stop by itself.", {
        example: false,
      }),
    ),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .optional()
    .meta(note("Sampling temperature, sent only when given.", { example: 0.7 })),
  images: Images.optional(),
};

const turns = z.int().min(1).max(PLAN_BOUNDS.turns.max);

const SyntheticText = z.strictObject({
  // Optional within: a workload without a kind is of this one.
  kind: z
    .literal("synthetic-text")
    .optional()
    .default(PLAN_DEFAULTS.workload.kind)
    .meta(note("Text made up from the seed: common words (chat) or random token ids (completions).")),
  inputTokens: Length.default(PLAN_DEFAULTS.workload.inputTokens).meta(
    note("Prompt length, the chat template included: a number or a distribution.", {
      unit: "tokens",
      example: { kind: "uniform", min: 100, max: 500 },
    }),
  ),
  outputTokens,
  ignoreEos: generation.ignoreEos,
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
  temperature: generation.temperature,
  images: generation.images,
});

const fieldName = z.string().min(1).max(128);

const DataSet = z.strictObject({
  kind: z.literal("dataset").meta(note("Text from a file: one prompt a line, or JSONL with a field for it.")),
  ...dataFile,
  format: z
    .enum(["auto", "jsonl", "text"])
    .default(PLAN_DEFAULTS.dataset.format)
    .meta(
      note(
        "`text`: each line is a prompt. `auto` takes a file that ends in .txt for text, any other for JSONL.",
        { example: "text" },
      ),
    ),
  fields: z
    .strictObject({
      prompt: fieldName
        .default(PLAN_DEFAULTS.dataset.fields.prompt)
        .meta(note("The prompt, a text.", { example: "question" })),
      messages: fieldName
        .default(PLAN_DEFAULTS.dataset.fields.messages)
        .meta(note("Instead of it: a list of {role, content}. Chat only.", { example: "conversation" })),
      inputTokens: fieldName.default(PLAN_DEFAULTS.dataset.fields.inputTokens).meta(
        note("How long the prompt is, where the file knows: stands beside what the server counts.", {
          example: "prompt_len",
        }),
      ),
      outputTokens: fieldName.default(PLAN_DEFAULTS.dataset.fields.outputTokens).meta(
        note("How long its answer is to be; a line without it takes the plan's outputTokens.", {
          example: "max_tokens",
        }),
      ),
    })
    .prefault({})
    .meta(note("Names of the fields of a JSONL file.")),
  order: z
    .enum(["in-order", "random"])
    .default(PLAN_DEFAULTS.dataset.order)
    .meta(
      note(
        "In order: arrival k, or request j of user u of n, takes line k, or j x n + u, and after the last line the first " +
          "again. Random: each request draws its line from the seed.",
        { example: "random" },
      ),
    ),
  prompts: z
    .enum(["unique", "as-is"])
    .default(PLAN_DEFAULTS.dataset.prompts)
    .meta(
      note(
        "Unique prompts begin with seven words drawn from the run salt and the request, so that no repeat measures the " +
          "prefix cache; as-is sends the lines as they stand.",
        { example: "as-is" },
      ),
    ),
  outputTokens,
  ...generation,
});

const Conversation = z.strictObject({
  kind: z
    .literal("conversation")
    .meta(
      note(
        "Users that talk: each request carries the whole conversation so far, with the model's real answers. For load.kind: users, chat.",
      ),
    ),
  turns: z
    .union(
      [
        turns,
        z.strictObject({
          kind: z.literal("uniform").meta(note("Every number from min to max is as likely.")),
          min: turns.meta(note("Fewest turns.", { example: 2 })),
          max: turns.meta(note("Most turns.", { example: 10 })),
        }),
      ],
      {
        error: "is no number of turns: write a number from 1 to 1000, or kind uniform with min and max",
      },
    )
    .default(PLAN_DEFAULTS.conversation.turns)
    .meta(
      note(
        "Requests of one conversation: a number, or kind: uniform with min and max. After it the user begins a new one.",
        {
          example: 8,
        },
      ),
    ),
  systemTokens: z
    .int()
    .min(1)
    .max(10_000_000)
    .optional()
    .meta(
      note("Length of a system message that all conversations of the run begin with; none by default.", {
        unit: "tokens",
        example: 500,
      }),
    ),
  inputTokens: Length.default(PLAN_DEFAULTS.conversation.inputTokens).meta(
    note("Length of each message of the user: a number or a distribution.", {
      unit: "tokens",
      example: { kind: "lognormal", median: 80, sigma: 0.8, max: 2000 },
    }),
  ),
  outputTokens,
  ignoreEos: generation.ignoreEos,
  temperature: generation.temperature,
});

const Trace = z.strictObject({
  kind: z
    .literal("trace")
    .meta(
      note(
        "Lengths and shared beginnings as a trace has them. For load.kind: trace, whose usual workload it is.",
      ),
    ),
  blockTokens: z
    .int()
    .min(1)
    .max(65_536)
    .default(PLAN_DEFAULTS.trace.blockTokens)
    .meta(
      note(
        "What one of the trace's hash_ids stands for: prompts with the same ids share as many tokens from their beginning.",
        {
          unit: "tokens",
          example: 16,
        },
      ),
    ),
  ignoreEos: generation.ignoreEos,
  temperature: generation.temperature,
});

const member = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "is no name: letters, digits, . _ -, at most 64")
    .optional()
    .meta(note("Name in the report; its kind and place by default.", { example: "chat" })),
  weight: z
    .number()
    .positive()
    .max(1_000_000)
    .meta(note("How often it is drawn, beside the others' weights.", { example: 3 })),
};

const Mixture = z.strictObject({
  kind: z
    .literal("mixture")
    .meta(note("Each request draws one of several workloads, by weight, from the seed.")),
  of: z
    .array(z.discriminatedUnion("kind", [SyntheticText.extend(member), DataSet.extend(member)]))
    .min(1)
    .max(PLAN_BOUNDS.mixtureMembers.max)
    .meta(note("The workloads, each with its weight.")),
});

export const Workload = z.discriminatedUnion("kind", [SyntheticText, DataSet, Mixture, Conversation, Trace]);

export type Workload = z.output<typeof Workload>;
export type SyntheticTextWorkload = z.output<typeof SyntheticText>;
export type SyntheticTextInput = z.input<typeof SyntheticText>;
export type DataSetWorkload = z.output<typeof DataSet>;
/** One that requests are made by: a mixture is several. */
export type PlainWorkload = Exclude<Workload, { kind: "mixture" }>;
export type ConversationWorkload = z.output<typeof Conversation>;
export type TraceWorkload = z.output<typeof Trace>;
