import { assert, type Clock, type FailureReason, type TestPlan } from "@tokenstorm/core";
import { OpenAiStream } from "../stream/openai-events.js";
import { type SseListener, SseParser } from "../stream/sse-parser.js";
import { throwLater } from "./client-errors.js";
import { Deadline } from "./deadline.js";
import { type EndOutcome, failed, finishOf, judgeHead, judgeStream } from "./judge.js";
import { ConnectError } from "./open-socket.js";
import { Patience } from "./patience.js";
import type { Reads } from "./read-stamps.js";
import type { PreparedRequest, RequestSink } from "./target.js";

/** An answer that has failed already is read on for so long and so far, so that its socket can be used again. */
const DRAIN_US = 1_000_000;
const DRAIN_BYTES = 64 * 1024;
const EXCERPT_BYTES = 200;

/** What the exchange needs of the connection that carries it. */
export interface Carrier {
  /** Sends the request, and tells the exchange what becomes of it; opens a socket where none is alive. */
  dispatch(request: PreparedRequest): void;
  /** Ends the socket, whatever it is doing, and is silent about it; the next dispatch gets a new one. */
  discard(): void;
  /** The request has ended at this stamp; the socket, if it lives, is idle since. */
  released(tUs: number): void;
}

export interface ExchangeOptions {
  readonly carrier: Carrier;
  readonly clock: Pick<Clock, "nowUs" | "at">;
  readonly reads: Reads;
  readonly timeouts: TestPlan["timeouts"];
}

/** What is known of the answer beside its measurements: for preflight and probe, which must explain a failure. */
export interface Answer {
  readonly status: number | null;
  readonly contentType: string;
  /** First bytes of an answer that is no stream, or of the frame that could not be read. */
  readonly excerpt: string;
  readonly errorText: string | null;
  /** What the reader said when the connection broke. */
  readonly cause: string | null;
  readonly finishReason: string | null;
  /** Of the event read last. */
  readonly text: string;
}

/**
 * `queued`: with the reader, not yet on a socket · `waiting`: for headers · `streaming` · `draining`: the outcome is
 * known, the rest is read for the socket's sake.
 */
type Phase = "idle" | "queued" | "waiting" | "streaming" | "draining";

const NOBODY: RequestSink = {
  onConnected: () => undefined,
  onSent: () => undefined,
  onHeaders: () => undefined,
  onEvent: () => undefined,
  onStaleRetry: () => undefined,
  onEnd: () => undefined,
};

/**
 * One request on its way, whatever reads the socket: takes the stamps, reads the stream, keeps the deadlines, judges the
 * end. Both readers tell it the same things in the same order, so that only they can differ. One object serves a
 * connection for its whole life.
 */
export class Exchange implements SseListener {
  readonly #carrier: Carrier;
  readonly #clock: Pick<Clock, "nowUs">;
  readonly #reads: Reads;
  readonly #patience: Patience;
  readonly #deadline: Deadline;
  readonly #stream = new OpenAiStream();
  readonly #parser = new SseParser(this);

  #phase: Phase = "idle";
  #serial = 0;
  #request: PreparedRequest | null = null;
  #sink: RequestSink = NOBODY;
  #isReusedSocket = false;
  #isRetry = false;
  #isSent = false;
  #hasResponse = false;
  #tokenRead = -1;
  #drainUntilUs = 0;
  #drainedBytes = 0;
  #decided: EndOutcome | null = null;
  #status: number | null = null;
  #contentType = "";
  #excerpt = "";
  #cause: string | null = null;
  /** Content so far, of a request that asked to keep it. */
  #text = "";

