import type { RequestEnd } from "@tokenstorm/core";
import type { PreparedRequest, RequestSink, Target } from "../target/target.js";

export interface SeenEvent {
  readonly tUs: number;
  readonly tokens: number;
  readonly content: boolean;
  readonly sameRead: boolean;
}

export interface SeenEnd extends RequestEnd {
  readonly tUs: number;
}

/** Keeps all that one request's sink is told, and wakes whoever waits for it. */
export class RecordingSink implements RequestSink {
  /** Names of the calls, in order. */
  readonly calls: string[] = [];
  /** Every stamp, in the order of the calls. */
  readonly stampsUs: number[] = [];
  readonly events: SeenEvent[] = [];
  readonly ends: SeenEnd[] = [];
  readonly connectsUs: number[] = [];
  staleRetries = 0;
  readonly #watchers = new Set<() => void>();
  readonly #firstUs = new Map<string, number>();

  onConnected(tUs: number, connectUs: number): void {
    this.connectsUs.push(connectUs);
    this.#note("connected", tUs);
  }

  onSent(tUs: number): void {
    this.#note("sent", tUs);
  }

  onHeaders(tUs: number): void {
    this.#note("headers", tUs);
  }

  onEvent(tUs: number, tokens: number, content: boolean, sameRead: boolean): void {
    this.events.push({ tUs, tokens, content, sameRead });
    this.#note("event", tUs);
  }

  onStaleRetry(): void {
    this.staleRetries++;
    this.#note("stale-retry");
  }

  onEnd(tUs: number, end: RequestEnd): void {
    this.ends.push({ tUs, ...end });
    this.#note("end", tUs);
  }

  get tokens(): number {
    return this.events.reduce((sum, event) => sum + event.tokens, 0);
  }

  /** Of the first such call; undefined without one. */
  stampOf(name: string): number | undefined {
    return this.#firstUs.get(name);
  }

  /** Resolves when the call was made `count` times; at once if it was. */
  async called(name: string, count = 1): Promise<void> {
    const isThere = () => this.calls.filter((call) => call === name).length >= count;
    while (!isThere()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  async ended(): Promise<SeenEnd> {
    await this.called("end");
    const end = this.ends[0];
    if (end === undefined) throw new Error("no end");
    return end;
  }

  #note(name: string, tUs?: number): void {
    this.calls.push(name);
    if (tUs !== undefined) {
      this.stampsUs.push(tUs);
      if (!this.#firstUs.has(name)) this.#firstUs.set(name, tUs);
    }
    for (const wake of this.#watchers) wake();
    this.#watchers.clear();
  }
}

/** One word for an outcome: its kind, or the reason of a failure. */
export function outcomeWord(end: RequestEnd): string {
  return end.outcome.kind === "failed" ? end.outcome.reason : end.outcome.kind;
}

/** Sends a request with a body of no meaning, on slot 0 unless it says otherwise. */
export function send(
  target: Target,
  change: {
    readonly slot?: number;
    readonly id?: string;
    readonly exact?: number | null;
    readonly body?: Uint8Array;
    readonly sink?: RecordingSink;
  } = {},
): { readonly sink: RecordingSink; cancel(): void } {
  const sink = change.sink ?? new RecordingSink();
  const request: PreparedRequest = {
    key: { kind: "closed", stage: 0, user: 0, j: 0 },
    id: change.id ?? "request",
    url: 0,
    body: change.body ?? Buffer.from('{"model":"m"}'),
    exactOutputTokens: change.exact ?? null,
  };
  const ticket = target.send(change.slot ?? 0, request, sink);
  return { sink, cancel: () => ticket.cancel() };
}
