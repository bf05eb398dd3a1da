import { type Clock, LoadError } from "@tokenstorm/core";
import type {
  BusStatus,
  LogEntry,
  ResultLog,
  StateStore,
  Subscription,
  Transport,
} from "@tokenstorm/protocol";
import type { Random } from "../random.js";
import type { ProcessClock } from "./process-clock.js";

/** Shares in [0, 1), times in us. */
export interface LinkFaults {
  /** Of core messages. */
  readonly lossShare: number;
  readonly duplicateShare: number;
  readonly delayMaxUs: number;
  /** Appends that are stored though their acknowledgement is lost. */
  readonly ackLossShare: number;
  /** Appends that are acknowledged and lost all the same. */
  readonly entryLossShare: number;
  /** Entries that a follower sees twice. */
  readonly repeatShare: number;
  /** Writes and reads of the state store whose answer is lost. */
  readonly answerLossShare: number;
  /** Of core messages that are said while nothing leaves: they wait in a buffer, and leave when the way is free. */
  readonly heldShare: number;
}

export const NO_FAULTS: LinkFaults = {
  lossShare: 0,
  duplicateShare: 0,
  delayMaxUs: 0,
  ackLossShare: 0,
  entryLossShare: 0,
  repeatShare: 0,
  answerLossShare: 0,
  heldShare: 0,
};

/** What really happened, for a test that must know that it tested something. */
export interface LinkCounts {
  lost: number;
  duplicated: number;
  reordered: number;
  lostAcks: number;
  lostEntries: number;
  repeated: number;
  resent: number;
  lostAnswers: number;
  held: number;
  refused: number;
  cuts: number;
}

export function noCounts(): LinkCounts {
  return {
    lost: 0,
    duplicated: 0,
    reordered: 0,
    lostAcks: 0,
    lostEntries: 0,
    repeated: 0,
    resent: 0,
    lostAnswers: 0,
    held: 0,
    refused: 0,
    cuts: 0,
  };
}

export interface FaultyTransportOptions {
  /** True time. */
  readonly world: Clock;
  /** Of the process at this end. */
  readonly process: ProcessClock;
  readonly transport: Transport;
  readonly random: Random;
  readonly faults: LinkFaults;
  readonly counts: LinkCounts;
}

/** A question to a store that is not answered is given up after so long, as NATS's are. */
const ANSWER_LIMIT_US = 5_000_000;
const STORE_DELAY_MAX_US = 3000;

/**
 * One process's connection, with all that a network and a store may do to it: delay, loss, duplication, reordering, a
 * partition of one or both ways, acknowledgements and entries that are lost. Every choice comes from `random`.
 */
export class FaultyTransport {
  readonly transport: Transport;
  readonly #options: FaultyTransportOptions;
  readonly #listeners = new Set<(status: BusStatus) => void>();
  #outCutUntilUs = Number.NEGATIVE_INFINITY;
  #inCutUntilUs = Number.NEGATIVE_INFINITY;
  #refusesUntilUs = Number.NEGATIVE_INFINITY;
  #latestArrivalUs = 0;
  /** Entries that the log has lost, and whose ids it still knows. */
  readonly #lostIds = new Set<string>();

  constructor(options: FaultyTransportOptions) {
    this.#options = options;
    const { transport } = options;
    this.transport = {
      kind: "nats",
      server: null,
      bus: {
        publish: (subject, data) => this.#publish(subject, data.slice()),
        subscribe: (pattern, handler) =>
          transport.bus.subscribe(pattern, (message) => {
            if (!this.#isInCut()) options.process.deliver(() => handler(message));
          }),
        request: async (subject, data, limit) => {
          if (!this.#isOutCut() && !this.#isInCut()) return transport.bus.request(subject, data, limit);
          await this.#pass(limit.timeoutMs * 1000);
          return undefined;
        },
        onStatus: (handler) => this.#onStatus(handler),
        flush: async () => undefined,
      },
      log: this.#log(transport.log),
      state: this.#state(transport.state),
      blobs: {
        put: (name, data) => this.#ask(() => transport.blobs.put(name, data)),
        get: (name) => this.#ask(() => transport.blobs.get(name)),
        delete: (name) => this.#ask(() => transport.blobs.delete(name)),
      },
      dataSets: {
        put: (sha256, data) => this.#ask(() => transport.dataSets.put(sha256, data)),
        has: (sha256) => this.#ask(() => transport.dataSets.has(sha256)),
        get: (sha256) => this.#ask(() => transport.dataSets.get(sha256)),
      },
      close: async () => undefined,
    };
  }

  /** Nothing leaves (`out`), nothing arrives (`in`), until this moment of true time. */
  cut(direction: "in" | "out" | "both", untilUs: number): void {
    const { world, counts, process } = this.#options;
    counts.cuts += 1;
    if (direction !== "in") this.#outCutUntilUs = Math.max(this.#outCutUntilUs, untilUs);
    if (direction !== "out") this.#inCutUntilUs = Math.max(this.#inCutUntilUs, untilUs);
    if (direction !== "both") return;
    const tell = (status: BusStatus) => {
      for (const listener of this.#listeners) process.deliver(() => listener(status));
    };
    tell({ kind: "disconnected" });
    world.at(untilUs, () => tell({ kind: "connected" }));
  }

  /** The log takes nothing of this process until this moment of true time, and says so: its stream is full. */
  refuseAppends(untilUs: number): void {
    this.#refusesUntilUs = Math.max(this.#refusesUntilUs, untilUs);
  }

  #isOutCut(): boolean {
    return this.#options.process.isDead || this.#options.world.nowUs() < this.#outCutUntilUs;
  }

  #isInCut(): boolean {
    return this.#options.process.isDead || this.#options.world.nowUs() < this.#inCutUntilUs;
  }

  #publish(subject: string, data: Uint8Array): void {
    const { world, random, faults, counts, transport, process } = this.#options;
    if (!process.isDead && this.#isOutCut() && random.bool(faults.heldShare)) {
      counts.held += 1;
      const leavesUs = this.#outCutUntilUs + random.int(0, faults.delayMaxUs);
      world.at(leavesUs, () => transport.bus.publish(subject, data));
      return;
    }
    if (this.#isOutCut() || random.bool(faults.lossShare)) {
      counts.lost += 1;
      return;
    }
    const isTwice = random.bool(faults.duplicateShare);
    if (isTwice) counts.duplicated += 1;
    for (let copy = 0; copy < (isTwice ? 2 : 1); copy += 1) {
      const arrivesUs = world.nowUs() + random.int(0, faults.delayMaxUs);
      if (arrivesUs < this.#latestArrivalUs) counts.reordered += 1;
      this.#latestArrivalUs = Math.max(this.#latestArrivalUs, arrivesUs);
      if (faults.delayMaxUs === 0) transport.bus.publish(subject, data);
      else world.at(arrivesUs, () => transport.bus.publish(subject, data));
    }
  }

  #onStatus(handler: (status: BusStatus) => void): Subscription {
    this.#listeners.add(handler);
    queueMicrotask(() => handler({ kind: "connected" }));
    return { close: () => this.#listeners.delete(handler) };
  }

  #state(state: StateStore): StateStore {
    return {
      get: (key) => this.#ask(() => state.get(key)),
      compareAndSet: (key, value, expected) => this.#ask(() => state.compareAndSet(key, value, expected)),
      keys: (prefix) => this.#ask(() => state.keys(prefix)),
      delete: (key) => this.#ask(() => state.delete(key)),
    };
  }

