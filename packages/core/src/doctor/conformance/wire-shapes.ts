import { z } from "zod";

/** What of vLLM's answers is looked at; everything else may be there or not. */

export const Usage = z.object({
  prompt_tokens: z.number().int().min(0),
  completion_tokens: z.number().int().min(0).nullish(),
  total_tokens: z.number().int().min(0),
});
export type Usage = z.infer<typeof Usage>;

const Delta = z.object({
  role: z.string().nullish(),
  content: z.string().nullish(),
  reasoning: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
});

const StreamChoice = z.object({
  index: z.number().int().nullish(),
  delta: Delta.nullish(),
  text: z.string().nullish(),
  finish_reason: z.string().nullish(),
  token_ids: z.array(z.number()).nullish(),
  prompt_token_ids: z.array(z.number()).nullish(),
});

export const StreamChunk = z.object({
  id: z.string(),
  object: z.string(),
  created: z.number(),
  model: z.string(),
  choices: z.array(StreamChoice),
  usage: Usage.nullish(),
  prompt_token_ids: z.array(z.number()).nullish(),
});
export type StreamChunk = z.infer<typeof StreamChunk>;

const AnswerChoice = z.object({
  message: z.object({ role: z.string(), content: z.string().nullish() }).nullish(),
  text: z.string().nullish(),
  finish_reason: z.string().nullish(),
});

export const WholeAnswer = z.object({
  id: z.string(),
  object: z.string(),
  choices: z.array(AnswerChoice),
  usage: Usage,
});
export type WholeAnswer = z.infer<typeof WholeAnswer>;

export const ErrorBody = z.object({
  error: z.object({ message: z.string(), type: z.string(), code: z.union([z.number(), z.string()]) }),
});

/** The value, or where it first is not of the form. */
export function readShape<Value>(
  schema: z.ZodType<Value>,
  text: string,
): { readonly value: Value } | { readonly fault: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { fault: `it is no JSON: ${excerpt(text)}` };
  }
  const result = schema.safeParse(parsed);
  if (result.success) return { value: result.data };
  const [issue] = result.error.issues;
  return { fault: `${issue?.path.join(".") || "it"}: ${issue?.message ?? "is wrong"}, in ${excerpt(text)}` };
}

const EXCERPT = 120;

export function excerpt(text: string): string {
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}...` : text === "" ? "nothing" : text;
}
