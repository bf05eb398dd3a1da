import type { Emulation } from "../emulation.js";
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
  readonly emulation: Emulation;
}

/** What one event carries. */
export interface EventContent {
  readonly text: string;
  /** Thoughts before it. */
  readonly reasoning: string;
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
  readonly #choice: string;
  readonly #start: string;
  readonly #plainEnd: string | undefined;
  readonly #plainLength: number;

  constructor(options: FormatOptions) {
    this.#options = options;
    const { endpoint } = options.request;
    this.#choice = `data: ${this.#envelope()}"choices":[{"index":0,`;
    this.#start = `${this.#choice}${endpoint === "chat" ? '"delta":{"content":"' : '"text":"'}`;
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
    if (this.#plainEnd !== undefined && content.finish === null && content.reasoning === "") {
      const size = (this.#plainLength + text.length).toString(16);
      return `${size}\r\n${this.#start}${text}${this.#plainEnd}\r\n`;
    }
    const { request } = this.#options;
    const ids = request.returnTokenIds ? JSON.stringify(content.tokens) : "null";
    const isFirst = content.outputTokens === content.tokens.length;
    const promptIds = request.returnTokenIds && isFirst ? JSON.stringify(request.promptTokens) : "null";
    const end = eventEnd(request.endpoint, content.finish, ids, promptIds);
    const tail = this.#fingerprint(content.finish) + this.#runningUsage(content.outputTokens);
    const start = content.reasoning === "" ? this.#start + text : this.#choice + this.#thinkingDelta(content);
    return httpChunk(`${start}${end}${tail}}\n\n`);
  }

  /** Up to the end of its last text, as `start` with text is: thoughts alone, or with the text that came with them. */
  #thinkingDelta({ reasoning, text }: EventContent): string {
    const fields = this.#options.emulation.reasoningFields.map((field) => `"${field}":"${reasoning}`);
    if (text !== "") fields.push(`"content":"${text}`);
    return `"delta":{${fields.join('",')}`;
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
      `"refusal":null,"annotations":null,"audio":null,"function_call":null,"tool_calls":[],` +
      `${this.#thoughts(content.reasoning)}},"logprobs":null,"finish_reason":${finish},"stop_reason":null,` +
      `"token_ids":${ids}}],"service_tier":null,"system_fingerprint":null,"usage":${usage},` +
      `"prompt_logprobs":null,"prompt_token_ids":${promptIds},"kv_transfer_params":null}`
    );
  }

  usage(outputTokens: number): string {
    const { request, cachedTokens } = this.#options;
    const prompt = request.promptTokens.length;
    const cached = cachedTokens();
    const details =
      cached === undefined
        ? ""
        : `,"prompt_tokens_details":{"cached_tokens":${cached}${this.#imageTokens()}}`;
    return (
      `{"prompt_tokens":${prompt},"total_tokens":${prompt + outputTokens},` +
      `"completion_tokens":${outputTokens}${details}}`
    );
  }

  #imageTokens(): string {
    const { request, emulation } = this.#options;
    if (!emulation.multimodalTokensInUsage) return "";
    return `,"multimodal_tokens":${request.images.reduce((sum, { tokens }) => sum + tokens, 0)}`;
  }

  /** Of a whole message. */
  #thoughts(reasoning: string): string {
    const value = reasoning === "" ? "null" : `"${reasoning}"`;
    return this.#options.emulation.reasoningFields.map((field) => `"${field}":${value}`).join(",");
  }

  #fingerprint(finish: string | null): string {
    const { fingerprintAtEnd, version } = this.#options.emulation;
    return finish === null || !fingerprintAtEnd ? "" : `,"system_fingerprint":"vllm-${version}-simulator"`;
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
