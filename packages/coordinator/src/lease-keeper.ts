import {
  type Cancel,
  type Clock,
  initialLease,
  isLeaseValid,
  LEASE_LIMITS,
  type LeaseEffect,
  type LeaseEntry,
  type LeaseEvent,
  type LeaseHold,
  type LeaseState,
  LoadError,
  stepLease,
} from "@tokenstorm/core";
import {
  type BusStatus,
  decodeLease,
  encodeLease,
  LEADER_KEY,
  listAgents,
  listRuns,
  type Subjects,
  type Subscription,
  type Transport,
} from "@tokenstorm/protocol";
import { COORDINATOR_LIMITS } from "./limits.js";
import type { Logger } from "./logger.js";
import { startTicker } from "./ticker.js";

export interface LeaseKeeperOptions {
  readonly id: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly transport: Pick<Transport, "bus" | "state">;
  readonly subjects: Subjects;
  readonly logger: Logger;
  readonly onLead: (term: number) => void;
  /** It leads no more: nothing may be said or written any more under its term. */
  readonly onStop: (why: string) => void;
  readonly onStandBy: (leader: string, term: number) => void;
  /** The store refuses what a coordinator needs. */
  readonly onFailure: (error: LoadError) => void;
}

/** Holds the lease, or waits for it: carries out what the core's machine decides, and waits for one answer of the store at a time. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #ticker: Cancel;
  readonly #status: Subscription;
  #state: LeaseState;
  #isClosed = false;
  #work: Promise<void> = Promise.resolve();
  #isUnanswered = false;
  #isAway = false;
  /** Ends the wait for the answer that was last asked for; does nothing where that is there. */
  #giveUp: (why: string) => void = () => undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#state = initialLease(options);
    this.#ticker = startTicker(options.clock, COORDINATOR_LIMITS.leaseTickMs, () => this.#tick());
    this.#status = options.transport.bus.onStatus((status) => this.#onStatus(status));
    this.#tick();
  }

  /** Whether it leads, and nobody else can: asked before anything that only a leader may do. */
  get isValid(): boolean {
    return !this.#isClosed && isLeaseValid(this.#state, this.#options.clock.nowUs());
  }

  /** Somebody claims to lead under a higher term; the store knows. */
  rival(): void {
    this.#dispatch({ kind: "rival", nowUs: this.#options.clock.nowUs() });
  }

  /** An agent says that it has followed a higher term. */
  followed(term: number): void {
    this.#dispatch({ kind: "followed", nowUs: this.#options.clock.nowUs(), term });
  }

  /** Lets the next one lead without waiting, where it leads. Never throws. May be called twice. */
  async release(): Promise<void> {
    if (this.#isClosed) return this.#work;
    const { held } = this.#state;
    const wasValid = this.isValid;
    this.#isClosed = true;
    this.#ticker();
    this.#status.close();
    // A renewal under way would move the revision.
    await this.#work;
    const last = this.#state.held ?? held;
    if (!wasValid || last === null || (await this.#free(last))) return;
    // A renewal that was given up has been done all the same.
    const now = this.#state.held;
    if (now !== null && now.revision !== last.revision) await this.#free(now);
  }

  /** Whether the store says that it was done; where it is not, the next one waits until the lease is old. */
  async #free({ term, revision }: LeaseHold): Promise<boolean> {
    const { id, instance } = this.#state;
    const free: LeaseEntry = { v: 1, term, leader: id, instance, isFree: true };
    try {
      const { state } = this.#options.transport;
      const writing = state.compareAndSet(LEADER_KEY, encodeLease(free), revision);
      return (await this.#within(LEASE_LIMITS.answerUs, writing)) !== undefined;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      return false;
    }
  }

  /** What was asked while the connection was away was never sent, and nobody will answer it. */
  #onStatus({ kind }: BusStatus): void {
    if (kind === "disconnected") this.#isAway = true;
    if (kind !== "connected" || !this.#isAway) return;
    this.#isAway = false;
    this.#giveUp("the connection to NATS was lost meanwhile");
    this.#work = this.#work.then(() =>
      this.#dispatch({ kind: "reconnected", nowUs: this.#options.clock.nowUs() }),
    );
  }

  #tick(): void {
    this.#dispatch({ kind: "tick", nowUs: this.#options.clock.nowUs() });
  }

  #dispatch(event: LeaseEvent): void {
    const { state, effects } = stepLease(this.#state, event);
    this.#state = state;
    if (this.#isClosed) return;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: LeaseEffect): void {
    const { onLead, onStop, onStandBy, clock, transport } = this.#options;
    switch (effect.kind) {
      case "read":
        this.#ask(async () => {
          const entry = await this.#inTime(transport.state.get(LEADER_KEY));
          const read = entry === undefined ? null : decodeLease(entry.value);
          return { kind: "read", nowUs: clock.nowUs(), entry: read, revision: entry?.revision };
        });
        return;
      case "find-terms":
        this.#ask(async () => {
          const highest = await this.#highestTerm(effect.from);
          return { kind: "terms", highest, nowUs: clock.nowUs() };
        });
        return;
      case "write":
        this.#ask(async () => {
          const { entry, expected } = effect;
          const startedUs = clock.nowUs();
          const writing = transport.state.compareAndSet(LEADER_KEY, encodeLease(entry), expected);
          const revision = await this.#inTime(writing, (late) => {
            if (late === undefined) return;
            const { term } = entry;
            this.#dispatch({ kind: "written-late", nowUs: clock.nowUs(), term, startedUs, revision: late });
          });
          return { kind: "written", nowUs: clock.nowUs(), revision };
        });
        return;
      case "lead":
        onLead(effect.term);
        return;
      case "stop":
        onStop(effect.why);
        return;
      case "stand-by":
        onStandBy(effect.leader, effect.term);
    }
  }

  #ask(question: () => Promise<LeaseEvent>): void {
    this.#work = this.#answer(question);
  }

  async #answer(question: () => Promise<LeaseEvent>): Promise<void> {
    const { clock, logger, onFailure } = this.#options;
    let event: LeaseEvent;
    try {
      event = await question();
      this.#isUnanswered = false;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      if (error.code === "BUS_DENIED") {
        onFailure(error);
        return;
      }
      if (!this.#isUnanswered) logger.warn(`the lease cannot be looked at: ${error.message}`);
      this.#isUnanswered = true;
      event = { kind: "unanswered", nowUs: clock.nowUs() };
    }
    this.#dispatch(event);
  }

  /** Who leads must ask again in time. Who does not has time: the store's own limit does. */
  #inTime<T>(answer: Promise<T>, onLate?: (answer: T) => void): Promise<T> {
    const limitUs = this.#state.held === null ? Number.POSITIVE_INFINITY : LEASE_LIMITS.answerUs;
    return this.#within(limitUs, answer, onLate);
  }

  /** Rejects where the answer is not there by then, or is given up before; what comes later goes to `onLate`. */
  #within<T>(limitUs: number, answer: Promise<T>, onLate?: (answer: T) => void): Promise<T> {
    const { clock, onFailure } = this.#options;
    let isLate = false;
    return new Promise((resolve, reject) => {
      const giveUp = (why: string) => {
        cancel();
        isLate = true;
        reject(new LoadError("BUS_UNAVAILABLE", why));
      };
      const tooLate = () => giveUp(`the store did not answer within ${limitUs / 1000} ms`);
      const cancel = Number.isFinite(limitUs) ? clock.at(clock.nowUs() + limitUs, tooLate) : () => undefined;
      this.#giveUp = giveUp;
      answer.then(
        (value) => {
          cancel();
          if (isLate) onLate?.(value);
          else resolve(value);
        },
        (error: unknown) => {
          cancel();
          if (!isLate) reject(error);
          // Nobody waits for it any more: what ends a coordinator ends it all the same.
          else if (!(error instanceof LoadError)) throw error;
          else if (error.code === "BUS_DENIED") onFailure(error);
        },
      );
    });
  }

  /** Where the key holds no entry, its term is lost with it. */
  async #highestTerm(from: Extract<LeaseEffect, { kind: "find-terms" }>["from"]): Promise<number> {
    const { transport, subjects, clock } = this.#options;
    const [records, agents] = await Promise.all([
      listRuns(transport),
      // Listening takes a second, which the first coordinator of a store has no use for.
      from === "records" ? [] : listAgents({ transport, subjects }, clock),
    ]);
    const terms = [...records, ...agents].map(({ term }) => term);
    return Math.max(0, ...terms.filter((term) => term <= LEASE_LIMITS.mostFollowedTerm));
  }
}
