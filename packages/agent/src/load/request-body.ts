import {
  assert,
  type ConversationTurn,
  type DrawnPrompt,
  PIECE_UNITS,
  type RequestDraft,
  type TestPlan,
} from "@tokenstorm/core";
import type { BuiltTurn } from "./conversations.js";

/** What one generation asks of the server. */
export interface BodyOptions {
  readonly plan: Pick<TestPlan, "target">;
  readonly model: string;
  readonly spec: Pick<RequestDraft, "prompt" | "outputTokens" | "ignoreEos" | "temperature" | "isSalted">;
  /** Data URLs of the request's images, each in pieces that need no escapes in JSON. */
  readonly images?: Iterable<readonly Uint8Array[]>;
  /** The run's salt, or that of a probe. */
  readonly salt: string;
}

/** As much is copied at a time, some tens of us' work. */
const COPY_BYTES = 256 * 1024;

/**
 * The JSON body of a streamed generation. The running token count is asked for on every event, because an event is
 * not a token. Unless prompts are to be identical, the salt also goes as `cache_salt`: servers that know it keep
 * the prefix caches of two runs apart, the chat template's included; others pass it over.
 */
export function requestBody(options: BodyOptions): Uint8Array {
  const steps = bodyInSteps(options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps of about a tenth of a millisecond, however long the prompt and however large the images. */
export function* bodyInSteps(options: BodyOptions): Generator<undefined, Uint8Array> {
  const parts: Uint8Array[] = [headOf(options)];
  yield* addPrompt(parts, options, options.images ?? []);
  parts.push(tailOf(options));
  return yield* joined(parts);
}

/** A turn of a conversation, in the same steps: what was said before it is not known yet. */
export function* turnInSteps(options: BodyOptions, turn: ConversationTurn): Generator<undefined, BuiltTurn> {
  const { prompt } = options.spec;
  assert(prompt.kind === "drawn", "a turn's message is drawn");
  return {
    conversation: turn.conversation,
    head: Buffer.concat([headOf(options), encoder.encode('"messages":[')]),
    tail: Buffer.concat([encoder.encode("]"), tailOf(options)]),
    system: turn.system === null ? null : yield* messageOf("system", turn.system),
    message: yield* messageOf("user", prompt),
  };
}

function* messageOf(role: "system" | "user", prompt: DrawnPrompt): Generator<undefined, Uint8Array> {
  const parts: Uint8Array[] = [encoder.encode(`{"role":"${role}","content":"`)];
  yield* addUnits(parts, prompt, " ");
  parts.push(encoder.encode('"}'));
  return yield* joined(parts);
}

function headOf({ model }: BodyOptions): Uint8Array {
  return encoder.encode(`{"model":${JSON.stringify(model)},`);
}

/** What follows the prompt. */
function tailOf({ spec, salt }: BodyOptions): Uint8Array {
  const rest = JSON.stringify({
    max_tokens: spec.outputTokens,
    ...(spec.ignoreEos ? { ignore_eos: true } : {}),
    ...(spec.temperature === undefined ? {} : { temperature: spec.temperature }),
    ...(spec.isSalted ? { cache_salt: salt } : {}),
    stream: true,
    stream_options: { include_usage: true, continuous_usage_stats: true },
  });
  return encoder.encode(`,${rest.slice(1)}`);
}

type Images = Iterable<readonly Uint8Array[]>;

/** `"prompt":...` or `"messages":[...]`. */
function* addPrompt(
  parts: Uint8Array[],
  { plan, spec: { prompt } }: BodyOptions,
  images: Images,
): Generator<undefined> {
  const isChat = plan.target.api === "openai-chat";
  switch (prompt.kind) {
    case "token-ids":
      parts.push(encoder.encode(`"prompt":${JSON.stringify(prompt.ids)}`));
      return;
    case "text":
      if (!isChat) parts.push(encoder.encode(`"prompt":${JSON.stringify(prompt.text)}`));
      else yield* addMessages(parts, [{ role: "user", content: prompt.text }], images);
      return;
    case "messages":
      yield* addMessages(parts, prompt.messages, images);
      return;
    case "drawn":
      if (!isChat) {
        parts.push(encoder.encode('"prompt":['));
        yield* addUnits(parts, prompt, ",");
        parts.push(encoder.encode("]"));
        return;
      }
      yield* addContent(parts, { head: '"messages":[{"role":"user","content":', images }, function* () {
        parts.push(QUOTE);
        yield* addUnits(parts, prompt, " ");
        parts.push(QUOTE);
      });
  }
}

function* addMessages(
  parts: Uint8Array[],
  messages: readonly { readonly role: string; readonly content: string }[],
  images: Images,
): Generator<undefined> {
  const before = messages.slice(0, -1).map((message) => `${JSON.stringify(message)},`);
  const { role, content } = messages.at(-1) ?? { role: "user", content: "" };
  const head = `"messages":[${before.join("")}{"role":${JSON.stringify(role)},"content":`;
  yield* addContent(parts, { head, images }, function* () {
    parts.push(encoder.encode(JSON.stringify(content)));
    yield;
  });
}

const QUOTE = Buffer.from('"');
const BEFORE_TEXT = Buffer.from('[{"type":"text","text":');
const AFTER_TEXT = Buffer.from("}");
const BEFORE_IMAGE = Buffer.from(',{"type":"image_url","image_url":{"url":"');
const AFTER_IMAGE = Buffer.from('"}}');

/** The last message's content, and the end of all messages. With images the text comes first: what makes a prompt unique stands at its first token. */
function* addContent(
  parts: Uint8Array[],
  { head, images }: { readonly head: string; readonly images: Images },
  addText: () => Generator<undefined>,
): Generator<undefined> {
  parts.push(encoder.encode(head));
  const textAt = parts.length;
  yield* addText();
  let hasImages = false;
  for (const pieces of images) {
    if (!hasImages) {
      parts.splice(textAt, 0, BEFORE_TEXT);
      parts.push(AFTER_TEXT);
    }
    hasImages = true;
    parts.push(BEFORE_IMAGE, ...pieces, AFTER_IMAGE);
    yield;
  }
  parts.push(encoder.encode(hasImages ? "]}]" : "}]"));
}

/** Words and numbers need no escapes, and are ASCII. */
function* addUnits(parts: Uint8Array[], prompt: DrawnPrompt, between: " " | ","): Generator<undefined> {
  let isFirst = true;
  for (const units of prompt.pieces(PIECE_UNITS)) {
    if (units.length === 0) continue;
    const piece = prompt.promptKind.prompt(units);
    const text = piece.kind === "text" ? piece.text : piece.ids.join(",");
    parts.push(Buffer.from(isFirst ? text : between + text, "latin1"));
    isFirst = false;
    yield;
  }
}

function* joined(parts: readonly Uint8Array[]): Generator<undefined, Uint8Array> {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (bytes <= COPY_BYTES) return Buffer.concat(parts, bytes);
  const body = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const part of parts) {
    for (let from = 0; from < part.byteLength; from += COPY_BYTES) {
      const piece = part.subarray(from, from + COPY_BYTES);
      body.set(piece, at);
      at += piece.byteLength;
      if (piece.byteLength === COPY_BYTES) yield;
    }
  }
  return body;
}

const encoder = new TextEncoder();
