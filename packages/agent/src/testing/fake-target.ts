import assert from "node:assert/strict";
import type { Capacity, Clock, RequestEnd, RequestKey } from "@tokenstorm/core";
import type { Preflight, PreparedRequest, RequestSink, Target, TargetOptions } from "../target/target.js";

export interface FakeTargetOptions {
  readonly clock: Clock;
  readonly ttftUs?: number;
  readonly itlUs?: number;
  /** Instead of both: how long a request takes. */
  readonly latencyUs?: (request: PreparedRequest) => number;
  readonly outcome?: (request: PreparedRequest) => RequestEnd["outcome"];
  readonly preflight?: () => Promise<Preflight>;
  /** A request that was cancelled never says that it has ended. */
  readonly isDeafToCancel?: boolean;
  /** What is read is told of so much later, all that came by then together, with the stamps of the reads. */
  readonly keepsUs?: number;
}

export interface FakeSend {
  readonly slot: number;
  readonly id: string;
  readonly key: RequestKey;
  readonly url: number;
  /** On the agent's clock. */
  readonly tUs: number;
  readonly body: string;
}

/** A server that answers by the clock alone, and a record of what it was asked. */
export interface FakeTarget extends Target {
  readonly sends: readonly FakeSend[];
  readonly cancelled: readonly string[];
  readonly isClosed: boolean;
  readonly slots: number;
  readonly plannedEventsPerS: number | undefined;
  readonly capacity: Capacity | undefined;
  /** When each token was read, on the agent's clock. */
  readonly tokensUs: readonly number[];
}

export const FOUND: Preflight = {
  model: "test-model",
  wordsPerToken: 1,
  templateTokens: 0,
  serverVersion: "0",
  reader: "fake",
};

export function createFakeTarget(
  options: FakeTargetOptions,
  { slots, plannedEventsPerS, capacity }: TargetOptions,
): FakeTarget {
  const { clock, ttftUs = 20_000, itlUs = 5000 } = options;
  const sends: FakeSend[] = [];
  const cancelled: string[] = [];
  const busy = new Map<number, string>();
  let isClosed = false;
  const tokensUs: number[] = [];
  const reads = new KeptReads(clock, options.keepsUs ?? 0);

  const send = (slot: number, request: PreparedRequest, sink: RequestSink): { cancel(): void } => {
    assert.ok(!isClosed, "send after close");
    assert.ok(slot >= 0 && slot < slots, `no slot ${slot} of ${slots}`);
    assert.ok(!busy.has(slot), `slot ${slot} still carries ${busy.get(slot)}`);
    busy.set(slot, request.id);
    const sentUs = clock.nowUs();
    sends.push({
      slot,
      id: request.id,
      key: request.key,
      url: request.url,
      tUs: sentUs,
      body: new TextDecoder().decode(request.body),
    });
    sink.onSent(sentUs);
    const outcome = options.outcome?.(request) ?? { kind: "completed" };
    const tokens = outcome.kind === "completed" ? (request.exactOutputTokens ?? 4) : 0;
    let next = clock.at(sentUs + ttftUs, () => step(0));
    let isOver = false;
    const end = (how: RequestEnd["outcome"]) => reads.tell((tUs) => ended(tUs, how));
    const ended = (tUs: number, how: RequestEnd["outcome"]) => {
      if (isOver) return;
      isOver = true;
      next();
      busy.delete(slot);
      const usage = how.kind === "completed" ? { prompt: 16, cachedPrompt: 0, output: tokens } : null;
      const tokenSource = usage === null ? "none" : "usage";
      const text = request.keepsText === true ? { text: `answer to "${request.id}"` } : {};
      sink.onEnd(tUs, { outcome: how, usage, tokenSource, finish: null, ...text });
    };
    const step = (seen: number) => {
      if (seen >= tokens) {
        end(outcome);
        return;
      }
      if (seen === 0) reads.tell((tUs) => sink.onHeaders(tUs));
      tokensUs.push(clock.nowUs());
      reads.tell((tUs) => sink.onEvent(tUs, 1, true, false));
      next = clock.at(clock.nowUs() + itlUs, () => step(seen + 1));
    };
    if (options.latencyUs !== undefined) {
      next();
      next = clock.at(sentUs + options.latencyUs(request), () => {
        reads.tell((tUs) => sink.onHeaders(tUs));
        if (tokens > 0) reads.tell((tUs) => sink.onEvent(tUs, tokens, true, false));
        end(outcome);
      });
    }
    return {
      cancel: () => {
        reads.settle();
        if (isOver) return;
        cancelled.push(request.id);
        if (options.isDeafToCancel === true) next();
        else ended(clock.nowUs(), { kind: "cancelled" });
      },
    };
  };

  return {
    sends,
    cancelled,
    slots,
    plannedEventsPerS,
    capacity,
    get isClosed() {
      return isClosed;
    },
    get mostToOnePlace() {
      return busy.size;
    },
    get openSockets() {
      return busy.size;
    },
    preflight: options.preflight ?? (async () => FOUND),
    send,
    tokensUs,
    afterReads: (run) => reads.after(run),
    close: async () => {
      isClosed = true;
    },
  };
}

/** What was read and is not told of yet; with `keepsUs` 0 all is told at once. */
class KeptReads {
  readonly #clock: Clock;
  readonly #keepsUs: number;
  #kept: { readonly tUs: number; readonly tell: (tUs: number) => void }[] = [];
  #waiting: (() => void)[] = [];
  #isTelling = false;

  constructor(clock: Clock, keepsUs: number) {
    this.#clock = clock;
    this.#keepsUs = keepsUs;
  }

  tell(tell: (tUs: number) => void): void {
    const tUs = this.#clock.nowUs();
    if (this.#keepsUs === 0) {
      tell(tUs);
      return;
    }
    this.#kept.push({ tUs, tell });
    if (this.#kept.length === 1) this.#clock.at(tUs + this.#keepsUs, () => this.settle());
  }

  settle(): void {
    if (this.#isTelling || this.#kept.length === 0) return;
    this.#isTelling = true;
    for (const { tUs, tell } of this.#kept) tell(tUs);
    this.#kept = [];
    this.#isTelling = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  after(run: () => void): void {
    this.settle();
    if (this.#isTelling) this.#waiting.push(run);
    else run();
  }
}
