import type { PreparedRequest, RequestSink, Target, TargetFactory } from "@tokenstorm/agent";
import type { Clock, FailureReason, RequestEnd, RequestKey } from "@tokenstorm/core";

/** What really became of one request: the truth that a report is held against. */
export interface TrueRequest {
  readonly agent: string;
  /** The process of that name which sent it. */
  readonly instance: string;
  readonly id: string;
  readonly key: RequestKey;
  /** On the agent's clock, us. */
  readonly sentUs: number;
  endUs: number | null;
  outcome: RequestEnd["outcome"]["kind"] | null;
}

/** What a server does with a request, by its key alone: whoever sends it. */
export interface PlannedAnswer {
  readonly latencyUs: number;
  /** When it fails, and how; null where it completes. One that stalls has said something before. */
  readonly failure: Extract<FailureReason, "http-5xx" | "stall-timeout"> | null;
}

export interface SimulatedTargetOptions {
  readonly agent: string;
  readonly instance: string;
  /** The agent's. */
  readonly clock: Clock;
  readonly truth: TrueRequest[];
  readonly answerTo: (key: RequestKey) => PlannedAnswer;
  readonly onSent?: (id: string) => void;
}

/** A server that answers by the clock, and remembers. */
export function simulatedTargets(options: SimulatedTargetOptions): TargetFactory {
  return ({ slots }) => new SimulatedTarget(options, slots);
}

class SimulatedTarget implements Target {
  readonly #options: SimulatedTargetOptions;
  readonly #slots: number;
  readonly #busy = new Set<number>();

  constructor(options: SimulatedTargetOptions, slots: number) {
    this.#options = options;
    this.#slots = slots;
  }

  get openSockets(): number {
    return this.#busy.size;
  }

  get mostToOnePlace(): number {
    return this.#busy.size;
  }

  async preflight(): ReturnType<Target["preflight"]> {
    return { model: "sim", wordsPerToken: 1, templateTokens: 0, serverVersion: "0", reader: "simulated" };
  }

  afterReads(run: () => void): void {
    run();
  }

  async close(): Promise<void> {
    return undefined;
  }

  send(slot: number, request: PreparedRequest, sink: RequestSink): { cancel(): void } {
    const { agent, instance, clock, truth, answerTo, onSent } = this.#options;
    if (slot < 0 || slot >= this.#slots || this.#busy.has(slot)) throw new Error(`slot ${slot} is not free`);
    this.#busy.add(slot);
    const sentUs = clock.nowUs();
    const told: TrueRequest = {
      agent,
      instance,
      id: request.id,
      key: request.key,
      sentUs,
      endUs: null,
      outcome: null,
    };
    truth.push(told);
    onSent?.(request.id);
    sink.onSent(sentUs);
    const tokens = request.exactOutputTokens ?? 2;
    const end = (outcome: RequestEnd["outcome"]) => {
      cancelCall();
      this.#busy.delete(slot);
      told.endUs = clock.nowUs();
      told.outcome = outcome.kind;
      const isWhole = outcome.kind === "completed";
      sink.onEnd(told.endUs, {
        outcome,
        usage: isWhole ? { prompt: 8, cachedPrompt: 0, output: tokens } : null,
        tokenSource: isWhole ? "usage" : "none",
        finish: isWhole ? "length" : null,
      });
    };
    const { latencyUs, failure } = answerTo(request.key);
    let cancelCall = clock.at(sentUs + Math.floor(latencyUs / 2), () => {
      sink.onHeaders(clock.nowUs());
      if (failure === "http-5xx") {
        end(failedBy(failure));
        return;
      }
      sink.onEvent(clock.nowUs(), failure === null ? tokens : 1, true, false);
      const outcome = failure === null ? ({ kind: "completed" } as const) : failedBy(failure);
      cancelCall = clock.at(sentUs + latencyUs, () => end(outcome));
    });
    return {
      cancel: () => {
        if (told.endUs === null) end({ kind: "cancelled" });
      },
    };
  }
}

function failedBy(reason: FailureReason): RequestEnd["outcome"] {
  return { kind: "failed", reason };
}
