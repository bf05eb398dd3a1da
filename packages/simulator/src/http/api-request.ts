import { createHash } from "node:crypto";
import type { Emulation } from "../emulation.js";
import type { EngineImage } from "../engine/encoder-cache.js";
import { type ChatTokens, tokenize, tokenizeChat } from "../text/tokenizer.js";
import type { VisionOptions } from "../vision/image-part.js";
import { type ApiError, badRequest, invalidBody, modelNotFound } from "./api-error.js";
import { parseMessages } from "./chat-messages.js";
import { booleanField, integerField, type JsonObject, objectField, stringField } from "./json-fields.js";

export type Endpoint = "chat" | "completions";

/** A generation request past its checks. */
export interface GenerationRequest {
  readonly endpoint: Endpoint;
  readonly promptTokens: readonly number[];
  /** Images among them; their tokens and markers count as prompt tokens. */
  readonly images: readonly EngineImage[];
  /** First 16 hexadecimal digits of the SHA-256 of the canonical prompt. */
  readonly promptDigest: string;
  /** `request_id` of the body; the header goes before it. */
  readonly requestId: string | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly returnTokenIds: boolean;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly cacheSalt: string | undefined;
  /** Its own tokens per event, where the version lets it choose. */
  readonly streamInterval: number | undefined;
}

export interface ModelLimits {
  readonly model: string;
  readonly maxModelLen: number;
  /** Absent where the model does not see images. */
  readonly vision: VisionOptions | undefined;
  readonly emulation: Emulation;
  /** Usage whether it was asked for or not. */
  readonly forceIncludeUsage: boolean;
}

/** Completions without `max_tokens` get this many, as OpenAI's API had it. */
const COMPLETIONS_MAX_TOKENS = 16;

/** Checks in vLLM's order: schema, model, prompt length, output length. Throws ApiError. */
export function parseGenerationRequest(
  endpoint: Endpoint,
  body: JsonObject,
  limits: ModelLimits,
): GenerationRequest {
  const prompt = endpoint === "chat" ? chatPrompt(body, limits) : completionsPrompt(body);
  const stream = booleanField(body, "stream");
  const streamOptions = objectField(body, "stream_options");
  if (streamOptions !== undefined && !stream) {
    throw invalidBody("Stream options can only be defined when `stream=True`.", "stream_options");
  }
  const usage = usageOf(streamOptions, limits);
  const cacheSalt = stringField(body, "cache_salt");
  if (cacheSalt === "") throw invalidBody("Parameter 'cache_salt' must be a non-empty string if provided.");
  const asked = outputLength(endpoint, body);
  checkModel(body, limits);
  const { tokens: promptTokens, images } = prompt.tokens();
  const maxTokens = boundedOutput(asked, promptTokens.length, limits);
  return {
    endpoint,
    promptTokens,
    images,
    promptDigest: prompt.digest(),
    requestId: stringField(body, "request_id"),
    stream,
    ...usage,
    returnTokenIds: booleanField(body, "return_token_ids"),
    maxTokens,
    minTokens: minTokens(body, maxTokens),
    ignoreEos: booleanField(body, "ignore_eos"),
    cacheSalt,
    streamInterval: limits.emulation.streamIntervalField ? streamInterval(body) : undefined,
  };
}

/** Tokens of a `/tokenize` request: `{prompt}` or `{messages}`. */
export function parseTokenizeRequest(body: JsonObject, limits: ModelLimits): readonly number[] {
  const prompt = body["messages"] === undefined ? completionsPrompt(body) : chatPrompt(body, limits);
  checkModel(body, limits);
  return prompt.tokens().tokens;
}

/**
 * The text a checker hashes to find out which prompt arrived: the messages array as JSON, the prompt
 * string itself, or the token ids as JSON.
 */
export function promptDigest(canonicalPrompt: string): string {
  return digest(canonicalPrompt);
}

