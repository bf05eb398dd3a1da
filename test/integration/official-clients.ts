import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import OpenAI from "openai";

/** One generation, asked for in the same words by every client. */
export interface Asked {
  readonly url: string;
  readonly api: "openai-chat" | "openai-completions";
  readonly model: string;
  /** Text for chat, token ids for completions. */
  readonly prompt: string | number[];
  readonly maxTokens: number;
  readonly ignoreEos: boolean;
  readonly requestId: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a client made of the answer. `refused`: it threw, or told of an error; `why` is in its words. */
export type Reading =
  | {
      readonly kind: "accepted";
      readonly text: string;
      readonly finish: string | null;
      readonly usage: { readonly prompt: number; readonly output: number } | null;
    }
  | { readonly kind: "refused"; readonly why: string };

export type Reader = (asked: Asked) => Promise<Reading>;

/** The `openai` package as its documentation reads a stream. */
export const readWithOpenAi: Reader = (asked) =>
  reading(async () => {
    const client = new OpenAI({ baseURL: `${asked.url}/v1`, apiKey: "none", maxRetries: 0, logLevel: "off" });
    const options = { headers: { ...asked.headers, "x-request-id": asked.requestId } };
    const extra = asked.ignoreEos ? { ignore_eos: true } : {};
    const common = {
      model: asked.model,
      max_tokens: asked.maxTokens,
      stream: true,
      stream_options: { include_usage: true },
      ...extra,
    } as const;
    const seen: Seen = { text: "", finish: null, usage: null };
    if (typeof asked.prompt === "string") {
      const messages = [{ role: "user", content: asked.prompt }] as const;
      for await (const chunk of await client.chat.completions.create(
        { ...common, messages: [...messages] },
        options,
      )) {
        see(seen, chunk.choices[0]?.delta?.content, chunk.choices[0]?.finish_reason, chunk.usage);
      }
    } else {
      for await (const chunk of await client.completions.create(
        { ...common, prompt: asked.prompt },
        options,
      )) {
        see(seen, chunk.choices[0]?.text, chunk.choices[0]?.finish_reason, chunk.usage);
      }
    }
    return seen;
  });

/** The `ai` package with its provider for servers that speak OpenAI's API. */
export const readWithAiSdk: Reader = (asked) =>
  reading(async () => {
    const provider = createOpenAICompatible({
      name: "tokenstorm",
      baseURL: `${asked.url}/v1`,
      includeUsage: true,
      headers: { ...asked.headers, "x-request-id": asked.requestId },
      // It knows neither prompts of token ids nor fields of vLLM's own.
      fetch: (input, init) => fetch(input, { ...init, body: inOurWords(String(init?.body), asked) }),
    });
    const isChat = asked.api === "openai-chat";
    const result = streamText({
      model: isChat ? provider.chatModel(asked.model) : provider.completionModel(asked.model),
      prompt: isChat ? String(asked.prompt) : "replaced",
      maxOutputTokens: asked.maxTokens,
      maxRetries: 0,
      onError: () => undefined,
    });
    const seen: Seen = { text: "", finish: null, usage: null };
    for await (const part of result.fullStream) {
      if (part.type === "error") throw part.error;
      if (part.type === "text-delta") seen.text += part.text;
      if (part.type !== "finish") continue;
      seen.finish = part.rawFinishReason ?? null;
      const { inputTokens, outputTokens } = part.totalUsage;
      if (inputTokens !== undefined && outputTokens !== undefined)
        seen.usage = { prompt: inputTokens, output: outputTokens };
    }
    return seen;
  });

interface Seen {
  text: string;
  finish: string | null;
  usage: { prompt: number; output: number } | null;
}

function see(
  seen: Seen,
  text: string | null | undefined,
  finish: string | null | undefined,
  usage: { readonly prompt_tokens: number; readonly completion_tokens: number } | null | undefined,
): void {
  seen.text += text ?? "";
  seen.finish = finish ?? seen.finish;
  if (usage) seen.usage = { prompt: usage.prompt_tokens, output: usage.completion_tokens };
}

function inOurWords(body: string, asked: Asked): string {
  const fields: object = JSON.parse(body);
  return JSON.stringify({
    ...fields,
    ...(asked.ignoreEos ? { ignore_eos: true } : {}),
    ...(typeof asked.prompt === "string" ? {} : { prompt: asked.prompt }),
  });
}

async function reading(read: () => Promise<Seen>): Promise<Reading> {
  try {
    return { kind: "accepted", ...(await read()) };
  } catch (error) {
    return {
      kind: "refused",
      why: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    };
  }
}
