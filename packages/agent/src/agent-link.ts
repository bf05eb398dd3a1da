import { LoadError } from "@tokenstorm/core";
import {
  type Beacon,
  type BusMessage,
  type BusStatus,
  createConnectionNews,
  decodeBeacon,
  decodeClockProbe,
  encodeClockReply,
  encodeHeartbeat,
  type Heartbeat,
  type Subscription,
} from "@tokenstorm/protocol";
import type { AgentDeps } from "./agent-deps.js";
import { isMalformed } from "./record-reader.js";

/** Time for the last messages to leave. */
const GOODBYE_MS = 2000;

export interface AgentLinkOptions {
  readonly deps: AgentDeps;
  readonly onBeacon: (beacon: Beacon) => void;
  /** The connection is of no use any more: refused what an agent needs, or ended for good. */
  readonly onBroken: (error: LoadError) => void;
}

/** What an agent hears and says on the bus. Answers clock probes by itself; counts what is malformed. */
export class AgentLink {
  readonly #options: AgentLinkOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #news = createConnectionNews();
  #isOpen = false;
  #refusals = 0;

  constructor(options: AgentLinkOptions) {
    this.#options = options;
  }

  /** Messages that were refused as malformed. */
  get refusals(): number {
    return this.#refusals;
  }

  open(): void {
    const { bus, subjects, id } = this.#options.deps;
    this.#isOpen = true;
    this.#subscriptions.push(
      bus.subscribe(subjects.clock(id), (message) => this.#answerProbe(message)),
      bus.subscribe(subjects.beacon, (message) => this.#heedBeacon(message)),
    );
    const status = bus.onStatus((present) => this.#heedStatus(present));
    // The present state may have been the end of it.
    if (this.#isOpen) this.#subscriptions.push(status);
    else status.close();
  }

  say(heartbeat: Heartbeat): void {
    const { bus, subjects, id } = this.#options.deps;
    if (this.#isOpen) bus.publish(subjects.heartbeat(id), encodeHeartbeat(heartbeat));
  }

  /** Anybody may say anything on a subject: it is counted, and told once. Throws what is no such thing. */
  refuse(error: unknown): void {
    if (!isMalformed(error)) throw error;
    this.#refusals += 1;
    if (this.#refusals > 1) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.deps.logger.warn("a malformed message was refused; further ones are only counted", {
      reason,
    });
  }

  /** Hears nothing any more, and lets what was said leave, within a bound. May be called twice. */
  async close(): Promise<void> {
    const { bus, logger } = this.#options.deps;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const subscription of this.#subscriptions) subscription.close();
    try {
      await bus.flush({ timeoutMs: GOODBYE_MS });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn("the last messages may not have left", { reason });
    }
  }

  #answerProbe(message: BusMessage): void {
    const { bus, clock, id, instance, host, pid, subjects } = this.#options.deps;
    const t1 = clock.nowUs();
    try {
      const { t0, asker } = decodeClockProbe(message.data);
      const reply = encodeClockReply({ t0, asker, t1, t2: clock.nowUs(), instance, host, pid });
      bus.publish(subjects.clockAnswer(id), reply);
    } catch (error) {
      this.refuse(error);
    }
  }

  #heedBeacon(message: BusMessage): void {
    let beacon: Beacon;
    try {
      beacon = decodeBeacon(message.data);
    } catch (error) {
      this.refuse(error);
      return;
    }
    this.#options.onBeacon(beacon);
  }

  #heedStatus(status: BusStatus): void {
    const { deps, onBroken } = this.#options;
    switch (status.kind) {
      case "denied": {
        const message = `agent ${deps.id} may not use ${status.subject}: ${status.message}`;
        const hint = "give its NATS user the permissions of the agent role";
        if (this.#needs(status.subject)) onBroken(new LoadError("BUS_DENIED", message, { hint }));
        else deps.logger.warn(message, { hint });
        return;
      }
      case "closed":
        onBroken(
          new LoadError("BUS_UNAVAILABLE", `the connection has ended: ${status.message ?? "it was closed"}`),
        );
        return;
      case "disconnected":
      case "connected": {
        const news = this.#news(status);
        if (news !== undefined) deps.logger[news.level](news.text);
        return;
      }
    }
  }

  #needs(subject: string): boolean {
    const { subjects, id } = this.#options.deps;
    const needed = [subjects.beacon, subjects.heartbeat(id), subjects.clock(id), subjects.clockAnswer(id)];
    return needed.includes(subject);
  }
}
