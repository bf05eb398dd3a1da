import type { PreparedRequest, RequestSink, Target, TargetFactory } from "@tokenstorm/agent";
import type { Clock, RequestEnd, RequestKey } from "@tokenstorm/core";

/** What really became of one request: the truth that a report is held against. */
export interface TrueRequest {
  readonly agent: string;
  readonly id: string;
  readonly key: RequestKey;
  /** On the agent's clock, us. */
  readonly sentUs: number;
  endUs: number | null;
  outcome: RequestEnd["outcome"]["kind"] | null;
}

export interface SimulatedTargetOptions {
  readonly agent: string;
  /** The agent's. */
  readonly clock: Clock;
  readonly truth: TrueRequest[];
  /** How long a request takes, by its key alone: whoever sends it. */
  readonly latencyUs: (key: RequestKey) => number;
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
    const { agent, clock, truth, latencyUs, onSent } = this.#options;
    if (slot < 0 || slot >= this.#slots || this.#busy.has(slot)) throw new Error(`slot ${slot} is not free`);
    this.#busy.add(slot);
    const sentUs = clock.nowUs();
    const told: TrueRequest = {
      agent,
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
    const totalUs = latencyUs(request.key);
    let cancelCall = clock.at(sentUs + Math.floor(totalUs / 2), () => {
      sink.onHeaders(clock.nowUs());
      sink.onEvent(clock.nowUs(), tokens, true, false);
      cancelCall = clock.at(sentUs + totalUs, () => end({ kind: "completed" }));
    });
    return {
      cancel: () => {
        if (told.endUs === null) end({ kind: "cancelled" });
      },
    };
  }
}
