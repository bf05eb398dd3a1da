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
    const end = (how: RequestEnd["outcome"]) => {
      isOver = true;
      next();
      busy.delete(slot);
      const usage = how.kind === "completed" ? { prompt: 16, cachedPrompt: 0, output: tokens } : null;
      const tokenSource = usage === null ? "none" : "usage";
      const text = request.keepsText === true ? { text: `answer to "${request.id}"` } : {};
      sink.onEnd(clock.nowUs(), { outcome: how, usage, tokenSource, finish: null, ...text });
    };
    const step = (seen: number) => {
      if (seen >= tokens) {
        end(outcome);
        return;
      }
      if (seen === 0) sink.onHeaders(clock.nowUs());
      sink.onEvent(clock.nowUs(), 1, true, false);
      next = clock.at(clock.nowUs() + itlUs, () => step(seen + 1));
    };
    if (options.latencyUs !== undefined) {
      next();
      next = clock.at(sentUs + options.latencyUs(request), () => {
        sink.onHeaders(clock.nowUs());
        if (tokens > 0) sink.onEvent(clock.nowUs(), tokens, true, false);
        end(outcome);
      });
    }
    return {
      cancel: () => {
        if (isOver) return;
        cancelled.push(request.id);
        if (options.isDeafToCancel === true) next();
        else end({ kind: "cancelled" });
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
    close: async () => {
      isClosed = true;
    },
  };
}
