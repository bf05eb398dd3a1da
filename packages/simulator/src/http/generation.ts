import type { StepOutput } from "../engine/engine.js";
import type { Fault, FaultSource } from "../faults.js";
import type { Vocabulary } from "../text/vocabulary.js";
import type { TruthRequest } from "../truth-log.js";
import type { RequestRecord } from "../truth-log-writer.js";
import { ApiError, errorJson } from "./api-error.js";
import type { GenerationRequest } from "./api-request.js";
import type { Exchange } from "./connection.js";
import { DONE_CHUNK, type EventFormat, jsonEvent } from "./event-format.js";
import { httpChunk, LAST_CHUNK, responseHead } from "./response.js";
import { StampLog } from "./stamp-log.js";

export interface GenerationOptions {
  readonly id: string;
  readonly request: GenerationRequest;
  readonly exchange: Exchange;
  readonly format: EventFormat;
  readonly words: Vocabulary["words"];
  readonly streamInterval: number;
  /** The first so many tokens are thoughts. */
  readonly reasoningTokens: number;
  readonly fault: (Fault & { readonly by: FaultSource }) | undefined;
  readonly nowUs: () => number;
  /** Takes the request out of the engine; called when the answer ends before its tokens do. */
  readonly abort: () => void;
  /** The answer is over, however it ended. Called once. */
  readonly onEnd: (record: RequestRecord) => void;
}

type Ending = TruthRequest["finishReason"];

const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "transfer-encoding": "chunked",
};

/** One request on its way out: turns the engine's tokens into writes, and remembers when each was made. */
export class Generation {
  readonly #options: GenerationOptions;
  readonly #stamps: StampLog;
  #state: "open" | "stalled" | "ended" = "open";
  #headersUs: number | null = null;
  #firstTokenUs: number | null = null;
  #cachedTokens = 0;
  #generated = 0;
  #written = 0;
  /** Not yet written: tokens held by the stream interval or by a socket that is backed up. */
  #heldText = "";
  #heldReasoning = "";
  #heldTokens: number[] = [];
  #finish: "length" | "stop" | null = null;
  #hasWrittenGarbage = false;

