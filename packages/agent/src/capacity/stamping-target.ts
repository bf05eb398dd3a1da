import { assert, type RequestEnd } from "@tokenstorm/core";
import type { PreparedRequest, RequestSink, Target } from "../target/target.js";
import type { StampLog } from "./stamp-log.js";

/**
 * A target that also keeps the read stamp of every token event, numbered through all answers of its user: each answer
 * has `tokensPerAnswer`. One object per slot, as on the path of a run.
 */
export function stampingTarget(target: Target, log: StampLog, tokensPerAnswer: number): Target {
  const sinks: StampingSink[] = [];
  return {
    preflight: () => target.preflight(),
    get openSockets() {
      return target.openSockets;
    },
    get mostToOnePlace() {
      return target.mostToOnePlace;
    },
    send: (slot, request, sink) => {
      sinks[slot] ??= new StampingSink(log);
      return target.send(slot, request, sinks[slot].take(request, sink, tokensPerAnswer));
    },
    afterReads: (run) => target.afterReads(run),
    close: () => target.close(),
  };
}

class StampingSink implements RequestSink {
  readonly #log: StampLog;
  #sink: RequestSink | null = null;
  #user = 0;
  #ordinal = 0;

  constructor(log: StampLog) {
    this.#log = log;
  }

  take({ key }: PreparedRequest, sink: RequestSink, tokensPerAnswer: number): this {
    assert(key.kind === "closed", "only users are stamped");
    this.#sink = sink;
    this.#user = key.user;
    this.#ordinal = key.j * tokensPerAnswer;
    return this;
  }

  onConnected(tUs: number, connectUs: number): void {
    this.#sink?.onConnected(tUs, connectUs);
  }

  onSent(tUs: number): void {
    this.#sink?.onSent(tUs);
  }

  onHeaders(tUs: number): void {
    this.#sink?.onHeaders(tUs);
  }

  onEvent(tUs: number, tokens: number, content: boolean, sameRead: boolean): void {
    if (tokens > 0) {
      this.#log.add(this.#user, this.#ordinal, tUs);
      this.#ordinal += tokens;
    }
    this.#sink?.onEvent(tUs, tokens, content, sameRead);
  }

  onStaleRetry(): void {
    this.#sink?.onStaleRetry();
  }

  onEnd(tUs: number, end: RequestEnd): void {
    this.#sink?.onEnd(tUs, end);
  }
}
