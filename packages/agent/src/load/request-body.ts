import type { Prompt, TestPlan } from "@tokenstorm/core";

/** What one generation asks of the server. */
export interface BodyOptions {
  readonly plan: TestPlan;
  readonly model: string;
  readonly prompt: Prompt;
  readonly outputTokens: number;
  /** The run's salt, or that of a probe. */
  readonly salt: string;
}

/**
 * The JSON body of a streamed generation. The running token count is asked for on every event, because an event is
 * not a token. Unless prompts are to be identical, the salt also goes as `cache_salt`: servers that know it keep
 * the prefix caches of two runs apart, the chat template's included; others pass it over.
 */
export function requestBody(options: BodyOptions): Uint8Array {
  const { plan, model, prompt, outputTokens, salt } = options;
  const { workload } = plan;
  return encoder.encode(
    JSON.stringify({
      model,
      ...(prompt.kind === "text"
        ? { messages: [{ role: "user", content: prompt.text }] }
        : { prompt: prompt.ids }),
      max_tokens: outputTokens,
      ...(workload.ignoreEos ? { ignore_eos: true } : {}),
      ...(workload.temperature === undefined ? {} : { temperature: workload.temperature }),
      ...(workload.prompts === "identical" ? {} : { cache_salt: salt }),
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    }),
  );
}

const encoder = new TextEncoder();