  constructor(options: ExchangeOptions) {
    this.#carrier = options.carrier;
    this.#clock = options.clock;
    this.#reads = options.reads;
    this.#patience = new Patience(options.timeouts);
    this.#deadline = new Deadline({
      clock: options.clock,
      dueUs: () => {
        this.#reads.settle();
        return this.#dueUs();
      },
      onOverdue: () => this.#overdue(),
    });
  }

  get answer(): Answer {
    return {
      status: this.#status,
      contentType: this.#contentType,
      excerpt: this.#excerpt,
      errorText: this.#stream.errorText,
      cause: this.#cause,
      finishReason: this.#stream.finishReason,
      text: this.#stream.text,
    };
  }

  /** Sends; returns the request's number, which `cancel` takes. */
  begin(request: PreparedRequest, sink: RequestSink): number {
    assert(this.#phase === "idle", `slot is busy with request ${this.#request?.id}`);
    this.#phase = "queued";
    this.#request = request;
    this.#sink = sink;
    this.#isReusedSocket = false;
    this.#isRetry = false;
    this.#isSent = false;
    this.#hasResponse = false;
    this.#tokenRead = -1;
    this.#drainedBytes = 0;
    this.#decided = null;
    this.#status = null;
    this.#contentType = "";
    this.#excerpt = "";
    this.#cause = null;
    this.#text = "";
    this.#parser.reset();
    this.#stream.reset();
    this.#serial++;
    this.#carrier.dispatch(request);
    return this.#serial;
  }

  /** Ends request `serial`, unless it has ended. One whose failure is known already stays failed. */
  cancel(serial: number): void {
    this.#reads.settle();
    if (serial !== this.#serial || this.#phase === "idle") return;
    this.#abandon(this.#clock.nowUs(), this.#decided ?? { kind: "cancelled" });
  }

  close(): void {
    this.cancel(this.#serial);
    this.#deadline.close();
  }

  /** Number of the request in hand, or of the last. */
  get serial(): number {
    return this.#serial;
  }

  /** A socket was opened for the request. */
  connected(tUs: number, connectUs: number): void {
    if (this.#phase === "queued") this.#sink.onConnected(tUs, connectUs);
  }

  /** The request is about to be written. `isReusedSocket`: the socket has carried another before. */
  started(isReusedSocket: boolean): void {
    assert(this.#phase === "queued", `a request was started that is ${this.#phase}`);
    this.#isReusedSocket = isReusedSocket;
  }

  /** Head and body were handed to the socket. `isFlushed`: the kernel took all of it; else `flushed` follows. */
  written(isFlushed: boolean): void {
    if (this.#phase !== "queued") return;
    this.#phase = "waiting";
    const tUs = this.#clock.nowUs();
    // The time that a retry takes counts as the request's own.
    if (!this.#isSent) this.#patience.written(tUs);
    this.#deadline.ensure(this.#dueUs());
    if (isFlushed) this.#markSent(tUs);
  }

  /** The kernel has taken the last byte of request `serial`. */
  flushed(serial: number): void {
    this.#reads.settle();
    if (serial === this.#serial && this.#phase !== "idle") this.#markSent(this.#clock.nowUs());
  }

  /** The first byte of an answer was read. */
  answering(): void {
    this.#hasResponse = true;
  }

  /** Status and headers of the final answer. */
  head(status: number, contentType: string): void {
    if (this.#phase === "idle") return;
    const tUs = this.#reads.stampUs();
    this.#markSent(tUs);
    this.#status = status;
    this.#contentType = contentType;
    this.#sink.onHeaders(tUs);
    const reason = judgeHead(status, contentType);
    if (this.#phase !== "waiting") return;
    if (reason === null) this.#phase = "streaming";
    else this.#decide(tUs, reason);
  }

  /** The next piece of the body; the bytes may be used again by others when this has returned. */
  body(chunk: Buffer): void {
    const tUs = this.#reads.stampUs();
    if (this.#phase === "streaming") {
      if (this.#parser.push(chunk) === "too-long") this.#abandon(tUs, failed("bad-frame"));
    } else if (this.#phase === "draining") {
      this.#drain(tUs, chunk);
    }
  }

  onFrame(bytes: Buffer, from: number, to: number): boolean {
    const tUs = this.#reads.stampUs();
    const stream = this.#stream;
    switch (stream.readBytes(bytes, from, to)) {
      case "event":
        this.#event(tUs, stream);
        return this.#phase === "streaming";
      case "done":
        return true;
      case "error-event":
        this.#decide(tUs, "error-event");
        return false;
      case "bad-frame":
        this.#excerpt = bytes.toString("utf8", from, to).slice(0, EXCERPT_BYTES);
        this.#abandon(tUs, failed("bad-frame"));
        return false;
    }
  }

  /** The answer has ended as its framing says. */
  complete(): void {
    if (this.#phase === "idle") return;
    this.#end(this.#reads.stampUs(), this.#decided ?? this.#judge());
  }

  /** No connection, no more of it, or no HTTP (`isNotHttp`): nothing more will come of this dispatch. */
  broken(error: Error, isNotHttp: boolean): void {
    if (this.#phase === "idle") return;
    if (this.#isStaleSocket(error, isNotHttp)) {
      this.#retry();
      return;
    }
    this.#cause = error.message;
    this.#end(this.#reads.stampUs(), this.#decided ?? this.#judgeBreak(error, isNotHttp));
  }

  #event(tUs: number, stream: OpenAiStream): void {
    const { read } = this.#reads;
    if (this.#patience.event(tUs, stream.tokens)) this.#deadline.ensure(this.#dueUs());
    const isSameRead = this.#tokenRead === read;
    if (stream.tokens > 0) this.#tokenRead = read;
    if (stream.content && this.#request?.keepsText === true) this.#text += stream.text;
    this.#sink.onEvent(tUs, stream.tokens, stream.content, isSameRead);
  }

  #markSent(tUs: number): void {
    if (this.#isSent) return;
    this.#isSent = true;
    this.#sink.onSent(tUs);
  }

  #judge(): EndOutcome {
    return judgeStream(this.#stream, {
      exactOutputTokens: this.#request?.exactOutputTokens ?? null,
      endedInsideEvent: this.#parser.hasPartial,
    });
  }

  /** A connection that broke after the last word of the stream took nothing with it. */
  #judgeBreak(error: Error, isNotHttp: boolean): EndOutcome {
    if (error instanceof ConnectError) return failed(error.reason);
    if (this.#status === null && isNotHttp) return failed("not-a-stream");
    const hasAll = this.#stream.finishReason !== null && this.#stream.isDone;
    return hasAll ? this.#judge() : failed("stream-broken");
  }

  /** Also a socket that was reset while the request waited behind it: then nobody began to write. */
  #isStaleSocket(error: Error, isNotHttp: boolean): boolean {
    if (this.#isRetry || this.#hasResponse || error instanceof ConnectError || isNotHttp) return false;
    return this.#isReusedSocket || this.#phase === "queued";
  }

  #retry(): void {
    this.#isRetry = true;
    this.#phase = "queued";
    this.#sink.onStaleRetry();
    const serial = this.#serial;
    // The reader is still taking leave of the dead socket.
    queueMicrotask(() => {
      if (serial !== this.#serial || this.#phase !== "queued" || this.#request === null) return;
      this.#carrier.dispatch(this.#request);
    });
  }

  /** The outcome is known; what is left of the answer is read, within bounds, so that the socket stays clean. */
  #decide(tUs: number, reason: FailureReason): void {
    this.#decided = failed(reason);
    this.#phase = "draining";
    this.#drainUntilUs = tUs + DRAIN_US;
    this.#deadline.ensure(this.#drainUntilUs);
  }

  #drain(tUs: number, chunk: Buffer): void {
    this.#drainedBytes += chunk.length;
    if (this.#excerpt.length < EXCERPT_BYTES) {
      this.#excerpt += chunk.toString("utf8", 0, EXCERPT_BYTES - this.#excerpt.length);
    }
    if (this.#drainedBytes > DRAIN_BYTES && this.#decided !== null) this.#abandon(tUs, this.#decided);
  }

  #dueUs(): number {
    switch (this.#phase) {
      case "idle":
      case "queued":
        return Number.POSITIVE_INFINITY;
      case "draining":
        return this.#drainUntilUs;
      default:
        return this.#patience.dueUs();
    }
  }

  #overdue(): void {
    this.#abandon(this.#clock.nowUs(), this.#decided ?? failed(this.#patience.reason()));
  }

  /** Ends the request and its socket: closing it is what makes the server stop. */
  #abandon(tUs: number, outcome: EndOutcome): void {
    this.#end(tUs, outcome, true);
  }

  #end(tUs: number, outcome: EndOutcome, discardsSocket = false): void {
    const sink = this.#sink;
    const text = this.#request?.keepsText === true ? { text: this.#text } : {};
    this.#phase = "idle";
    this.#sink = NOBODY;
    this.#request = null;
    if (discardsSocket) this.#carrier.discard();
    this.#carrier.released(tUs);
    const { usage, tokenSource, finishReason } = this.#stream;
    const end = { outcome, usage, tokenSource, finish: finishOf(finishReason), ...text };
    try {
      sink.onEnd(tUs, end);
    } catch (bug) {
      throwLater(bug);
    }
  }
}
