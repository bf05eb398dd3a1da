import type { RequestEnd } from "@tokenstorm/core";
import type { PreparedRequest, RequestSink, Target, TargetFactory } from "./target.js";

export interface KeptStampsOptions {
  /** Events of one run beyond which nothing more is kept, but counted. */
  readonly mostEvents: number;
  /** Called once for each target, when it is closed and no request is under way; must handle its own failures. */
  readonly write: (lines: Iterable<string>) => Promise<void>;
}

/**
 * For debugging, and off unless asked for: a target whose requests' stamps are kept in memory and written as JSON lines
 * when the run is over. Each line has the request's id, its stamps on the monotonic clock, us, and of the events with
 * tokens the first one's stamp and then the differences; `tokens` is left out where each event carried one.
 */
export function keepStamps(targets: TargetFactory, options: KeptStampsOptions): TargetFactory {
  return (wanted) => new StampKeeper(targets(wanted), options);
}

interface Kept {
  readonly id: string;
  sentUs: number | null;
  headersUs: number | null;
  endUs: number;
  outcome: RequestEnd["outcome"]["kind"];
  readonly eventsUs: number[];
  readonly tokens: number[];
}

class StampKeeper implements Target {
  readonly #target: Target;
  readonly #options: KeptStampsOptions;
  readonly #requests: Kept[] = [];
  #events = 0;
  #missed = 0;
  #closed: Promise<void> | null = null;

  constructor(target: Target, options: KeptStampsOptions) {
    this.#target = target;
    this.#options = options;
  }

  get openSockets(): number {
    return this.#target.openSockets;
  }

  get mostToOnePlace(): number {
    return this.#target.mostToOnePlace;
  }

  preflight(): ReturnType<Target["preflight"]> {
    return this.#target.preflight();
  }

  send(slot: number, request: PreparedRequest, sink: RequestSink): { cancel(): void } {
    return this.#target.send(slot, request, this.#watch(request, sink));
  }

  afterReads(run: () => void): void {
    this.#target.afterReads(run);
  }

  close(): Promise<void> {
    this.#closed ??= this.#target.close().then(() => this.#options.write(this.#lines()));
    return this.#closed;
  }

  #watch({ id }: PreparedRequest, sink: RequestSink): RequestSink {
    const kept: Kept = {
      id,
      sentUs: null,
      headersUs: null,
      endUs: 0,
      outcome: "cancelled",
      eventsUs: [],
      tokens: [],
    };
    return {
      onConnected: (tUs, connectUs) => sink.onConnected(tUs, connectUs),
      onSent: (tUs) => {
        kept.sentUs = tUs;
        sink.onSent(tUs);
      },
      onHeaders: (tUs) => {
        kept.headersUs = tUs;
        sink.onHeaders(tUs);
      },
      onEvent: (tUs, tokens, content, sameRead) => {
        if (tokens > 0) this.#keepEvent(kept, tUs, tokens);
        sink.onEvent(tUs, tokens, content, sameRead);
      },
      onStaleRetry: () => sink.onStaleRetry(),
      onEnd: (tUs, end) => {
        kept.endUs = tUs;
        kept.outcome = end.outcome.kind;
        if (this.#requests.length < this.#options.mostEvents) this.#requests.push(kept);
        else this.#missed += kept.eventsUs.length;
        sink.onEnd(tUs, end);
      },
    };
  }

  #keepEvent(kept: Kept, tUs: number, tokens: number): void {
    if (this.#events >= this.#options.mostEvents) {
      this.#missed += 1;
      return;
    }
    this.#events += 1;
    kept.eventsUs.push(tUs);
    kept.tokens.push(tokens);
  }

  *#lines(): Iterable<string> {
    yield JSON.stringify({ kind: "stamps", version: 1 });
    for (const { eventsUs, tokens, ...request } of this.#requests) {
      const steps = eventsUs.map((tUs, i) => tUs - (eventsUs[i - 1] ?? 0));
      const isPlain = tokens.every((count) => count === 1);
      yield JSON.stringify({ kind: "request", ...request, eventsUs: steps, ...(isPlain ? {} : { tokens }) });
    }
    yield JSON.stringify({
      kind: "end",
      requests: this.#requests.length,
      events: this.#events,
      missed: this.#missed,
    });
  }
}