  #log(log: ResultLog): ResultLog {
    const { random, faults, counts } = this.#options;
    return {
      append: async (id, data, options) => {
        if (id.resend > 0) counts.resent += 1;
        const name = [id.run, id.agent, id.epoch, id.kind, id.seq, id.resend].join(":");
        if (this.#options.world.nowUs() < this.#refusesUntilUs) {
          counts.refused += 1;
          return this.#ask(() =>
            Promise.reject(unavailable("NATS has no room left (maximum bytes exceeded)")),
          );
        }
        if (this.#lostIds.has(name)) return this.#ask(async () => ({ duplicate: true }));
        if (random.bool(faults.entryLossShare)) {
          counts.lostEntries += 1;
          this.#lostIds.add(name);
          return this.#ask(async () => ({ duplicate: false }));
        }
        const isAckLost = random.bool(faults.ackLossShare);
        if (isAckLost) counts.lostAcks += 1;
        const answer = await this.#ask(() => log.append(id, data, options));
        if (!isAckLost) return answer;
        await this.#pass(options.timeoutMs * 1000);
        throw unavailable("the acknowledgement was lost");
      },
      follow: async (run, handler) => {
        const queue = this.#followerQueue(handler);
        const subscription = await this.#ask(() => log.follow(run, queue.push));
        return {
          close: () => {
            queue.close();
            subscription.close();
          },
        };
      },
      runs: () => this.#ask(() => log.runs()),
      purge: (run) => this.#ask(() => log.purge(run)),
    };
  }

  /** In the order of the log, some twice; what comes while the way is cut comes afterwards. */
  #followerQueue(handler: (entry: LogEntry) => void) {
    const { world, process, random, faults, counts } = this.#options;
    const waiting: LogEntry[] = [];
    let isScheduled = false;
    let isClosed = false;
    const pump = () => {
      isScheduled = false;
      if (isClosed || process.isDead) return;
      if (this.#isInCut()) {
        schedule();
        return;
      }
      for (const entry of waiting.splice(0)) {
        const isTwice = random.bool(faults.repeatShare);
        if (isTwice) counts.repeated += 1;
        for (let copy = 0; copy < (isTwice ? 2 : 1); copy += 1)
          process.deliver(() => {
            if (!isClosed) handler(entry);
          });
      }
    };
    const schedule = () => {
      if (isScheduled) return;
      isScheduled = true;
      const delayUs = random.int(0, faults.delayMaxUs);
      world.at(Math.max(world.nowUs() + delayUs, this.#inCutUntilUs), pump);
    };
    return {
      push: (entry: LogEntry) => {
        waiting.push(entry);
        schedule();
      },
      close: () => {
        isClosed = true;
      },
    };
  }

  /** One question and its answer, each of which may be lost on its way; done or not, the asker does not know. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    const { random, faults, counts } = this.#options;
    await this.#pass(random.int(0, STORE_DELAY_MAX_US));
    if (this.#isOutCut()) {
      await this.#pass(ANSWER_LIMIT_US);
      throw unavailable("the question did not get through");
    }
    const answer = await question();
    const isLost = random.bool(faults.answerLossShare);
    if (isLost) counts.lostAnswers += 1;
    if (!isLost && !this.#isInCut()) {
      await this.#awake();
      return answer;
    }
    await this.#pass(ANSWER_LIMIT_US);
    throw unavailable("the answer did not get through");
  }

  async #pass(us: number): Promise<void> {
    const { world } = this.#options;
    await new Promise<void>((resolve) => world.at(world.nowUs() + us, resolve));
    await this.#awake();
  }

  /** A process that stands still hears its answers when it goes on; a dead one never does. */
  #awake(): Promise<void> {
    return new Promise<void>((resolve) => this.#options.process.deliver(resolve));
  }
}

function unavailable(why: string): LoadError {
  return new LoadError("BUS_UNAVAILABLE", why);
}
