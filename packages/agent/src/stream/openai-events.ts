import type { RequestEnd, TokenSource } from "@tokenstorm/core";
import { ContentShape, type ShapeProbe } from "./content-shape.js";

/** No answer has more; a count beyond it is a server's nonsense and is not believed. */
const MAX_TOKENS = 10_000_000;
const ERROR_TEXT_CHARACTERS = 200;

/** What one frame was. `bad-frame`: no JSON, or not the shape of a chunk. */
export type FrameKind = "event" | "done" | "error-event" | "bad-frame";

export type Usage = NonNullable<RequestEnd["usage"]>;

/** The parts of a chunk that count. Everything is unknown: servers send null, nothing, or something of their own. */
interface Chunk {
  readonly object?: unknown;
  readonly error?: unknown;
  readonly choices?: unknown;
  readonly usage?: unknown;
}
interface Choice {
  readonly delta?: unknown;
  readonly text?: unknown;
  readonly token_ids?: unknown;
  readonly finish_reason?: unknown;
}
interface Delta {
  readonly role?: unknown;
  readonly content?: unknown;
  readonly reasoning?: unknown;
  readonly reasoning_content?: unknown;
  readonly tool_calls?: unknown;
}
interface UsageField {
  readonly prompt_tokens?: unknown;
  readonly completion_tokens?: unknown;
  readonly prompt_tokens_details?: unknown;
}
interface PromptDetails {
  readonly cached_tokens?: unknown;
  readonly multimodal_tokens?: unknown;
}

/**
 * Reads the frames of one streamed answer, chat or completions, of its first choice, and keeps the count of its tokens.
 * One object serves many answers, one after the other; per frame nothing is made but the parsed JSON.
 *
 * An event is not a token. An event that tells the running `completion_tokens`, or its `token_ids`, is counted exactly;
 * any other event with output counts as one token until the closing usage says better.
 */
export class OpenAiStream {
  /** Of the frame read last: output tokens in it, and whether it carried content or text (not reasoning, not tools). */
  tokens = 0;
  content = false;
  /** Of the frame read last: its content, text or reasoning. */
  text = "";

  finishReason: string | null = null;
  /** `[DONE]` was read. */
  isDone = false;
  /** What the server said went wrong; null without an error event. */
  errorText: string | null = null;
  /** Output tokens of all events so far. */
  counted = 0;

  // The usage read last, in numbers: running usage comes with every event, and must not make an object each time.
  #hasUsage = false;
  #usagePrompt = 0;
  #usageCached = 0;
  /** -1 where the server does not tell tokens of images apart. */
  #usageImage = -1;
  #usageOutput = 0;
  /** An event with output came after the usage read last. */
  #usageIsOld = false;
  /** Every event with output so far told the running count. */
  #usageIsContinuous = true;
  /** Events with output that counted as one token for want of better. */
  #guessed = 0;

  readonly #shape = new ContentShape();
  /** Of the event that gave the shape: what the others have in common with it. */
  #shaped = { content: false, usagePrompt: 0, usageCached: 0, usageImage: -1 };
  /** Of the frame read last: the name of its text, where there was nothing else to it but usage. */
  #textKey: TextKey | null = null;
  #toldUsage = false;

  reset(): void {
    this.#clearFrame();
    this.finishReason = null;
    this.isDone = false;
    this.errorText = null;
    this.counted = 0;
    this.#hasUsage = false;
    this.#usageIsOld = false;
    this.#usageIsContinuous = true;
    this.#guessed = 0;
    this.#shape.reset();
  }

  /** As `read`, of bytes in UTF-8; an event that differs from those before in text and counts alone is not parsed. */
  readBytes(bytes: Buffer, from: number, to: number): FrameKind {
    const shape = this.#shape;
    if (shape.matches(bytes, from, to) && shape.completionTokens <= MAX_TOKENS) {
      this.#readShaped(bytes.toString("utf8", shape.from, shape.to), shape.completionTokens);
      return "event";
    }
    const kind = this.read(bytes.toString("utf8", from, to));
    if (this.#textKey !== null && shape.isWanted) this.#learn(bytes, from, to, this.#textKey);
    return kind;
  }

  read(json: string): FrameKind {
    this.#clearFrame();
    if (json === "[DONE]") return this.#done();
    let chunk: Chunk | null;
    try {
      chunk = JSON.parse(json);
    } catch {
      // JSON may have blanks around it; the one word that is none may as well.
      return json.trim() === "[DONE]" ? this.#done() : "bad-frame";
    }
    if (typeof chunk !== "object" || chunk === null || Array.isArray(chunk)) return "bad-frame";
    if (isSet(chunk.error) || chunk.object === "error") {
      this.errorText = describeError(chunk);
      return "error-event";
    }
    return this.#readChunk(chunk);
  }

  /** Usage as the server closed the answer with it; null when it told none, or told less than what came after it. */
  get usage(): Usage | null {
    if (!this.#isUsageGood()) return null;
    return {
      prompt: this.#usagePrompt,
      cachedPrompt: this.#usageCached,
      output: this.#usageOutput,
      ...(this.#usageImage < 0 ? {} : { image: this.#usageImage }),
    };
  }

  get tokenSource(): TokenSource {
    if (this.counted === 0) return "none";
    if (this.#guessed === 0) return "continuous";
    return this.#isUsageGood() ? "usage" : "events";
  }

  #isUsageGood(): boolean {
    return this.#hasUsage && !(this.#usageIsOld && this.#usageOutput < this.counted);
  }

  #done(): FrameKind {
    this.isDone = true;
    return "done";
  }

  #readChunk(chunk: Chunk): FrameKind {
    const hasUsage = this.#readUsage(chunk.usage);
    if (!isSet(chunk.choices)) return "event";
    if (!Array.isArray(chunk.choices)) return "bad-frame";
    if (chunk.choices.length === 0) return "event";
    const choice: Choice | null | undefined = chunk.choices[0];
    if (typeof choice !== "object" || choice === null) return "bad-frame";
    if (typeof choice.finish_reason === "string") this.finishReason = choice.finish_reason;
    this.#count(choice, this.#readOutput(choice), hasUsage);
    if (this.text !== "" && typeof choice.finish_reason !== "string" && !Array.isArray(choice.token_ids)) {
      this.#textKey = textKeyOf(choice);
      this.#toldUsage = hasUsage;
    }
    return "event";
  }

  /** Whether the event told a usage that can be believed. */
  #readUsage(value: unknown): boolean {
    if (!isObject(value)) return false;
    const field: UsageField = value;
    if (!isCount(field.completion_tokens)) return false;
    const details: PromptDetails | null = isObject(field.prompt_tokens_details)
      ? field.prompt_tokens_details
      : null;
    this.#usagePrompt = isCount(field.prompt_tokens) ? field.prompt_tokens : 0;
    this.#usageCached = isCount(details?.cached_tokens) ? details.cached_tokens : 0;
    this.#usageImage = isCount(details?.multimodal_tokens) ? details.multimodal_tokens : -1;
    this.#usageIs(field.completion_tokens);
    return true;
  }

