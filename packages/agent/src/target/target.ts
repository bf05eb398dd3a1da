import type { Capacity, RequestEnd, RequestKey, TestPlan } from "@tokenstorm/core";
import type { Ready } from "@tokenstorm/protocol";

/** One request, ready to be handed to a socket: its body is built off the send path. */
export interface PreparedRequest {
  readonly key: RequestKey;
  /** Goes out as X-Request-Id. */
  readonly id: string;
  /** Which of the plan's URLs. */
  readonly url: number;
  /** JSON body, UTF-8. */
  readonly body: Uint8Array;
  /** Asked length, to check the answer against; null where the model may stop by itself. */
  readonly exactOutputTokens: number | null;
  /** Whether its end tells what was generated; for conversations. */
  readonly keepsText?: boolean;
}

/** Hears what happens to one request. Stamps: the agent's monotonic clock, us, taken at the socket read before any parsing. */
export interface RequestSink {
  /** A socket was opened for this request; what that took. */
  onConnected(tUs: number, connectUs: number): void;
  /** The last byte was handed to the kernel on a connected socket. Once, also when a stale socket is retried. */
  onSent(tUs: number): void;
  onHeaders(tUs: number): void;
  /** See Recorder.event. */
  onEvent(tUs: number, tokens: number, content: boolean, sameRead: boolean): void;
  onStaleRetry(): void;
  /** Exactly once, last. The slot is free when this is called: the next `send` on it may be made from within. */
  onEnd(tUs: number, end: RequestEnd): void;
}

/** What preflight found out; part of the agent's `ready`. */
export type Preflight = Pick<
  Ready,
  "model" | "wordsPerToken" | "templateTokens" | "serverVersion" | "reader"
>;

/** The server under load, behind whatever client. One for each run; `close` ends every socket. */
export interface Target {
  /**
   * Finds the model, checks the key, that an answer is an event stream with output, and calibrates words per token.
   * Throws LoadError (TARGET_UNREACHABLE, SECRET_MISSING, AGENT_NOT_READY) naming URL and reason.
   */
  preflight(): Promise<Preflight>;
  /**
   * Sends at once on `slot`'s own connection (0 .. slots-1); a slot carries one request at a time.
   * The sink may hear of it before `send` has returned.
   * `cancel` ends it without a word to the sink but onEnd with outcome cancelled, from within or soon after.
   */
  send(slot: number, request: PreparedRequest, sink: RequestSink): { cancel(): void };
  /**
   * Has all that was read so far understood, and calls `run`: at once, unless a sink calls this from within; then when what
   * was read together has been understood. Whatever looks at the clock and puts its time into the books does so in here:
   * what was read earlier must not come after it.
   */
  afterReads(run: () => void): void;
  /** Sockets open now. */
  readonly openSockets: number;
  /** Of them, those to the address and port to which most lead. */
  readonly mostToOnePlace: number;
  close(): Promise<void>;
}

export interface TargetOptions {
  readonly plan: TestPlan;
  /** How many requests may be in flight at once. */
  readonly slots: number;
  /** Resolves secrets by name: environment and files. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Events per second that the plan means for this process, for `target.reader: auto`; unknown where it is left out. */
  readonly plannedEventsPerS?: number;
  /** What one process carries on this host; unknown where nobody has calibrated it. */
  readonly capacity?: Capacity | undefined;
}

/** Makes the target of a run; handed to `createAgent`, so that tests can hand in a simulated one. */
export type TargetFactory = (options: TargetOptions) => Target;
