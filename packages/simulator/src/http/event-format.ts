import type { Endpoint, GenerationRequest } from "./api-request.js";
import { httpChunk, toByteString } from "./response.js";

export interface FormatOptions {
  readonly request: GenerationRequest;
  /** Of the answer: with its `chatcmpl-` or `cmpl-`. */
  readonly answerId: string;
  readonly createdS: number;
  readonly model: string;
  /** Told in `prompt_tokens_details`; undefined leaves the field out. */
  readonly cachedTokens: () => number | undefined;
}

/** What one event carries. */
export interface EventContent {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly finish: "length" | "stop" | null;
  /** Outputs of the request up to and with this event. */
  readonly outputTokens: number;
}

/**
 * Writes the events of one request as byte strings. What is the same in every event is put together
 * once, so that an event costs a few string joins.
 */
export class EventFormat {
  readonly #options: FormatOptions;
  readonly #start: string;
  readonly #plainEnd: string | undefined;
  readonly #plainLength: number;

  constructor(options: FormatOptions) {
    this.#options = options;
    const { endpoint } = options.request;
    const textField = endpoint === "chat" ? '"delta":{"content":"' : '"text":"';
    this.#start = `data: ${this.#envelope()}"choices":[{"index":0,${textField}`;
    const isPlain = !options.request.continuousUsage && !options.request.returnTokenIds;
    this.#plainEnd = isPlain ? `${eventEnd(endpoint, null, "null")}}\n\n` : undefined;
    this.#plainLength = this.#start.length + (this.#plainEnd?.length ?? 0);
  }

  /** The role event of a chat stream; nothing for completions. */
  role(): string {
    const { request } = this.#options;
    if (request.endpoint !== "chat") return "";
    const promptIds = request.returnTokenIds ? JSON.stringify(request.promptTokens) : "null";
    return httpChunk(
      `data: ${this.#envelope()}"choices":[{"index":0,"delta":{"role":"assistant","content":""},` +
        `"logprobs":null,"finish_reason":null}],"prompt_token_ids":${promptIds}${this.#runningUsage(0)}}\n\n`,
    );
  }

  /** One event with its HTTP chunk; `text` is a byte string that needs no escaping. */
  event(content: EventContent): string {
    const { text } = content;
    if (this.#plainEnd !== undefined && content.finish === null) {
      const size = (this.#plainLength + text.length).toString(16);
      return `${size}\r\n${this.#start}${text}${this.#plainEnd}\r\n`;
    }
    const { request } = this.#options;
    const ids = request.returnTokenIds ? JSON.stringify(content.tokens) : "null";
    const isFirst = content.outputTokens === content.tokens.length;
    const promptIds = request.returnTokenIds && isFirst ? JSON.stringify(request.promptTokens) : "null";
    const end = eventEnd(request.endpoint, content.finish, ids, promptIds);
    return httpChunk(`${this.#start}${text}${end}${this.#runningUsage(content.outputTokens)}}\n\n`);
  }

  /** The usage event where it was asked for, and `[DONE]`. */
  ending(outputTokens: number): string {
    const { request } = this.#options;
    const usage = request.includeUsage
      ? httpChunk(`data: ${this.#envelope()}"choices":[],"usage":${this.usage(outputTokens)}}\n\n`)
      : "";
    return usage + DONE_CHUNK;
  }

  /** The whole answer to a request that did not ask for a stream. */
  answer(content: EventContent): string {
    const { request } = this.#options;
    const ids = request.returnTokenIds ? JSON.stringify(content.tokens) : "null";
    const promptIds = request.returnTokenIds ? JSON.stringify(request.promptTokens) : "null";
    const finish = JSON.stringify(content.finish);
    const usage = this.usage(content.outputTokens);
    if (request.endpoint === "completions") {
      return (
        `${this.#envelope()}"choices":[{"index":0,"text":"${content.text}","logprobs":null,` +
        `"finish_reason":${finish},"stop_reason":null,"token_ids":${ids},"prompt_logprobs":null,` +
        `"prompt_token_ids":${promptIds}}],"service_tier":null,"system_fingerprint":null,"usage":${usage},` +
        `"kv_transfer_params":null}`
      );
    }
    return (
      `${this.#envelope()}"choices":[{"index":0,"message":{"role":"assistant","content":"${content.text}",` +
      `"refusal":null,"annotations":null,"audio":null,"function_call":null,"tool_calls":[],"reasoning":null,` +
      `"reasoning_content":null},"logprobs":null,"finish_reason":${finish},"stop_reason":null,` +
      `"token_ids":${ids}}],"service_tier":null,"system_fingerprint":null,"usage":${usage},` +
      `"prompt_logprobs":null,"prompt_token_ids":${promptIds},"kv_transfer_params":null}`
    );
  }

  usage(outputTokens: number): string {
    const { request, cachedTokens } = this.#options;
    const prompt = request.promptTokens.length;
    const cached = cachedTokens();
    const details = cached === undefined ? "" : `,"prompt_tokens_details":{"cached_tokens":${cached}}`;
    return (
      `{"prompt_tokens":${prompt},"total_tokens":${prompt + outputTokens},` +
      `"completion_tokens":${outputTokens}${details}}`
    );
  }

  #runningUsage(outputTokens: number): string {
    return this.#options.request.continuousUsage ? `,"usage":${this.usage(outputTokens)}` : "";
  }

  #envelope(): string {
    const { request, answerId, createdS, model } = this.#options;
    const object = objectName(request.endpoint, request.stream);
    return toByteString(
      `{"id":${JSON.stringify(answerId)},"object":"${object}","created":${createdS},` +
        `"model":${JSON.stringify(model)},`,
    );
  }
}

/** An event of any JSON, with its HTTP chunk. */
export function jsonEvent(json: string): string {
  return httpChunk(toByteString(`data: ${json}\n\n`));
}

export const DONE_CHUNK = httpChunk("data: [DONE]\n\n");

function objectName(endpoint: Endpoint, stream: boolean): string {
  if (endpoint === "completions") return "text_completion";
  return stream ? "chat.completion.chunk" : "chat.completion";
}

/** From the end of the text to the end of `choices`. */
function eventEnd(endpoint: Endpoint, finish: string | null, ids: string, promptIds = "null"): string {
  const reason = finish === null ? "null" : `"${finish}"`;
  if (endpoint === "completions") {
    return (
      `","logprobs":null,"finish_reason":${reason},"stop_reason":null,` +
      `"prompt_token_ids":${promptIds},"token_ids":${ids}}]`
    );
  }
  const stopReason = finish === null ? "" : `"stop_reason":null,`;
  return `"},"logprobs":null,"finish_reason":${reason},${stopReason}"token_ids":${ids}}]`;
}