  #usageIs(output: number): void {
    this.#usageOutput = output;
    this.#hasUsage = true;
    this.#usageIsOld = false;
  }

  /** Whether the choice carries generated output. */
  #readOutput(choice: Choice): boolean {
    if (isText(choice.text)) return this.#contentIs(choice.text);
    if (!isObject(choice.delta)) return false;
    const delta: Delta = choice.delta;
    // Some versions send the same reasoning under both names: one of them is read.
    const reasoning = isText(delta.reasoning) ? delta.reasoning : delta.reasoning_content;
    if (isText(delta.content)) return this.#contentIs(delta.content);
    if (isText(reasoning)) {
      this.text = reasoning;
      return true;
    }
    return Array.isArray(delta.tool_calls) && delta.tool_calls.length > 0;
  }

  #contentIs(text: string): true {
    this.content = true;
    this.text = text;
    return true;
  }

  /** What `read` does with an event of the shape, whose text and usage these are. */
  #readShaped(text: string, completionTokens: number): void {
    this.#clearFrame();
    this.content = this.#shaped.content;
    this.text = text;
    const hasUsage = completionTokens >= 0;
    if (hasUsage) {
      this.#usagePrompt = this.#shaped.usagePrompt;
      this.#usageCached = this.#shaped.usageCached;
      this.#usageImage = this.#shaped.usageImage;
      this.#usageIs(completionTokens);
    }
    this.#count(NOTHING_MORE, true, hasUsage);
  }

  #learn(bytes: Buffer, from: number, to: number, key: TextKey): void {
    this.#shape.learn(bytes, from, to, { key, hasUsage: this.#toldUsage, probe });
    this.#shaped = {
      content: this.content,
      usagePrompt: this.#usagePrompt,
      usageCached: this.#usageCached,
      usageImage: this.#usageImage,
    };
  }

  #count(choice: Choice, hasOutput: boolean, hasUsage: boolean): void {
    if (hasUsage && this.#usageIsContinuous) {
      const grown = Math.max(0, this.#usageOutput - this.counted);
      // The text of what it tells comes with later events: it ran ahead, or told the whole answer in advance.
      if (!hasOutput && this.finishReason === null && isRoleEvent(choice)) return;
      // Generated output is a token, also where the running count lags behind it.
      this.tokens = grown === 0 && hasOutput && this.counted === 0 ? 1 : grown;
    } else if (Array.isArray(choice.token_ids)) {
      this.tokens = choice.token_ids.length;
    } else if (hasOutput) {
      this.tokens = 1;
      this.#guessed++;
    }
    if (this.tokens === 0 && !hasOutput) return;
    if (!hasUsage) {
      this.#usageIsContinuous = false;
      this.#usageIsOld = this.#hasUsage;
    }
    this.counted += this.tokens;
  }

  #clearFrame(): void {
    this.tokens = 0;
    this.content = false;
    this.text = "";
    this.#textKey = null;
  }
}

/** A choice of which text and usage are all there is. */
const NOTHING_MORE: Choice = {};

type TextKey = "text" | "content" | "reasoning" | "reasoning_content";

/** Under which name `#readOutput` finds the text. */
function textKeyOf({ text, delta }: Choice): TextKey {
  if (isText(text)) return "text";
  const fields: Delta = isObject(delta) ? delta : {};
  if (isText(fields.content)) return "content";
  return isText(fields.reasoning) ? "reasoning" : "reasoning_content";
}

/** An event of which only the places count that a shape may take. */
function probe(json: string): ShapeProbe {
  const chunk: { readonly choices?: readonly Choice[]; readonly usage?: ShapeProbe | null } =
    JSON.parse(json);
  const choice = chunk.choices?.[0] ?? NOTHING_MORE;
  const delta: Delta = isObject(choice.delta) ? choice.delta : {};
  const key = textKeyOf(choice);
  return {
    text: key === "text" ? choice.text : delta[key],
    total_tokens: chunk.usage?.total_tokens,
    completion_tokens: chunk.usage?.completion_tokens,
  };
}

function isRoleEvent(choice: Choice): boolean {
  if (!isObject(choice.delta)) return false;
  const delta: Delta = choice.delta;
  return isText(delta.role);
}

function describeError(chunk: Chunk): string {
  const text = JSON.stringify(isSet(chunk.error) ? chunk.error : chunk);
  return text.slice(0, ERROR_TEXT_CHARACTERS);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS;
}
