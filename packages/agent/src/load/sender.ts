import { assert, type Clock, type Recorder, type RequestEnd, type RequestSample } from "@tokenstorm/core";
import type { RequestSink, Target } from "../target/target.js";
import { RefusingUrls } from "./refusing-urls.js";
import type { BuiltRequest } from "./request-factory.js";

export interface SenderOptions {
  readonly clock: Pick<Clock, "nowUs">;
  readonly target: Target;
  readonly recorder: Recorder;
  readonly slots: number;
  /** Time zero of the run on the agent's clock, us. */
  readonly startUs: number;
  readonly onEnd: (ended: EndedRequest) => void;
}

/** A request has ended: its slot, which is free, its stage, and the run time. */
export interface EndedRequest {
  readonly slot: number;
  readonly stage: number;
  readonly tUs: number;
  /** It failed before the target answered with anything: nobody is there, it seems. */
  readonly isUnanswered: boolean;
  /** What was generated, of a completed request that kept it. */
  readonly text: string | null;
}

/** Hands requests to the target and what is heard of them to the recorder, in run time. One object per slot, reused. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #sinks: SlotSink[] = [];
  readonly #urls = new RefusingUrls();
  #inFlight = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.addSlots(options.slots);
  }

  /** Further slots, numbered on from those that there are; gives the first one's number. */
  addSlots(count: number): number {
    const first = this.#sinks.length;
    for (let slot = first; slot < first + count; slot += 1)
      this.#sinks.push(
        new SlotSink({
          ...this.#options,
          urls: this.#urls,
          onEnd: (ended) => {
            this.#inFlight -= 1;
            this.#options.onEnd({ slot, ...ended });
          },
        }),
      );
    return first;
  }

  get slots(): number {
    return this.#sinks.length;
  }

  /** Requests that were handed to the target and have not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Run time now, us. */
  nowUs(): number {
    return this.#options.clock.nowUs() - this.#options.startUs;
  }

  send(slot: number, sample: RequestSample, built: BuiltRequest): void {
    const sink = this.#sink(slot);
    assert(!sink.isBusy, `slot ${slot} is busy with another request`);
    this.#inFlight += 1;
    sink.take(sample, built.request.url);
    this.#options.recorder.begin(sample, this.nowUs());
    sink.carry(sample, this.#options.target.send(slot, built.request, sink));
  }

  /** False where this URL has refused connections so often that no other one is tried now: see `RefusingUrls`. */
  mayTry(url: number, nowUs: number): boolean {
    return this.#urls.mayTry(url, nowUs);
  }

  /** It has failed as those before it did, without a connection of its own. */
  failUntried(sample: RequestSample, nowUs: number): void {
    const { recorder } = this.#options;
    recorder.begin(sample, nowUs);
    recorder.end(sample, nowUs, REFUSED);
  }

  /** Asks the target to end everything, or all of one stage; each still hears its end. */
  cancel(stage?: number): void {
    for (const sink of this.#sinks) {
      if (stage === undefined || sink.stage === stage) sink.cancel();
    }
  }

  /** The target did not end these although it was asked to: they are ended in the books, as cancelled. */
  abandon(): number {
    const left = this.#sinks.filter((sink) => sink.isBusy);
    for (const sink of left) sink.abandon(this.#options.clock.nowUs());
    return left.length;
  }

  #sink(slot: number): SlotSink {
    const sink = this.#sinks[slot];
    assert(sink !== undefined, `there is no slot ${slot} of ${this.#sinks.length}`);
    return sink;
  }
}

const CANCELLED: RequestEnd = {
  outcome: { kind: "cancelled" },
  usage: null,
  tokenSource: "none",
  finish: null,
};

const REFUSED: RequestEnd = { ...CANCELLED, outcome: { kind: "failed", reason: "connect-refused" } };

interface SlotSinkOptions extends Pick<SenderOptions, "recorder" | "startUs"> {
  readonly urls: RefusingUrls;
  readonly onEnd: (ended: Omit<EndedRequest, "slot">) => void;
}

class SlotSink implements RequestSink {
  readonly #recorder: Recorder;
  readonly #startUs: number;
  readonly #urls: RefusingUrls;
  readonly #onEnd: SlotSinkOptions["onEnd"];
  #sample: RequestSample | null = null;
  #url = 0;
  #isAnswered = false;
  #handle: { cancel(): void } | null = null;

  constructor({ recorder, startUs, urls, onEnd }: SlotSinkOptions) {
    this.#recorder = recorder;
    this.#startUs = startUs;
    this.#urls = urls;
    this.#onEnd = onEnd;
  }

  get isBusy(): boolean {
    return this.#sample !== null;
  }

  get stage(): number | null {
    return this.#sample?.stage ?? null;
  }

  take(sample: RequestSample, url: number): void {
    this.#sample = sample;
    this.#url = url;
    this.#isAnswered = false;
  }

  /** Nothing to keep when the request has ended within `send`. */
  carry(sample: RequestSample, handle: { cancel(): void }): void {
    if (this.#sample === sample) this.#handle = handle;
  }

  cancel(): void {
    this.#handle?.cancel();
  }

  abandon(tUs: number): void {
    this.onEnd(tUs, CANCELLED);
  }

  onConnected(_tUs: number, connectUs: number): void {
    this.#urls.notRefused(this.#url);
    if (this.#sample !== null) this.#recorder.connected(this.#sample, connectUs);
  }

  onSent(tUs: number): void {
    if (this.#sample !== null) this.#recorder.sent(this.#sample, tUs - this.#startUs);
  }

  onHeaders(tUs: number): void {
    this.#isAnswered = true;
    this.#urls.notRefused(this.#url);
    if (this.#sample !== null) this.#recorder.headers(this.#sample, tUs - this.#startUs);
  }

  onEvent(tUs: number, tokens: number, content: boolean, sameRead: boolean): void {
    if (this.#sample !== null)
      this.#recorder.event(this.#sample, tUs - this.#startUs, tokens, content, sameRead);
  }

  onStaleRetry(): void {
    if (this.#sample !== null) this.#recorder.staleRetry(this.#sample);
  }

  onEnd(tUs: number, end: RequestEnd): void {
    const sample = this.#sample;
    if (sample === null) return;
    this.#sample = null;
    this.#handle = null;
    this.#recorder.end(sample, tUs - this.#startUs, end);
    const { outcome } = end;
    const isUnanswered = outcome.kind === "failed" && !this.#isAnswered;
    if (outcome.kind === "failed" && outcome.reason === "connect-refused") this.#urls.refused(this.#url);
    else if (outcome.kind !== "cancelled") this.#urls.notRefused(this.#url);
    const text = outcome.kind === "completed" ? (end.text ?? null) : null;
    this.#onEnd({ stage: sample.stage, tUs: tUs - this.#startUs, isUnanswered, text });
  }
}
