/** What arrived on a subject. `respond` answers a request; it does nothing where no answer is wanted. */
export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  respond(data: Uint8Array): void;
}

export interface Subscription {
  /** May be called twice. */
  close(): void;
}

/** `denied` carries what a server refused this user; it is fatal to whoever needs it. `closed` is final. */
export type BusStatus =
  | { readonly kind: "connected" }
  | { readonly kind: "disconnected" }
  | { readonly kind: "denied"; readonly subject: string; readonly message: string }
  | { readonly kind: "closed"; readonly message: string | null };

/**
 * Messages that may be lost: beacon, heartbeats, probes, live updates. Handlers must not throw and must not be async;
 * subjects follow NATS (tokens by dots, `*` one token, `>` the rest).
 */
export interface Bus {
  publish(subject: string, data: Uint8Array): void;
  subscribe(subject: string, handler: (message: BusMessage) => void): Subscription;
  /** Answer to a request, or undefined when nobody listens or nobody answered within the limit. */
  request(
    subject: string,
    data: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array | undefined>;
  /** Tells of every change from now on, and of the present state at once. */
  onStatus(handler: (status: BusStatus) => void): Subscription;
  /** Resolves when what was published has left; bounded. Throws BUS_UNAVAILABLE. */
  flush(options: { readonly timeoutMs: number }): Promise<void>;
}