  constructor(options: GenerationOptions) {
    this.#options = options;
    this.#stamps = new StampLog(options.request.stream ? options.request.maxTokens : 1);
    options.exchange.onDisconnect(() => this.#leave("abort"));
    options.exchange.onDrain(() => this.#flush());
  }

  /** Sends status and headers, before the request is queued. */
  start(): void {
    if (!this.#options.request.stream) return;
    const { exchange } = this.#options;
    this.#headersUs = this.#options.nowUs();
    exchange.write(responseHead(200, STREAM_HEADERS, exchange.request.keepAlive));
  }

  admitted(cachedTokens: number): void {
    this.#cachedTokens = cachedTokens;
  }

  get cachedTokens(): number {
    return this.#cachedTokens;
  }

  /** The read that brought the request's last byte. */
  get receivedUs(): number {
    return this.#options.exchange.receivedUs;
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** Takes note of a token at the moment it was generated; what becomes of it is `release`'s affair. */
  generated(): void {
    this.#generated++;
  }

  /** Takes one token; it leaves with the next that is released. */
  hold(output: StepOutput): void {
    if (this.#state !== "open") return;
    const { words, reasoningTokens } = this.#options;
    if (output.word >= 0) {
      const text = output.ordinal === 1 ? words[output.word] : ` ${words[output.word]}`;
      if (output.ordinal <= reasoningTokens) this.#heldReasoning += text;
      else this.#heldText += text;
    }
    this.#heldTokens.push(output.token);
    this.#finish = output.finish;
  }

  /** Takes one token and hands to the client what is held, or waits for more by the stream interval. */
  release(output: StepOutput): void {
    if (this.#state !== "open") return;
    this.hold(output);
    const { request, streamInterval } = this.#options;
    if (!request.stream) {
      this.#firstTokenUs ??= this.#options.nowUs();
      if (output.finish !== null) this.#answer();
      return;
    }
    const isDue = this.#written === 0 || output.finish !== null || this.#heldTokens.length >= streamInterval;
    if (isDue) this.#flush();
  }

  /** Ends the answer because the simulator is being closed. */
  cut(): void {
    this.#options.exchange.destroy(false);
    this.#leave("abort");
  }

  #flush(): void {
    const { exchange, format, nowUs } = this.#options;
    const tokens = this.#heldTokens;
    if (this.#state !== "open" || tokens.length === 0 || exchange.isBackedUp) return;
    if (this.#strikes(this.#written)) return;
    const role = this.#written === 0 ? format.role() : "";
    this.#written += tokens.length;
    const finish = this.#options.fault?.kind === "no-finish" ? null : this.#finish;
    const reasoning = this.#heldReasoning;
    const content = { text: this.#heldText, reasoning, tokens, finish, outputTokens: this.#written };
    let bytes = role + format.event(content);
    if (this.#finish !== null) bytes += format.ending(this.#written) + LAST_CHUNK;
    this.#heldText = "";
    this.#heldReasoning = "";
    this.#heldTokens = [];
    const stampUs = nowUs();
    this.#firstTokenUs ??= stampUs;
    this.#stamps.add(stampUs, tokens.length);
    exchange.write(bytes);
    if (this.#finish !== null) this.#complete(this.#finish, stampUs);
  }

  #answer(): void {
    const { exchange, format, nowUs } = this.#options;
    if (this.#breaksAnswer()) return;
    const body = format.answer({
      text: this.#heldText,
      reasoning: this.#heldReasoning,
      tokens: this.#heldTokens,
      finish: this.#finish,
      outputTokens: this.#generated,
    });
    const headers = { "content-length": body.length, "content-type": "application/json" };
    const stampUs = nowUs();
    this.#headersUs = stampUs;
    this.#stamps.add(stampUs, this.#generated);
    exchange.write(responseHead(200, headers, exchange.request.keepAlive) + body);
    this.#complete(this.#finish ?? "stop", stampUs);
  }

  /** Of the faults in mid-stream, those that an answer in one piece can have too. */
  #breaksAnswer(): boolean {
    const kind = this.#options.fault?.kind;
    return (
      (kind === "reset" || kind === "close" || kind === "stall") && this.#strikes(Number.POSITIVE_INFINITY)
    );
  }

  /** Lets the request's fault happen where its time has come; true when nothing is to be written any more. */
  #strikes(written: number): boolean {
    const { fault, exchange } = this.#options;
    if (fault === undefined || written < fault.argument) return false;
    switch (fault.kind) {
      case "reset":
      case "close":
        exchange.destroy(fault.kind === "reset");
        this.#leave("error");
        return true;
      case "stall":
        this.#state = "stalled";
        return true;
      case "error-event":
        this.#endWith(jsonEvent(errorJson(new ApiError(500, "InternalServerError", "EngineCore failed"))));
        return true;
      case "no-finish":
        this.#endWith("");
        return true;
      case "garbage":
        if (!this.#hasWrittenGarbage)
          exchange.write(httpChunk('data: {"id":"chatcmpl-broken","choices":[{\n\n'));
        this.#hasWrittenGarbage = true;
        return false;
      default:
        return false;
    }
  }

  #endWith(event: string): void {
    const stampUs = this.#options.nowUs();
    this.#options.exchange.write(event + DONE_CHUNK + LAST_CHUNK);
    this.#options.abort();
    this.#complete("error", stampUs);
  }

  #complete(ending: Ending, endUs: number): void {
    this.#state = "ended";
    const closedUs = this.#options.nowUs();
    this.#report(ending, endUs, closedUs);
    this.#options.exchange.done();
  }

  #leave(ending: Ending): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    const stampUs = this.#options.nowUs();
    this.#options.abort();
    this.#report(ending, stampUs, stampUs);
  }

  #report(ending: Ending, endUs: number, closedUs: number): void {
    const { id, request, exchange, fault, onEnd } = this.#options;
    onEnd({
      kind: "request",
      id,
      endpoint: request.endpoint,
      stream: request.stream,
      status: 200,
      promptTokens: request.promptTokens.length,
      ...imagesOf(request),
      cachedTokens: this.#cachedTokens,
      promptDigest: request.promptDigest,
      maxTokens: request.maxTokens,
      outputTokens: this.#generated,
      finishReason: ending,
      ...(fault === undefined ? {} : { fault: fault.kind, faultBy: fault.by }),
      receivedUs: exchange.receivedUs,
      headersUs: this.#headersUs,
      firstTokenUs: this.#firstTokenUs,
      endUs,
      closedUs,
      ...this.#stamps.take(),
    });
  }
}

function imagesOf({ images }: GenerationRequest): Pick<TruthRequest, "images" | "imageTokens"> {
  if (images.length === 0) return {};
  return { images: images.length, imageTokens: images.reduce((sum, { tokens }) => sum + tokens, 0) };
}