/** Evaluated late: a request that is refused for its model is not tokenized. */
interface Prompt {
  tokens(): ChatTokens;
  digest(): string;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Of arrays that are never changed: that of a body which came before is the same one. */
const messageDigests = new WeakMap<readonly unknown[], string>();

function digestOfMessages(messages: readonly unknown[]): string {
  const known = messageDigests.get(messages);
  if (known !== undefined) return known;
  const found = digest(JSON.stringify(messages));
  messageDigests.set(messages, found);
  return found;
}

function checkModel(body: JsonObject, limits: ModelLimits): void {
  const model = stringField(body, "model");
  if (model !== undefined && model !== limits.model) throw modelNotFound(model);
}

function chatPrompt(body: JsonObject, limits: ModelLimits): Prompt {
  const raw = body["messages"];
  if (!Array.isArray(raw) || raw.length === 0) throw invalidBody("messages: Field required", "messages");
  const messages = parseMessages(raw, limits);
  return { tokens: () => tokenizeChat(messages), digest: () => digestOfMessages(raw) };
}

function completionsPrompt(body: JsonObject): Prompt {
  const raw = body["prompt"];
  const value: unknown = Array.isArray(raw) && typeof raw[0] !== "number" ? onlyPrompt(raw) : raw;
  if (typeof value === "string")
    return { tokens: () => textOnly(tokenize(value)), digest: () => digest(value) };
  if (!Array.isArray(value) || value.length === 0 || !value.every(isTokenId)) {
    throw invalidBody("prompt: Input should be a string or a list of token ids", "prompt");
  }
  const ids: readonly number[] = value;
  return { tokens: () => textOnly(ids), digest: () => digest(JSON.stringify(ids)) };
}

function textOnly(tokens: readonly number[]): ChatTokens {
  return { tokens, images: [] };
}

function onlyPrompt(prompts: readonly unknown[]): unknown {
  if (prompts.length !== 1)
    throw invalidBody("prompt: this simulator takes one prompt per request", "prompt");
  return prompts[0];
}

function isTokenId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

/** Undefined means: as much as the context has room for. */
function outputLength(endpoint: Endpoint, body: JsonObject): number | undefined {
  const n = integerField(body, "n") ?? 1;
  if (n !== 1) throw invalidBody("n: this simulator gives one answer per request", "n");
  const maxTokens =
    (endpoint === "chat" ? integerField(body, "max_completion_tokens") : undefined) ??
    integerField(body, "max_tokens") ??
    (endpoint === "chat" ? undefined : COMPLETIONS_MAX_TOKENS);
  if (maxTokens !== undefined && maxTokens < 1) {
    throw invalidBody(`max_tokens must be at least 1, got ${maxTokens}.`, "max_tokens");
  }
  return maxTokens;
}

function usageOf(options: JsonObject | undefined, { emulation, forceIncludeUsage }: ModelLimits) {
  const isAsked = options !== undefined && booleanField(options, "include_usage");
  const isContinuous = isAsked && booleanField(options, "continuous_usage_stats");
  return {
    includeUsage: isAsked || forceIncludeUsage,
    continuousUsage: isContinuous || (forceIncludeUsage && emulation.forcedUsageOnAllEvents),
  };
}

function streamInterval(body: JsonObject): number | undefined {
  const interval = integerField(body, "stream_interval");
  if (interval === undefined || interval >= 1) return interval;
  throw invalidBody(`stream_interval must be at least 1, got ${interval}.`, "stream_interval");
}

function boundedOutput(asked: number | undefined, promptTokens: number, limits: ModelLimits): number {
  if (promptTokens === 0) throw badRequest("The decoder prompt cannot be empty", "prompt");
  const room = limits.maxModelLen - promptTokens;
  if (room >= (asked ?? 1)) return asked ?? room;
  throw limits.emulation.lengthError === "by sum"
    ? tooLongBySum(asked ?? 0, promptTokens, limits.maxModelLen)
    : tooLongByPart(asked, promptTokens, limits.maxModelLen);
}

function tooLongByPart(asked: number | undefined, promptTokens: number, maxModelLen: number): ApiError {
  if (asked === undefined || promptTokens >= maxModelLen) {
    return badRequest(
      `This model's maximum context length is ${maxModelLen} tokens. However, your request has ` +
        `${promptTokens} input tokens. Please reduce the length of the input messages.`,
      "input_tokens",
    );
  }
  return badRequest(
    `'max_tokens' or 'max_completion_tokens' is too large: ${asked}. This model's maximum context length ` +
      `is ${maxModelLen} tokens and your request has ${promptTokens} input tokens ` +
      `(${asked} > ${maxModelLen} - ${promptTokens}).`,
    "max_tokens",
  );
}

/** The prompt is tokenized only as far as it could fit, so that "at least" is one more than there was room for. */
function tooLongBySum(asked: number, promptTokens: number, maxModelLen: number): ApiError {
  const seen = Math.min(promptTokens, Math.max(0, maxModelLen - asked) + 1);
  return badRequest(
    `This model's maximum context length is ${maxModelLen} tokens. However, you requested ${asked} output tokens and ` +
      `your prompt contains at least ${seen} input tokens, for a total of at least ${asked + seen} tokens. Please ` +
      "reduce the length of the input prompt or the number of requested output tokens. " +
      `(parameter=input_tokens, value=${seen})`,
    "input_tokens",
  );
}

function minTokens(body: JsonObject, maxTokens: number): number {
  const least = integerField(body, "min_tokens") ?? 0;
  if (least < 0)
    throw invalidBody(`min_tokens must be greater than or equal to 0, got ${least}.`, "min_tokens");
  if (least > maxTokens) {
    throw invalidBody(
      `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${least}.`,
      "min_tokens",
    );
  }
  return least;
}
