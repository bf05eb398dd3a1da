import type { RequestSpec, TestPlan } from "@tokenstorm/core";

/** What one generation asks of the server. */
export interface BodyOptions {
  readonly plan: Pick<TestPlan, "target">;
  readonly model: string;
  readonly spec: Pick<RequestSpec, "prompt" | "outputTokens" | "ignoreEos" | "temperature" | "isSalted">;
  /** Data URLs of the request's images, each in pieces that need no escapes in JSON. */
  readonly images?: readonly (readonly Uint8Array[])[];
  /** The run's salt, or that of a probe. */
  readonly salt: string;
}

/**
 * The JSON body of a streamed generation. The running token count is asked for on every event, because an event is
 * not a token. Unless prompts are to be identical, the salt also goes as `cache_salt`: servers that know it keep
 * the prefix caches of two runs apart, the chat template's included; others pass it over.
 */
export function requestBody(options: BodyOptions): Uint8Array {
  const { model, spec, images = [], salt } = options;
  const rest = JSON.stringify({
    max_tokens: spec.outputTokens,
    ...(spec.ignoreEos ? { ignore_eos: true } : {}),
    ...(spec.temperature === undefined ? {} : { temperature: spec.temperature }),
    ...(spec.isSalted ? { cache_salt: salt } : {}),
    stream: true,
    stream_options: { include_usage: true, continuous_usage_stats: true },
  });
  const head = `{"model":${JSON.stringify(model)},${promptField(options)}`;
  if (images.length === 0) return encoder.encode(`${head},${rest.slice(1)}`);
  return withImages(head, images, rest);
}

/** `"prompt":...` or `"messages":[...]`; where images follow, the last message's list of parts is left open. */
function promptField({ plan, spec: { prompt }, images = [] }: BodyOptions): string {
  switch (prompt.kind) {
    case "token-ids":
      return `"prompt":${JSON.stringify(prompt.ids)}`;
    case "text":
      if (plan.target.api === "openai-completions") return `"prompt":${JSON.stringify(prompt.text)}`;
      return messagesField([{ role: "user", content: prompt.text }], images.length > 0);
    case "messages":
      return messagesField(prompt.messages, images.length > 0);
  }
}

function messagesField(
  messages: readonly { readonly role: string; readonly content: string }[],
  isOpen: boolean,
): string {
  if (!isOpen) return `"messages":${JSON.stringify(messages)}`;
  const before = messages.slice(0, -1).map((message) => `${JSON.stringify(message)},`);
  const last = messages.at(-1) ?? { role: "user", content: "" };
  const text = JSON.stringify({ type: "text", text: last.content });
  // The text comes first: what makes a prompt unique stands at its first token.
  return `"messages":[${before.join("")}{"role":${JSON.stringify(last.role)},"content":[${text}`;
}

const BEFORE_IMAGE = Buffer.from(',{"type":"image_url","image_url":{"url":"');
const AFTER_IMAGE = Buffer.from('"}}');

function withImages(head: string, images: readonly (readonly Uint8Array[])[], rest: string): Uint8Array {
  const parts: Uint8Array[] = [encoder.encode(head)];
  for (const pieces of images) parts.push(BEFORE_IMAGE, ...pieces, AFTER_IMAGE);
  parts.push(encoder.encode(`]}],${rest.slice(1)}`));
  return Buffer.concat(parts);
}

const encoder = new TextEncoder();
